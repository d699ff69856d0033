"""Queue Storage from its own client library for Python."""

import datetime
import os
import sys

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.queue import (
    AccessPolicy,
    CorsRule,
    QueueClient,
    QueueServiceClient,
    TextBase64EncodePolicy,
    generate_queue_sas,
)

service = QueueServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"])


def raises(kind, code, act):
    try:
        act()
    except kind as error:
        assert error.error_code == code, (error.error_code, code)
        return
    raise AssertionError(f"{code} was expected")


def queues():
    service.create_queue("jobs", metadata={"owner": "me"})
    raises(ResourceExistsError, "QueueAlreadyExists", lambda: service.create_queue("jobs", metadata={"owner": "me"}))
    raises(ResourceExistsError, "QueueAlreadyExists", lambda: service.create_queue("jobs", metadata={"owner": "you"}))
    raises(HttpResponseError, "InvalidResourceName", lambda: service.create_queue("No_Name"))
    for number in range(5):
        service.create_queue(f"more-{number}")
    pages = list(service.list_queues(name_starts_with="more-", results_per_page=2).by_page())
    assert [len(list(page)) for page in pages] == [2, 2, 1]
    (jobs,) = service.list_queues(name_starts_with="jobs", include_metadata=True)
    assert (jobs.name, jobs.metadata) == ("jobs", {"owner": "me"}), (jobs.name, jobs.metadata)
    queue = service.get_queue_client("jobs")
    queue.set_queue_metadata({"owner": "you"})
    queue.send_message("a")
    properties = queue.get_queue_properties()
    assert properties.metadata == {"owner": "you"}, properties.metadata
    assert properties.approximate_message_count == 1
    service.delete_queue("jobs")
    raises(ResourceNotFoundError, "QueueNotFound", lambda: queue.send_message("b"))


def messages():
    queue = service.create_queue("jobs")
    sent = queue.send_message("one <&> ä")
    assert sent.id and sent.pop_receipt and sent.expires_on > sent.inserted_on
    queue.send_message("two")
    queue.send_message("hidden", visibility_timeout=3600)
    assert [message.content for message in queue.peek_messages(max_messages=5)] == ["one <&> ä", "two"]
    first, second = queue.receive_messages(max_messages=5, visibility_timeout=60)
    assert (first.content, first.dequeue_count, first.id) == ("one <&> ä", 1, sent.id)
    assert list(queue.receive_messages()) == []
    raises(HttpResponseError, "PopReceiptMismatch", lambda: queue.delete_message(first.id, second.pop_receipt))
    raises(ResourceNotFoundError, "MessageNotFound", lambda: queue.delete_message("none", first.pop_receipt))
    stale = first.pop_receipt
    changed = queue.update_message(first, visibility_timeout=0, content="three")
    assert changed.pop_receipt != stale
    (again,) = queue.receive_messages()
    assert (again.content, again.dequeue_count) == ("three", 2), (again.content, again.dequeue_count)
    raises(HttpResponseError, "PopReceiptMismatch", lambda: queue.delete_message(first.id, stale))
    queue.delete_message(again)
    queue.delete_message(second)
    raises(ResourceNotFoundError, "MessageNotFound", lambda: queue.delete_message(second))
    raises(HttpResponseError, "OutOfRangeQueryParameterValue", lambda: list(queue.receive_messages(messages_per_page=33)))
    raises(HttpResponseError, "MessageTooLarge", lambda: queue.send_message("x" * 65537))
    queue.send_message("x" * 65536)
    assert queue.send_message("for ever", time_to_live=-1).expires_on.year == 9999
    queue.clear_messages()
    assert queue.get_queue_properties().approximate_message_count == 0
    own = queue.send_message("four")
    changed = queue.update_message(own, content="five", visibility_timeout=0)
    (again,) = queue.receive_messages()
    assert (again.content, again.dequeue_count) == ("five", 1), (again.content, again.dequeue_count)
    raises(HttpResponseError, "PopReceiptMismatch", lambda: queue.delete_message(own.id, changed.pop_receipt))
    queue.delete_message(again)
    own = queue.send_message("six")
    queue.delete_message(own)
    assert queue.get_queue_properties().approximate_message_count == 0
    signed()


def signed():
    """What signatures let their bearers do, and service properties."""
    queue = service.create_queue("signed")
    expiry = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    parts = dict(pair.split("=", 1) for pair in os.environ["AZURE_STORAGE_CONNECTION_STRING"].strip(";").split(";"))
    account, key = parts["AccountName"], parts["AccountKey"]
    token = generate_queue_sas(account, "signed", key, permission="a", expiry=expiry)
    adder = QueueClient.from_queue_url(f"{queue.url}?{token}")
    adder.send_message("one")
    raises(HttpResponseError, "AuthorizationPermissionMismatch", lambda: list(adder.receive_messages()))
    queue.set_queue_access_policy({"readers": AccessPolicy(permission="r", expiry=expiry)})
    assert list(queue.get_queue_access_policy()) == ["readers"]
    stored = generate_queue_sas(account, "signed", key, policy_id="readers")
    assert len(QueueClient.from_queue_url(f"{queue.url}?{stored}").peek_messages()) == 1
    bad = QueueServiceClient(parts["QueueEndpoint"], credential=AzureNamedKeyCredential(account, "a" * 86 + "=="))
    raises(HttpResponseError, "AuthenticationFailed", lambda: bad.create_queue("other"))
    service.set_service_properties(cors=[CorsRule(["*"], ["GET"])])
    assert service.get_service_properties()["cors"][0].allowed_origins == "*"


def feed():
    """Messages as the functions host takes them, one that fails, and one in plain text."""
    queue = service.get_queue_client("rows", message_encode_policy=TextBase64EncodePolicy())
    queue.send_message("good")
    queue.send_message("bad")
    service.get_queue_client("rows").send_message("plain text")


globals()[sys.argv[1]]()
