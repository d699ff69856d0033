"""Cloud Storage from google-cloud-storage, with nothing but STORAGE_EMULATOR_HOST."""

import io
import sys

from google.api_core import exceptions
from google.cloud import storage

HEADERS = {}
client = storage.Client(extra_headers=HEADERS)
MIB = 1024 * 1024
NAMES = ("plain.txt", "with space+plus/é ü.txt", "../../escape", "a//b", "trailing/", "%2e%2e/x", "🌼")


def same(actual, expected, what=""):
    assert actual == expected, f"{what}\n  expected {expected!r}\n  but got  {actual!r}"


def refused(error, call, *arguments, **named):
    try:
        answer = call(*arguments, **named)
    except error:
        return
    raise AssertionError(f"expected {error.__name__}, but got {answer!r}")


def objects():
    """In and out, listed, described, copied, composed, removed, with names of every kind."""
    bucket = client.create_bucket("objects", location="EU")
    same((bucket.location, [each.name for each in client.list_buckets()]), ("EU", ["objects"]))
    refused(exceptions.Conflict, client.create_bucket, "objects")
    for name in NAMES:
        body = name.encode() * 3
        blob = bucket.blob(name)
        blob.metadata = {"note": "n"}
        blob.upload_from_string(body, content_type="text/x-own")
        again = bucket.get_blob(name)
        same((again.size, again.content_type, again.metadata), (len(body), "text/x-own", {"note": "n"}), name)
        same(again.download_as_bytes(), body, name)
    listed = [blob.name for blob in client.list_blobs("objects")]
    same(listed, sorted(NAMES, key=lambda name: name.encode()))
    pages = client.list_blobs("objects", delimiter="/", page_size=2)
    same([blob.name for blob in pages], ["plain.txt", "🌼"])
    same(sorted(pages.prefixes), ["%2e%2e/", "../", "a/", "trailing/", "with space+plus/"])

    plain = bucket.blob("plain.txt")
    same(plain.download_as_bytes(start=2, end=4), b"ain")
    plain.reload()
    plain.metadata = {"note": None, "other": "o"}
    plain.cache_control = "no-store"
    plain.patch()
    same((bucket.get_blob("plain.txt").metadata, plain.metageneration), ({"other": "o"}, 2))
    copied = bucket.copy_blob(plain, bucket, "copied")
    same(copied.download_as_bytes(), b"plain.txt" * 3)
    rewritten = bucket.blob("rewritten")
    same(rewritten.rewrite(plain)[1], 27)
    composed = bucket.blob("composed")
    composed.compose([copied, rewritten])
    same(composed.download_as_bytes(), b"plain.txt" * 6)
    same((composed.component_count, composed.md5_hash), (2, None))
    moved = bucket.rename_blob(copied, "moved")
    same((moved.exists(), copied.exists()), (True, False))

    refused(exceptions.Conflict, bucket.delete)
    refused(exceptions.NotFound, bucket.blob("none").download_as_bytes)
    for blob in client.list_blobs("objects"):
        blob.delete()
    bucket.labels = {"team": "flowers"}
    bucket.patch()
    same(client.get_bucket("objects").labels, {"team": "flowers"})
    bucket.delete()
    refused(exceptions.NotFound, client.get_bucket, "objects")


