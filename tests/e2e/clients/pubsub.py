"""Pub/Sub from google-cloud-pubsub, with nothing but PUBSUB_EMULATOR_HOST."""

import base64
import http.server
import json
import sys
import threading
from concurrent import futures

from google.api_core import exceptions
from google.cloud import pubsub_v1
from google.protobuf import duration_pb2, field_mask_pb2
from google.pubsub_v1.types import Encoding, Schema

PROJECT = "demo-mlemu"
publisher = pubsub_v1.PublisherClient()
subscriber = pubsub_v1.SubscriberClient()


def same(actual, expected, what=""):
    assert actual == expected, f"{what}\n  expected {expected!r}\n  but got  {actual!r}"


def refused(error, call, *arguments, **named):
    try:
        answer = call(*arguments, **named)
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, but got {answer!r}")


def topic(name):
    path = publisher.topic_path(PROJECT, name)
    publisher.create_topic(name=path)
    return path


def subscription(name, of, **said):
    path = subscriber.subscription_path(PROJECT, name)
    return subscriber.create_subscription(request={"name": path, "topic": of, **said}).name


def pull(of, most=10):
    return subscriber.pull(subscription=of, max_messages=most, return_immediately=True).received_messages


def acknowledge(of, received):
    subscriber.acknowledge(subscription=of, ack_ids=[one.ack_id for one in received])


def texts(received):
    return [one.message.data.decode() for one in received]


def resources():
    """Topics and subscriptions: made, shown, changed, removed, and what is refused."""
    path = topic("resources")
    refused(exceptions.AlreadyExists, publisher.create_topic, name=path)
    refused(exceptions.InvalidArgument, publisher.create_topic, name=f"projects/{PROJECT}/topics/x")
    refused(exceptions.NotFound, publisher.get_topic, topic=path + "-not")
    mask = field_mask_pb2.FieldMask(paths=["labels"])
    changed = publisher.update_topic(topic={"name": path, "labels": {"a": "b"}}, update_mask=mask)
    same(dict(publisher.get_topic(topic=path).labels), {"a": "b"}, changed)
    of = subscription("resources", path, ack_deadline_seconds=20)
    refused(exceptions.InvalidArgument, subscription, "deadline", path, ack_deadline_seconds=5)
    refused(exceptions.InvalidArgument, subscription, "filtered", path, filter="no filter")
    refused(exceptions.NotFound, subscription, "orphan", path + "-not")
    for number in range(7):
        topic(f"page-{number}")
    same(len(list(publisher.list_topics(request={"project": f"projects/{PROJECT}", "page_size": 3}))), 8)
    same(list(publisher.list_topic_subscriptions(topic=path)), [of])
    mask = field_mask_pb2.FieldMask(paths=["ack_deadline_seconds"])
    subscriber.update_subscription(subscription={"name": of, "ack_deadline_seconds": 30}, update_mask=mask)
    same(subscriber.get_subscription(subscription=of).ack_deadline_seconds, 30)
    publisher.publish(path, b"kept").result()
    publisher.delete_topic(topic=path)
    same(subscriber.get_subscription(subscription=of).topic, "_deleted-topic_")
    same(texts(pull(of)), ["kept"])
    subscriber.delete_subscription(subscription=of)
    refused(exceptions.NotFound, subscriber.get_subscription, subscription=of)
    refused(exceptions.NotFound, publisher.publish(path, b"x").result)
    path = topic("detached")
    of = subscription("detached", path)
    publisher.detach_subscription(request={"subscription": of})
    same(subscriber.get_subscription(subscription=of).detached, True)
    refused(exceptions.FailedPrecondition, pull, of)


def many():
    """Ten thousand messages: none lost, none twice."""
    path = topic("many")
    of = subscription("many", path)
    seen, complete, lock = {}, threading.Event(), threading.Lock()
    wanted = 10_000

    def take(message):
        with lock:
            seen[message.message_id] = seen.get(message.message_id, 0) + 1
            if len(seen) == wanted:
                complete.set()
        message.ack()

    stream = subscriber.subscribe(of, callback=take)
    published = [publisher.publish(path, f"{number}".encode()) for number in range(wanted)]
    ids = {one.result() for one in published}
    assert complete.wait(120), f"{len(seen)} of {wanted}"
    stream.cancel()
    stream.result()
    same((set(seen), max(seen.values())), (ids, 1))
    same(pull(of), [])


