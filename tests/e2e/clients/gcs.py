"""Cloud Storage from google-cloud-storage, with nothing but STORAGE_EMULATOR_HOST."""

import io
import sys

from google.api_core import exceptions
from google.cloud import storage

client = storage.Client()
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


if __name__ == "__main__":
    globals()[sys.argv[1]]()