def large():
    """Resumable uploads in several requests, from files and from streams of unknown length."""
    bucket = client.create_bucket("large")
    body = bytes(range(256)) * (9 * MIB // 256) + b"the end"
    blob = bucket.blob("whole")
    blob.upload_from_file(io.BytesIO(body), size=len(body))
    same(blob.download_as_bytes() == body, True)
    assert blob.md5_hash and blob.crc32c, "checksums of the whole"
    chunked = bucket.blob("chunked", chunk_size=MIB)
    chunked.upload_from_file(io.BytesIO(body))
    same(chunked.download_as_bytes() == body, True)
    same(bucket.get_blob("chunked").md5_hash, bucket.get_blob("whole").md5_hash)
    with bucket.blob("written").open("wb", chunk_size=MIB) as stream:
        for at in range(0, len(body), 300_000):
            stream.write(body[at : at + 300_000])
    same(bucket.get_blob("written").md5_hash, bucket.get_blob("whole").md5_hash)
    with bucket.blob("written").open("rb") as stream:
        stream.seek(9 * MIB)
        same(stream.read(), b"the end")
    bucket.blob("empty").upload_from_string(b"")
    same(bucket.blob("empty").download_as_bytes(), b"")
    same(bucket.get_blob("empty").size, 0)


def conditions():
    """Generations guard writes and reads."""
    bucket = client.create_bucket("conditions")
    blob = bucket.blob("x")
    blob.upload_from_string(b"1", if_generation_match=0)
    first = blob.generation
    refused(exceptions.PreconditionFailed, bucket.blob("x").upload_from_string, b"2", if_generation_match=0)
    blob.upload_from_string(b"2", if_generation_match=first)
    assert blob.generation > first
    refused(exceptions.NotFound, bucket.blob("x", generation=first).download_as_bytes)
    refused(exceptions.PreconditionFailed, blob.delete, if_generation_match=first)
    blob.delete(if_generation_match=blob.generation)
    same(blob.exists(), False)


def tells():
    """Uploads and a removal that functions wait for, and one that none does."""
    bucket = client.bucket("uploads")
    bucket.blob("in/red flower é.csv").upload_from_string("a,b\n", content_type="text/csv")
    bucket.blob("elsewhere.csv").upload_from_string("c,d\n")
    bucket.blob("in/red flower é.csv").delete()


def versions():
    """What is replaced or removed stays, is listed, comes back, and goes for good."""
    bucket = client.create_bucket("versions")
    bucket.versioning_enabled = True
    bucket.patch()
    same(client.get_bucket("versions").versioning_enabled, True)
    blob = bucket.blob("x")
    blob.upload_from_string(b"one")
    first = blob.generation
    blob.upload_from_string(b"two")
    second = blob.generation
    listed = list(client.list_blobs(bucket, versions=True))
    same([each.generation for each in listed], [first, second])
    assert listed[0].time_deleted and not listed[1].time_deleted
    same(bucket.blob("x", generation=first).download_as_bytes(), b"one")
    bucket.delete_blob("x")
    same((bucket.get_blob("x"), list(client.list_blobs(bucket))), (None, []))
    same(bucket.get_blob("x", generation=second).size, 3)
    bucket.copy_blob(bucket.blob("x"), bucket, "x", source_generation=first)
    same(bucket.blob("x").download_as_bytes(), b"one")
    third = bucket.get_blob("x").generation
    for generation in (second, third):
        bucket.delete_blob("x", generation=generation)
    same(bucket.get_blob("x"), None)
    same([each.generation for each in client.list_blobs(bucket, versions=True)], [first])
    bucket.delete_blob("x", generation=first)
    bucket.delete()


def access():
    """Access lists, policies, keys: kept as they were said."""
    bucket = client.create_bucket("access")
    blob = bucket.blob("x")
    blob.upload_from_string(b"1", predefined_acl="publicRead")
    blob.acl.reload()
    assert {"entity": "allUsers", "role": "READER"} in list(blob.acl), list(blob.acl)
    blob.acl.user("rose@example.com").grant_owner()
    blob.acl.save()
    again = bucket.get_blob("x")
    same(again.acl.user("rose@example.com").get_roles(), {"OWNER"})
    blob.make_private()
    assert "allUsers" not in [entry["entity"] for entry in bucket.get_blob("x").acl]
    bucket.default_object_acl.all().grant_read()
    bucket.default_object_acl.save()
    bucket.blob("y").upload_from_string(b"1")
    same(bucket.blob("y").acl.all().get_roles(), {"READER"})
    bucket.acl.group("gardeners@example.com").grant_write()
    bucket.acl.save()
    bucket.acl.reload()
    same(bucket.acl.group("gardeners@example.com").get_roles(), {"WRITER"})

    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"allUsers"}})
    policy.version = 3
    bucket.set_iam_policy(policy)
    roles = [binding["role"] for binding in bucket.get_iam_policy().bindings]
    assert "roles/storage.objectViewer" in roles, roles
    refused(exceptions.PreconditionFailed, bucket.set_iam_policy, policy)
    same(bucket.test_iam_permissions(["storage.objects.get"]), ["storage.objects.get"])

    key, secret = client.create_hmac_key("signer@demo.iam.gserviceaccount.com")
    same((len(secret), key.state), (40, "ACTIVE"))
    same([each.access_id for each in client.list_hmac_keys()], [key.access_id])
    key.state = "INACTIVE"
    key.update()
    key.delete()
    same(list(client.list_hmac_keys()), [])
    assert "@" in client.get_service_account_email()
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.patch()
    refused(exceptions.BadRequest, blob.acl.reload)