def leases():
    """What is not acknowledged comes back, and what was tried too often goes elsewhere."""
    dead_path, path = topic("dead"), topic("leases")
    dead = subscription("dead", dead_path)
    zero = duration_pb2.Duration(seconds=0)
    of = subscription(
        "leases",
        path,
        retry_policy={"minimum_backoff": zero, "maximum_backoff": zero},
        dead_letter_policy={"dead_letter_topic": dead_path, "max_delivery_attempts": 5},
    )
    publisher.publish(path, b"stubborn", kind="iris").result()
    for attempt in range(1, 6):
        received = pull(of)
        same([(one.message.data, one.delivery_attempt) for one in received], [(b"stubborn", attempt)])
        same(pull(of), [], "it is out")
        ids = [one.ack_id for one in received]
        subscriber.modify_ack_deadline(subscription=of, ack_ids=ids, ack_deadline_seconds=0)
    same(pull(of), [])
    (gone,) = pull(dead)
    said = dict(gone.message.attributes)
    same((gone.message.data, said["kind"]), (b"stubborn", "iris"))
    same(said["CloudPubSubDeadLetterSourceDeliveryCount"], "5")
    same(said["CloudPubSubDeadLetterSourceSubscription"], "leases")
    refused(exceptions.InvalidArgument, subscriber.acknowledge, subscription=of, ack_ids=["nonsense"])


def order():
    """Messages of a key come in their order, also after one was given back."""
    options = pubsub_v1.types.PublisherOptions(enable_message_ordering=True)
    ordered = pubsub_v1.PublisherClient(publisher_options=options)
    path = topic("order")
    of = subscription("order", path, enable_message_ordering=True, filter='attributes.kind = "iris"')
    published = []
    for number in range(20):
        for key in ("a", "b"):
            published.append(ordered.publish(path, f"{key}{number}".encode(), ordering_key=key, kind="iris"))
            ordered.publish(path, b"no", ordering_key=key, kind="rose")
    futures.wait(published)
    ordered.publish(path, b"last", ordering_key="c", kind="iris").result()
    expected = {key: [f"{key}{number}" for number in range(20)] for key in ("a", "b")}
    first = pull(of, 5)
    key = texts(first)[0][0]
    same(texts(first), expected[key][:5])
    acknowledge(of, first[:2])
    ids = [first[2].ack_id]
    subscriber.modify_ack_deadline(subscription=of, ack_ids=ids, ack_deadline_seconds=0)
    seen = {"a": [], "b": [], "l": [], key: texts(first[:2])}
    while received := pull(of, 7):
        for one in texts(received):
            seen[one[0]].append(one)
        acknowledge(of, received)
    same((seen["a"], seen["b"], seen["l"]), (expected["a"], expected["b"], ["last"]))


def once():
    """With exactly-once delivery an acknowledgement is confirmed, and a late one refused."""
    path = topic("once")
    of = subscription("once", path, enable_exactly_once_delivery=True)
    publisher.publish(path, b"x").result()
    confirmed = futures.Future()

    def take(message):
        confirmed.set_result(message.ack_with_response())

    stream = subscriber.subscribe(of, callback=take)
    same(confirmed.result(30).result(30).name, "SUCCESS")
    stream.cancel()
    stream.result()
    publisher.publish(path, b"y").result()
    (one,) = pull(of)
    acknowledge(of, [one])
    refused(exceptions.FailedPrecondition, acknowledge, of, [one])


def time():
    """Subscriptions that go back to a time or a snapshot, or forward."""
    path = topic("time")
    of = subscription("time", path, retain_acked_messages=True)
    publisher.publish(path, b"one").result()
    snapshot = subscriber.snapshot_path(PROJECT, "moment")
    subscriber.create_snapshot(name=snapshot, subscription=of)
    publisher.publish(path, b"two").result()
    received = pull(of)
    same(texts(received), ["one", "two"])
    acknowledge(of, received)
    same(pull(of), [])
    subscriber.seek(request={"subscription": of, "snapshot": snapshot})
    received = pull(of)
    same(texts(received), ["one", "two"], "back to the snapshot")
    acknowledge(of, received)
    at = received[1].message.publish_time
    subscriber.seek(request={"subscription": of, "time": at})
    received = pull(of)
    same(texts(received), ["two"], "back to a time")
    subscriber.seek(request={"subscription": of, "time": {"seconds": int(at.timestamp()) + 3600}})
    same(pull(of), [], "forward")
    same([one.name for one in subscriber.list_snapshots(project=f"projects/{PROJECT}")], [snapshot])
    subscriber.delete_snapshot(snapshot=snapshot)
    refused(exceptions.NotFound, subscriber.seek, request={"subscription": of, "snapshot": snapshot})


