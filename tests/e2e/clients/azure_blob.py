"""Blob Storage from its own client library for Python."""

import datetime
import hashlib
import io
import os
import sys
import urllib.request
import uuid

from azure.core import MatchConditions
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import (
    AccessPolicy,
    AccountSasPermissions,
    BlobBlock,
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    BlobType,
    ContainerClient,
    ContainerSasPermissions,
    ContentSettings,
    CorsRule,
    ResourceTypes,
    StandardBlobTier,
    UserDelegationKey,
    generate_account_sas,
    generate_blob_sas,
    generate_container_sas,
)

CONNECTION = os.environ["AZURE_STORAGE_CONNECTION_STRING"]
PARTS = dict(pair.split("=", 1) for pair in CONNECTION.strip(";").split(";"))
ACCOUNT, KEY, URL = PARTS["AccountName"], PARTS["AccountKey"], PARTS["BlobEndpoint"]
service = BlobServiceClient.from_connection_string(CONNECTION)


def raises(code, act):
    try:
        act()
    except HttpResponseError as error:
        assert error.error_code == code, (error.error_code, code)
        return error
    raise AssertionError(f"{code} was expected")


def soon():
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)


def rss():
    """Memory of the daemon in MB."""
    with open(f"/proc/{os.environ['MLEMU_PID']}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def containers():
    pics = service.create_container("pics", metadata={"owner": "me"})
    raises("ContainerAlreadyExists", lambda: service.create_container("pics"))
    raises("InvalidResourceName", lambda: service.create_container("No_Name"))
    properties = pics.get_container_properties()
    assert properties.metadata == {"owner": "me"} and properties.lease.state == "available"
    etag = properties.etag
    pics.set_container_metadata({"owner": "you"})
    assert pics.get_container_properties().etag != etag
    for number in range(5):
        service.create_container(f"more-{number}")
    pages = list(service.list_containers(name_starts_with="more-", results_per_page=2).by_page())
    assert [len(list(page)) for page in pages] == [2, 2, 1]
    (shown,) = service.list_containers(name_starts_with="pics", include_metadata=True)
    assert (shown.name, shown.metadata) == ("pics", {"owner": "you"})
    lease = pics.acquire_lease(15)
    raises("LeaseIdMissing", pics.delete_container)
    pics.delete_container(lease=lease)
    raises("ContainerNotFound", pics.get_container_properties)
    raises("ContainerNotFound", lambda: pics.upload_blob("a", b"x"))
    service.set_service_properties(cors=[CorsRule(["*"], ["GET"])], target_version="2020-10-02")
    said = service.get_service_properties()
    assert said["cors"][0].allowed_origins == "*" and said["target_version"] == "2020-10-02", said
    assert service.get_account_information()["account_kind"] == "StorageV2"


def blobs():
    container = service.create_container("pics")
    blob = container.get_blob_client("a b/ü+%.txt")
    settings = ContentSettings(content_type="text/plain", cache_control="no-cache", content_language="de")
    made = blob.upload_blob("süß", content_settings=settings, metadata={"kind": "rose"}, tags={"colour": "red"})
    assert bytes(made["content_md5"]) == hashlib.md5("süß".encode()).digest()
    properties = blob.get_blob_properties()
    assert (properties.size, properties.metadata, properties.blob_type) == (5, {"kind": "rose"}, BlobType.BLOCKBLOB)
    assert properties.content_settings.content_type == "text/plain" and properties.tag_count == 1
    assert properties.blob_tier == "Hot" and properties.blob_tier_inferred
    assert blob.download_blob(encoding="utf-8").readall() == "süß"
    assert blob.download_blob(offset=1, length=2).readall() == "ü".encode()
    raises("BlobAlreadyExists", lambda: blob.upload_blob(b"again"))
    before = properties.etag
    blob.set_blob_metadata({"kind": "tulip"})
    blob.set_http_headers(ContentSettings(content_type="text/html"))
    after = blob.get_blob_properties()
    assert after.etag != before and after.metadata == {"kind": "tulip"}
    assert after.content_settings.content_type == "text/html" and after.content_settings.cache_control is None
    blob.set_standard_blob_tier(StandardBlobTier.COOL)
    assert blob.get_blob_properties().blob_tier == "Cool"
    blob.set_blob_tags({"colour": "blue", "year": "2026"})
    assert blob.get_blob_tags() == {"colour": "blue", "year": "2026"}
    (found,) = service.find_blobs_by_tags("\"colour\"='blue' and \"year\">'2000'")
    assert (found.name, found.container_name) == ("a b/ü+%.txt", "pics")
    raises("ConditionNotMet", lambda: blob.delete_blob(if_tags_match_condition="\"colour\"='red'"))
    empty = container.upload_blob("empty", b"")
    assert empty.download_blob().readall() == b""
    container.delete_blob("empty")
    raises("BlobNotFound", lambda: empty.download_blob())
    assert not empty.exists() and blob.exists()
    raises("BlobNotFound", lambda: empty.delete_blob())
    archived = container.upload_blob("cold", b"ice", standard_blob_tier=StandardBlobTier.ARCHIVE)
    raises("BlobArchived", lambda: archived.download_blob().readall())


def blocks():
    container = service.create_container("pics")
    blob = container.get_blob_client("blocks")
    for name, data in [("aaa", b"one"), ("bbb", b"two"), ("ccc", b"three")]:
        blob.stage_block(name, data)
    committed, waiting = blob.get_block_list("all")
    assert (committed, [block.size for block in waiting]) == ([], [3, 3, 5])
    assert [one.name for one in container.list_blobs(include=["uncommittedblobs"])] == ["blocks"]
    assert list(container.list_blobs()) == []
    raises("BlobNotFound", lambda: blob.download_blob())
    raises("InvalidBlobOrBlock", lambda: blob.stage_block("longer", b"x"))
    raises("InvalidBlockList", lambda: blob.commit_block_list([BlobBlock("zzz")]))
    blob.commit_block_list([BlobBlock("ccc"), BlobBlock("aaa"), BlobBlock("ccc")], metadata={"a": "b"})
    assert blob.download_blob().readall() == b"threeonethree"
    committed, waiting = blob.get_block_list("all")
    assert ([block.id for block in committed], waiting) == (["ccc", "aaa", "ccc"], [])
    blob.stage_block("ddd", b"four")
    blob.commit_block_list([BlobBlock("aaa"), BlobBlock("ddd")])
    assert blob.download_blob().readall() == b"onefour"
    blob.commit_block_list([])
    assert blob.download_blob().readall() == b""
    raises("Md5Mismatch", lambda: blob.upload_blob(b"x", overwrite=True, headers={"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}))
    blob.upload_blob(os.urandom(5 << 20), overwrite=True, validate_content=True)


def appends():
    container = service.create_container("logs")
    log = container.get_blob_client("log")
    log.create_append_blob()
    for number in range(3):
        said = log.append_block(f"line {number}\n")
        assert (said["blob_append_offset"], said["blob_committed_block_count"]) == (str(number * 7), number + 1)
    assert log.download_blob().readall() == b"line 0\nline 1\nline 2\n"
    raises("AppendPositionConditionNotMet", lambda: log.append_block("x", appendpos_condition=5))
    raises("MaxBlobSizeConditionNotMet", lambda: log.append_block("x" * 9, maxsize_condition=25))
    raises("InvalidBlobType", lambda: log.stage_block("a", b"x"))
    log.seal_append_blob()
    raises("BlobIsSealed", lambda: log.append_block("x"))
    assert log.get_blob_properties().is_append_blob_sealed
    other = container.upload_blob("other", io.BytesIO(b"a" * 1000), blob_type=BlobType.APPENDBLOB)
    assert other.get_blob_properties().append_blob_committed_block_count == 1


def pages():
    container = service.create_container("disks")
    disk = container.get_blob_client("disk")
    disk.create_page_blob(1 << 30, sequence_number=7)
    disk.upload_page(b"a" * 512, offset=512, length=512)
    disk.upload_page(b"b" * 1024, offset=1 << 20, length=1024)
    assert disk.download_blob(offset=0, length=1024).readall() == b"\0" * 512 + b"a" * 512
    ranges = [(one.start, one.end) for one in disk.list_page_ranges()]
    assert ranges == [(512, 1023), (1 << 20, (1 << 20) + 1023)], ranges
    snapshot = disk.create_snapshot()
    disk.clear_page(offset=512, length=512)
    disk.upload_page(b"c" * 512, offset=4096, length=512)
    changed = [(one.start, one.end, one.cleared) for one in disk.list_page_ranges(previous_snapshot=snapshot)]
    assert sorted(changed) == [(512, 1023, True), (4096, 4607, False)], changed
    raises("InvalidPageRange", lambda: disk.upload_page(b"a" * 512, offset=1 << 30, length=512))
    raises("SequenceNumberConditionNotMet", lambda: disk.upload_page(b"a" * 512, 0, 512, if_sequence_number_lt=7))
    disk.set_sequence_number("increment")
    assert disk.get_blob_properties().page_blob_sequence_number == 8
    disk.resize_blob(1024)
    assert disk.download_blob().readall() == b"\0" * 1024
    assert disk.get_blob_properties().size == 1024


def leases():
    container = service.create_container("pics")
    blob = container.upload_blob("a", b"one")
    lease = blob.acquire_lease(15)
    raises("LeaseIdMissing", lambda: blob.upload_blob(b"two", overwrite=True))
    raises("LeaseIdMissing", lambda: blob.delete_blob())
    raises("LeaseAlreadyPresent", lambda: blob.acquire_lease(15))
    blob.upload_blob(b"two", overwrite=True, lease=lease)
    assert blob.get_blob_properties().lease.state == "leased", "it goes on over a new blob"
    lease.renew()
    lease.change(str(uuid.uuid4()))
    assert lease.break_lease(lease_break_period=0) == 0
    assert blob.get_blob_properties().lease.state == "broken"
    blob.upload_blob(b"three", overwrite=True)
    forever = blob.acquire_lease()
    assert blob.get_blob_properties().lease.duration == "infinite"
    forever.release()
    raises("LeaseNotPresentWithBlobOperation", lambda: blob.set_blob_metadata({}, lease=str(uuid.uuid4())))


def snapshots():
    container = service.create_container("pics")
    blob = container.upload_blob("a", b"one", metadata={"v": "1"})
    first = blob.create_snapshot()
    blob.upload_blob(b"two", overwrite=True)
    second = blob.create_snapshot(metadata={"v": "2"})
    blob.upload_blob(b"three", overwrite=True)
    old = container.get_blob_client("a", snapshot=first["snapshot"])
    assert old.download_blob().readall() == b"one" and old.get_blob_properties().metadata == {"v": "1"}
    listed = [(one.snapshot, one.size) for one in container.list_blobs(include=["snapshots"])]
    assert listed == [(first["snapshot"], 3), (second["snapshot"], 3), (None, 5)], listed
    raises("SnapshotsPresent", blob.delete_blob)
    container.get_blob_client("a", snapshot=second["snapshot"]).delete_blob()
    assert len(list(container.list_blobs(include=["snapshots"]))) == 2
    blob.delete_blob(delete_snapshots="only")
    assert len(list(container.list_blobs(include=["snapshots"]))) == 1
    blob.create_snapshot()
    blob.delete_blob(delete_snapshots="include")
    assert list(container.list_blobs(include=["snapshots"])) == []


def copies():
    container = service.create_container("pics")
    other = service.create_container("other")
    source = container.upload_blob("a/ä", b"bytes" * 1000, metadata={"v": "1"}, tags={"t": "1"})
    target = other.get_blob_client("copy")
    said = target.start_copy_from_url(source.url)
    assert said["copy_status"] == "success"
    properties = target.get_blob_properties()
    assert (properties.size, properties.metadata, properties.copy.id) == (5000, {"v": "1"}, said["copy_id"])
    assert target.download_blob().readall() == b"bytes" * 1000
    assert target.get_blob_tags() == {}
    raises("NoPendingCopyOperation", lambda: target.abort_copy(said["copy_id"]))
    raises("BlobNotFound", lambda: target.start_copy_from_url(container.get_blob_client("none").url))
    raises("CannotVerifyCopySource", lambda: target.start_copy_from_url("https://example.com/a"))
    token = generate_blob_sas(ACCOUNT, "pics", "a/ä", account_key=KEY, permission=BlobSasPermissions(read=True, tag=True), expiry=soon())
    sync = other.get_blob_client("sync")
    sync.start_copy_from_url(f"{source.url}?{token}", requires_sync=True, tags="COPY")
    assert sync.get_blob_tags() == {"t": "1"}
    sync.upload_blob_from_url(f"{source.url}?{token}", overwrite=True)
    assert sync.download_blob().readall() == b"bytes" * 1000
    sync.stage_block_from_url("aaa", f"{source.url}?{token}", source_offset=5, source_length=5)
    sync.commit_block_list([BlobBlock("aaa")])
    assert sync.download_blob().readall() == b"bytes"
    snapshot = source.create_snapshot()["snapshot"]
    source.upload_blob(b"new", overwrite=True)
    target.start_copy_from_url(f"{source.url}?snapshot={snapshot}")
    assert target.get_blob_properties().size == 5000


def batches():
    container = service.create_container("pics")
    for number in range(10):
        container.upload_blob(f"{number}", b"x")
    answers = list(container.delete_blobs("0", "1", "none", "2", raise_on_any_failure=False))
    assert [answer.status_code for answer in answers] == [202, 202, 404, 202], answers
    list(container.set_standard_blob_tier_blobs("Cool", "3", "4"))
    assert container.get_blob_client("4").get_blob_properties().blob_tier == "Cool"
    assert len(list(container.list_blobs())) == 7


def listing():
    container = service.create_container("pics")
    names = ["a/1", "a/2", "a/b/3", "b", "c/4", "ü", "x y&<z>"]
    for name in names:
        container.upload_blob(name, b"x", metadata={"n": "1"})
    assert [blob.name for blob in container.list_blobs()] == sorted(names)
    assert [blob.name for blob in container.list_blobs(name_starts_with="a/")] == ["a/1", "a/2", "a/b/3"]
    walked = [item.name for item in container.walk_blobs(delimiter="/")]
    assert sorted(walked) == ["a/", "b", "c/", "x y&<z>", "ü"], walked
    pages = [[blob.name for blob in page] for page in container.list_blobs(results_per_page=3).by_page()]
    assert [len(page) for page in pages] == [3, 3, 1] and sum(pages, []) == sorted(names)
    blob = next(iter(container.list_blobs(include=["metadata", "tags", "copy"])))
    assert blob.metadata == {"n": "1"} and blob.content_settings.content_md5
    assert list(container.list_blob_names())[0] == "a/1"
    raises("ContainerNotFound", lambda: list(service.get_container_client("none").list_blobs()))


def conditions():
    container = service.create_container("pics")
    blob = container.upload_blob("a", b"one")
    etag = blob.get_blob_properties().etag
    blob.upload_blob(b"two", overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified)
    stale = dict(etag=etag, match_condition=MatchConditions.IfNotModified)
    raises("ConditionNotMet", lambda: blob.upload_blob(b"x", overwrite=True, **stale))
    raises("ConditionNotMet", lambda: blob.download_blob(**stale))
    now = blob.get_blob_properties()
    error = raises("ConditionNotMet", lambda: blob.get_blob_properties(etag=now.etag, match_condition=MatchConditions.IfModified))
    assert error.status_code == 304
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    assert raises("ConditionNotMet", lambda: blob.get_blob_properties(if_modified_since=later)).status_code == 304
    assert raises("InvalidRange", lambda: blob.download_blob(offset=100, length=1).readall()).status_code == 416


def sas():
    container = service.create_container("pics")
    blob = container.upload_blob("a b", b"one")
    base = dict(account_key=KEY, expiry=soon())
    token = generate_blob_sas(ACCOUNT, "pics", "a b", permission=BlobSasPermissions(read=True), content_type="text/own", **base)
    reader = BlobClient.from_blob_url(f"{blob.url}?{token}")
    assert reader.download_blob().readall() == b"one"
    assert reader.get_blob_properties().content_settings.content_type == "text/own"
    raises("AuthorizationPermissionMismatch", lambda: reader.upload_blob(b"x", overwrite=True))
    creator = generate_container_sas(ACCOUNT, "pics", permission=ContainerSasPermissions(create=True), **base)
    fresh = BlobClient.from_blob_url(f"{container.url}/fresh?{creator}")
    fresh.upload_blob(b"x", overwrite=True)
    raises("UnauthorizedBlobOverwrite", lambda: fresh.upload_blob(b"y", overwrite=True))
    lister = generate_container_sas(ACCOUNT, "pics", permission="rl", **base)
    assert len(list(ContainerClient.from_container_url(f"{container.url}?{lister}").list_blobs())) == 2
    whole = generate_account_sas(ACCOUNT, KEY, ResourceTypes(service=True, container=True, object=True), AccountSasPermissions(read=True, list=True), soon())
    assert [one.name for one in BlobServiceClient(URL, credential=whole).list_containers()] == ["pics"]
    wrong = generate_account_sas(ACCOUNT, KEY, ResourceTypes(service=True), AccountSasPermissions(read=True), soon())
    raises("AuthorizationResourceTypeMismatch", lambda: BlobClient.from_blob_url(f"{blob.url}?{wrong}").download_blob())
    old = generate_blob_sas(ACCOUNT, "pics", "a b", account_key=KEY, permission="r", expiry=datetime.datetime(2020, 1, 1))
    raises("AuthenticationFailed", lambda: BlobClient.from_blob_url(f"{blob.url}?{old}").download_blob())
    forged = token.replace("sp=r", "sp=rw")
    raises("AuthenticationFailed", lambda: BlobClient.from_blob_url(f"{blob.url}?{forged}").download_blob())
    bad = BlobServiceClient(URL, credential=AzureNamedKeyCredential(ACCOUNT, "a" * 86 + "=="))
    raises("AuthenticationFailed", lambda: bad.get_container_client("pics").get_container_properties())
    container.set_container_access_policy({"readers": AccessPolicy(permission="r", expiry=soon())})
    stored = generate_blob_sas(ACCOUNT, "pics", "a b", account_key=KEY, policy_id="readers")
    assert BlobClient.from_blob_url(f"{blob.url}?{stored}").download_blob().readall() == b"one"
    container.set_container_access_policy({})
    raises("AuthenticationFailed", lambda: BlobClient.from_blob_url(f"{blob.url}?{stored}").download_blob())
    delegated()


def delegated():
    """A key for a user: the SDK wants TLS for a token, so the request for it is ours."""
    body = f"<KeyInfo><Start>2026-01-01T00:00:00Z</Start><Expiry>{soon():%Y-%m-%dT%H:%M:%SZ}</Expiry></KeyInfo>"
    request = urllib.request.Request(f"{URL}?restype=service&comp=userdelegationkey", body.encode(), method="POST")
    request.add_header("Authorization", "Bearer a.eyJvaWQiOiJtZSIsInRpZCI6InVzIiwiZXhwIjo0MDAwMDAwMDAwfQ.c")
    request.add_header("x-ms-version", "2026-10-06")
    text = urllib.request.urlopen(request).read().decode()
    part = lambda name: text.split(f"<{name}>")[1].split(f"</{name}>")[0]
    key = UserDelegationKey()
    for field, name in [("signed_oid", "SignedOid"), ("signed_tid", "SignedTid"), ("signed_start", "SignedStart"),
                        ("signed_expiry", "SignedExpiry"), ("signed_service", "SignedService"),
                        ("signed_version", "SignedVersion"), ("value", "Value")]:
        setattr(key, field, part(name))
    assert (key.signed_oid, key.signed_tid) == ("me", "us")
    token = generate_blob_sas(ACCOUNT, "pics", "a b", user_delegation_key=key, permission="r", expiry=soon())
    assert BlobClient.from_blob_url(f"{URL}/pics/a%20b?{token}").download_blob().readall() == b"one"
    key.value = KEY
    token = generate_blob_sas(ACCOUNT, "pics", "a b", user_delegation_key=key, permission="r", expiry=soon())
    raises("AuthenticationFailed", lambda: BlobClient.from_blob_url(f"{URL}/pics/a%20b?{token}").download_blob())


def public():
    """What is open to everybody where the daemon is strict."""
    container = service.create_container("pics")
    container.upload_blob("a", b"one")
    private = ContainerClient.from_container_url(f"{URL}/pics")
    assert raises("NoAuthenticationInformation", lambda: private.get_blob_client("a").download_blob()).status_code == 401
    container.set_container_access_policy({}, public_access="blob")
    assert private.get_blob_client("a").download_blob().readall() == b"one"
    raises("NoAuthenticationInformation", lambda: list(private.list_blobs()))
    container.set_container_access_policy({}, public_access="container")
    assert len(list(private.list_blobs())) == 1
    raises("NoAuthenticationInformation", lambda: private.upload_blob("b", b"x"))


def large():
    """Uploads and downloads of many megabytes go through the daemon, and do not stay in it."""
    container = service.create_container("models")
    block = os.urandom(1 << 20)
    container.upload_blob("warm", block * 8)
    before = rss()
    eight = block * 8
    blob = container.upload_blob("eight", eight)
    assert blob.download_blob().readall() == eight

    class Endless(io.RawIOBase):
        left = 300 << 20

        def readable(self):
            return True

        def readinto(self, buffer):
            count = min(len(buffer), self.left, len(block))
            buffer[:count] = block[:count]
            self.left -= count
            return count

    grown = 0
    model = container.upload_blob("model", io.BufferedReader(Endless(), 1 << 20), length=300 << 20, max_concurrency=2)
    grown = max(grown, rss() - before)
    digest, size = hashlib.md5(), 0
    for chunk in model.download_blob().chunks():
        digest.update(chunk)
        size += len(chunk)
        grown = max(grown, rss() - before)
    assert size == 300 << 20
    assert model.get_blob_properties().size == size
    assert grown < 64, f"the daemon grew by {grown:.0f} MB"


def feed():
    """Blobs that start functions."""
    container = service.get_container_client("uploads")
    if not container.exists():
        container.create_container()
    container.upload_blob("in/good.txt", b"good", metadata={"owner": "me"})
    container.upload_blob("in/bad.txt", b"bad")
    container.upload_blob("elsewhere.txt", b"none")


def result():
    assert service.get_blob_client("results", "good-out.txt").download_blob().readall() == b"GOOD labels"


globals()[sys.argv[1]]()