def buckets():
    """What is said of buckets and objects, and what holds them."""
    bucket = client.bucket("buckets")
    bucket.storage_class = "NEARLINE"
    bucket.labels = {"team": "flowers"}
    bucket.create(location="EU")
    bucket.cors = [{"origin": ["*"], "method": ["GET"], "maxAgeSeconds": 60}]
    bucket.add_lifecycle_delete_rule(age=30)
    bucket.configure_website("index.html", "404.html")
    bucket.default_event_based_hold = False
    bucket.patch()
    again = client.get_bucket("buckets")
    same((again.storage_class, again.labels, again.location), ("NEARLINE", {"team": "flowers"}, "EU"))
    same((again.cors[0]["maxAgeSeconds"], list(again.lifecycle_rules)[0]["condition"]), (60, {"age": 30}))
    same((again.metageneration, again.soft_delete_policy.retention_duration_seconds), (2, 0))
    bucket.labels = {}
    bucket.update()
    same(client.get_bucket("buckets").labels, {})
    refused(exceptions.PreconditionFailed, bucket.patch, if_metageneration_match=1)

    blob = bucket.blob("held")
    blob.upload_from_string(b"1")
    blob.temporary_hold = True
    blob.patch()
    refused(exceptions.Forbidden, blob.delete)
    blob.temporary_hold = False
    blob.patch()
    bucket.retention_period = 3600
    bucket.patch()
    blob.reload()
    assert blob.retention_expiration_time
    refused(exceptions.Forbidden, blob.delete)
    bucket.lock_retention_policy()
    bucket.retention_period = 60
    refused(exceptions.Forbidden, bucket.patch)
    names = [blob.name for blob in client.list_blobs(bucket, match_glob="h*d")]
    same((names, [blob.name for blob in client.list_blobs(bucket, match_glob="a*")]), (["held"], []))


def batches():
    """Many calls in one request; one that fails does not stop the others."""
    bucket = client.create_bucket("batches")
    for name in ("a", "b", "ü/c"):
        bucket.blob(name).upload_from_string(b"1")
    with client.batch():
        for name in ("a", "ü/c"):
            blob = bucket.blob(name)
            blob.metadata = {"note": name}
            blob.patch()
    same(bucket.get_blob("ü/c").metadata, {"note": "ü/c"})
    batch = client.batch(raise_exception=False)
    with batch:
        bucket.delete_blob("a")
        bucket.delete_blob("nothing")
        bucket.delete_blob("b")
    same([response.status_code for response in batch._responses], [204, 404, 204])
    same([blob.name for blob in client.list_blobs(bucket)], ["ü/c"])


def parts():
    """The transfer manager: an upload in parts through the XML API, a download in slices."""
    import os

    from google.cloud.storage import transfer_manager

    bucket = client.create_bucket("parts")
    body = os.urandom(3 * MIB + 17)
    with open("large.bin", "wb") as file:
        file.write(body)
    blob = bucket.blob("large é.bin")
    options = {"chunk_size": MIB, "worker_type": transfer_manager.THREAD, "max_workers": 3}
    transfer_manager.upload_chunks_concurrently("large.bin", blob, **options)
    same(blob.download_as_bytes() == body, True)
    transfer_manager.download_chunks_concurrently(bucket.get_blob(blob.name), "again.bin", **options)
    with open("again.bin", "rb") as file:
        same(file.read() == body, True)