class Endpoint:
    """Keeps what is pushed to it; refuses the first request."""

    def __init__(self):
        self.requests, self.full = [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.requests.append((headers, body))
                self.send_response(500 if len(outer.requests) == 1 else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if len(outer.requests) == 2:
                    outer.full.set()

            def log_message(self, *said):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/push"


def push():
    """Messages go to an endpoint of this machine, again until it takes them."""
    path = topic("push")
    refused(exceptions.InvalidArgument, subscription, "far", path, push_config={"push_endpoint": "https://example.com/"})
    wrapped, bare = Endpoint(), Endpoint()
    token = {"service_account_email": "pusher@example.com", "audience": "me"}
    subscription("wrapped", path, push_config={"push_endpoint": wrapped.url, "oidc_token": token})
    unwrapped = {"push_endpoint": bare.url, "no_wrapper": {"write_metadata": True}}
    of = subscription("bare", path, push_config=unwrapped)
    number = publisher.publish(path, b"petals", kind="iris").result()
    assert wrapped.full.wait(20) and bare.full.wait(20)
    headers, body = wrapped.requests[1]
    document = json.loads(body)
    same(document["subscription"], f"projects/{PROJECT}/subscriptions/wrapped")
    message = document["message"]
    same((base64.b64decode(message["data"]), message["attributes"]), (b"petals", {"kind": "iris"}))
    same((message["messageId"], message["message_id"]), (number, number))
    claims = headers["authorization"].removeprefix("Bearer ").split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=="))
    same((claims["aud"], claims["email"]), ("me", "pusher@example.com"))
    headers, body = bare.requests[1]
    same((body, headers["kind"], headers["x-goog-pubsub-message-id"]), (b"petals", "iris", number))
    subscriber.modify_push_config(subscription=of, push_config={})
    publisher.publish(path, b"pulled").result()
    same(texts(pull(of)), ["pulled"], "no endpoint any more")


def schemas():
    """Messages that must fit a schema, and revisions of it."""
    client = pubsub_v1.SchemaServiceClient()
    parent = f"projects/{PROJECT}"
    fields = [{"name": "name", "type": "string"}, {"name": "petals", "type": "int"}]
    definition = json.dumps({"type": "record", "name": "Flower", "fields": fields})
    avro = {"type_": Schema.Type.AVRO, "definition": definition}
    schema = client.create_schema(parent=parent, schema=avro, schema_id="flower")
    refused(exceptions.InvalidArgument, client.validate_schema, parent=parent, schema={**avro, "definition": "{}"})
    path = publisher.topic_path(PROJECT, "flowers")
    settings = {"schema": schema.name, "encoding": Encoding.JSON}
    publisher.create_topic(request={"name": path, "schema_settings": settings})
    publisher.publish(path, b'{"name": "iris", "petals": 3}').result()
    refused(exceptions.InvalidArgument, publisher.publish(path, b'{"name": "iris"}').result)
    refused(exceptions.InvalidArgument, publisher.publish(path, b"not json").result)
    fresh = client.commit_schema(name=schema.name, schema={**avro, "name": schema.name})
    assert fresh.revision_id != schema.revision_id
    same(len(list(client.list_schema_revisions(name=schema.name))), 2)
    proto = {
        "type_": Schema.Type.PROTOCOL_BUFFER,
        "definition": 'syntax = "proto3"; message Flower { string name = 1; int32 petals = 2; }',
    }
    client.validate_schema(parent=parent, schema=proto)
    refused(
        exceptions.InvalidArgument, client.validate_schema, parent=parent, schema={**proto, "definition": "message {"}
    )
    json_encoding = Encoding.JSON
    client.validate_message(
        request={"parent": parent, "schema": proto, "message": b'{"petals": 3}', "encoding": json_encoding}
    )
    client.delete_schema(name=schema.name)
    refused(exceptions.NotFound, client.get_schema, name=schema.name)


def policies():
    """Access policies are kept for those who ask."""
    path = topic("policies")
    binding = {"role": "roles/pubsub.publisher", "members": ["allUsers"]}
    publisher.set_iam_policy(request={"resource": path, "policy": {"bindings": [binding]}})
    (kept,) = publisher.get_iam_policy(request={"resource": path}).bindings
    same(kept.role, "roles/pubsub.publisher")
    asked = ["pubsub.topics.publish"]
    same(list(publisher.test_iam_permissions(request={"resource": path, "permissions": asked}).permissions), asked)


def tell():
    """Publishes what a test wants: a topic and its messages."""
    name, *messages = sys.argv[2:]
    for message in messages:
        publisher.publish(publisher.topic_path(PROJECT, name), message.encode(), kind="iris").result()


if __name__ == "__main__":
    globals()[sys.argv[1]]()