def signed():
    """URLs and forms that a service account signed; the daemon is strict and knows its key."""
    import datetime
    import json

    import requests
    from google.oauth2 import service_account

    account = service_account.Credentials.from_service_account_file("key.json")
    with open("key.json") as file:
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives import serialization

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        forged = {**json.load(file), "private_key": key.private_bytes(*form).decode()}
    stranger = service_account.Credentials.from_service_account_info(forged)
    bucket = client.create_bucket("signed")
    blob = bucket.blob("in/é a.txt")
    hour = datetime.timedelta(hours=1)

    def url(method, credentials=account, expiration=hour, **more):
        named = {"version": "v4", "method": method, "credentials": credentials, **more}
        return blob.generate_signed_url(expiration=expiration, **named)

    put = requests.put(url("PUT", content_type="text/x"), data=b"red", headers={"Content-Type": "text/x"})
    same((put.status_code, bucket.get_blob(blob.name).content_type), (200, "text/x"), put.text)
    got = requests.get(url("GET", response_type="text/y"))
    same((got.content, got.headers["content-type"]), (b"red", "text/y"), got.text)
    same(requests.get(url("GET", version="v2")).content, b"red")
    same(requests.head(url("HEAD")).headers["x-goog-stored-content-length"], "3")
    for wrong, code in [
        (url("PUT"), "SignatureDoesNotMatch"),
        (url("GET", credentials=stranger), "SignatureDoesNotMatch"),
        (url("GET", credentials=stranger, version="v2"), "SignatureDoesNotMatch"),
        (url("GET").split("?")[0], "AccessDenied"),
        (url("GET").replace("Expires=3600", "Expires=9999999"), "InvalidArgument"),
    ]:
        answer = requests.get(wrong)
        assert f"<Code>{code}</Code>" in answer.text, f"{wrong}\n{code}\n{answer.text}"
    begun = requests.post(url("RESUMABLE"), headers={"x-goog-resumable": "start"})
    same(begun.status_code, 201, begun.text)
    same(requests.put(begun.headers["Location"], data=b"yellow").status_code, 200)
    same(blob.download_as_bytes(), b"yellow")
    same(requests.delete(url("DELETE")).status_code, 204)

    conditions = [["content-length-range", 1, 10], ["starts-with", "$key", "in/"]]
    fields = {"success_action_status": "201"}
    policy = client.generate_signed_post_policy_v4(
        "signed", "in/form.txt", hour, conditions=conditions, fields=fields, credentials=account
    )
    target = f"{client.api_endpoint}/signed/"
    sent = requests.post(target, data=policy["fields"], files={"file": b"blue"})
    same((sent.status_code, bucket.blob("in/form.txt").download_as_bytes()), (201, b"blue"), sent.text)
    too_long = requests.post(target, data=policy["fields"], files={"file": b"blue" * 9})
    assert "EntityTooLarge" in too_long.text, too_long.text
    changed = requests.post(target, data={**policy["fields"], "key": "out"}, files={"file": b"blue"})
    same(changed.status_code, 403, changed.text)


def retries():
    """Failures of Google's testbench: the client gets over each."""
    import requests

    bucket = client.create_bucket("retries")
    body = bytes(range(256)) * 4096
    bucket.blob("x").upload_from_string(body)

    def plan(operation, *instructions):
        answer = requests.post(f"{client.api_endpoint}/retry_test", json={"instructions": {operation: instructions}})
        same(answer.status_code, 200, answer.text)
        HEADERS["x-retry-test-id"] = answer.json()["id"]
        return answer.json()["id"]

    def over(id):
        HEADERS.clear()
        answer = requests.get(f"{client.api_endpoint}/retry_test/{id}").json()
        same(answer["completed"], True, answer)

    id = plan("storage.buckets.get", "return-503", "return-429", "return-reset-connection")
    same(client.get_bucket("retries").name, "retries")
    over(id)
    id = plan("storage.objects.get", "return-503", "return-broken-stream-after-512K")
    same(bucket.blob("x").download_as_bytes() == body, True)
    over(id)
    id = plan("storage.objects.insert", "return-503-after-256K")
    blob = bucket.blob("y", chunk_size=256 * 1024)
    blob.upload_from_file(io.BytesIO(body), if_generation_match=0)
    over(id)
    same(bucket.blob("y").download_as_bytes() == body, True)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
