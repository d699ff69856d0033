"""The S3 API from boto3: objects of every size, in every way that its users know."""

import base64
import datetime
import hashlib
import io
import json
import os
import urllib.error
import urllib.request
import uuid

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from checks import refused, run, same, settled

s3 = boto3.client("s3", config=Config(retries={"max_attempts": 0}, read_timeout=60))
MIB = 1024 * 1024
KEYS = ("plain.txt", "with space+plus/é ü.txt", "../../escape", "a//b", "trailing/", "%2e%2e/x", "naïve&<>'\".bin", "🌼")


def objects():
    """Put, get, head, list, copy, delete, with keys of every kind."""
    s3.create_bucket(Bucket="objects")
    assert "objects" in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    for key in KEYS:
        body = key.encode() * 3
        put = s3.put_object(Bucket="objects", Key=key, Body=body, ContentType="text/x-own", Metadata={"note": "n"})
        same(put["ETag"], f'"{hashlib.md5(body).hexdigest()}"', key)
        got = s3.get_object(Bucket="objects", Key=key)
        same(got["Body"].read(), body, key)
        same((got["ContentType"], got["Metadata"], got["ContentLength"]), ("text/x-own", {"note": "n"}, len(body)))
    listed = s3.list_objects_v2(Bucket="objects")["Contents"]
    same([entry["Key"] for entry in listed], sorted(KEYS, key=lambda key: key.encode()))

    got = s3.get_object(Bucket="objects", Key="plain.txt", Range="bytes=2-4")
    same((got["ResponseMetadata"]["HTTPStatusCode"], got["Body"].read()), (206, b"ain"))
    s3.copy_object(Bucket="objects", Key="copied", CopySource={"Bucket": "objects", "Key": KEYS[1]})
    same(s3.get_object(Bucket="objects", Key="copied")["Body"].read(), KEYS[1].encode() * 3)
    folders = s3.list_objects_v2(Bucket="objects", Delimiter="/")["CommonPrefixes"]
    same([folder["Prefix"] for folder in folders], ["%2e%2e/", "../", "a/", "trailing/", "with space+plus/"])

    same(s3.delete_object(Bucket="objects", Key="copied")["ResponseMetadata"]["HTTPStatusCode"], 204)
    refused("404", 404, s3.head_object, Bucket="objects", Key="copied")
    refused("NoSuchKey", 404, s3.get_object, Bucket="objects", Key="copied")
    refused("NoSuchBucket", 404, s3.get_object, Bucket="none-such", Key="x")
    refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket="objects")
    gone = s3.delete_objects(Bucket="objects", Delete={"Objects": [{"Key": key} for key in KEYS]})
    same(sorted(entry["Key"] for entry in gone["Deleted"]), sorted(KEYS))
    s3.delete_bucket(Bucket="objects")


def pages():
    """Listings longer than a page, forwards only."""
    s3.create_bucket(Bucket="pages")
    keys = [f"{number:04}" for number in range(250)]
    for key in keys:
        s3.put_object(Bucket="pages", Key=key, Body=b"")
    found = s3.get_paginator("list_objects_v2").paginate(Bucket="pages", PaginationConfig={"PageSize": 100})
    found = [[entry["Key"] for entry in page["Contents"]] for page in found]
    same(([len(page) for page in found], sum(found, [])), ([100, 100, 50], keys))


def large():
    """20 MB in parts, up and down, and an upload that is given up."""
    s3.create_bucket(Bucket="large")
    data = os.urandom(20 * MIB)
    parts = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    with open("large.bin", "wb") as file:
        file.write(data)
    s3.upload_file("large.bin", "large", "twenty", Config=parts)
    head = s3.head_object(Bucket="large", Key="twenty")
    digests = b"".join(hashlib.md5(data[at:at + 5 * MIB]).digest() for at in range(0, len(data), 5 * MIB))
    same((head["ContentLength"], head["ETag"]), (len(data), f'"{hashlib.md5(digests).hexdigest()}-4"'))
    back = io.BytesIO()
    s3.download_fileobj("large", "twenty", back, Config=parts)
    same(back.getvalue() == data, True)

    upload = s3.create_multipart_upload(Bucket="large", Key="never")["UploadId"]
    s3.upload_part(Bucket="large", Key="never", UploadId=upload, PartNumber=1, Body=b"x")
    same([u["UploadId"] for u in s3.list_multipart_uploads(Bucket="large")["Uploads"]], [upload])
    s3.abort_multipart_upload(Bucket="large", Key="never", UploadId=upload)
    refused("NoSuchUpload", 404, s3.list_parts, Bucket="large", Key="never", UploadId=upload)


def presigned():
    """Links and forms that need no SDK."""
    s3.create_bucket(Bucket="links")
    url = s3.generate_presigned_url("put_object", {"Bucket": "links", "Key": "a b+c.txt"})
    same(fetch(url, data=b"by link", method="PUT")[0], 200)
    url = s3.generate_presigned_url("get_object", {"Bucket": "links", "Key": "a b+c.txt",
                                                   "ResponseContentType": "text/own"})
    status, headers, body = fetch(url)
    same((status, headers["Content-Type"], body), (200, "text/own", b"by link"))
    expired = s3.generate_presigned_url("get_object", {"Bucket": "links", "Key": "a b+c.txt"}, ExpiresIn=-10)
    status, _, body = fetch(expired)
    same(status, 403, body)

    conditions = [{"success_action_status": "201"}, ["content-length-range", 1, 10], ["starts-with", "$Content-Type", "text/"]]
    form = s3.generate_presigned_post("links", "forms/${filename}", Conditions=conditions,
                                      Fields={"success_action_status": "201"})
    same(post(form, b"by form", {"Content-Type": "text/plain"})[0], 201)
    same(s3.get_object(Bucket="links", Key="forms/photo.txt")["Body"].read(), b"by form")
    for body, fields in ((b"far too long a file", {"Content-Type": "text/plain"}), (b"x", {"Content-Type": "image/png"})):
        status, _, answer = post(form, body, fields)
        same(status in (400, 403), True, answer)


def fetch(url, **more):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **more)) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def post(form, file, fields):
    boundary = uuid.uuid4().hex
    lines = []
    for name, value in {**form["fields"], **fields}.items():
        lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", value]
    lines += [f"--{boundary}", 'Content-Disposition: form-data; name="file"; filename="photo.txt"', "", ""]
    body = "\r\n".join(lines).encode() + file + f"\r\n--{boundary}--\r\n".encode()
    return fetch(form["url"], data=body, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})


# The checksums of no bytes that boto3 does not compute without more libraries.
OF_NOTHING = {
    "CRC32C": "AAAAAA==",
    "CRC64NVME": "AAAAAAAAAAA=",
    "MD5": "1B2M2Y8AsgTpgAmY7PhCfg==",
    "SHA512": base64.b64encode(hashlib.sha512(b"").digest()).decode(),
    "XXHASH64": "70bbN1HY6Zk=",
    "XXHASH3": "LQaABTjTlMI=",
    "XXHASH128": "maoG0wFHmNhgAcMkRo1Jfw==",
}


def checksums():
    """Every checksum that today's SDKs send is checked, kept and told."""
    s3.create_bucket(Bucket="sums")
    for name in ("CRC32", "SHA1", "SHA256"):
        put = s3.put_object(Bucket="sums", Key=name, Body=b"summed", ChecksumAlgorithm=name)
        head = s3.head_object(Bucket="sums", Key=name, ChecksumMode="ENABLED")
        same(head[f"Checksum{name}"], put[f"Checksum{name}"])
    same(base64.b64decode(head["ChecksumSHA256"]), hashlib.sha256(b"summed").digest())
    for name, value in OF_NOTHING.items():
        put = s3.put_object(Bucket="sums", Key=name, Body=b"", **{f"Checksum{name}": value})
        same(put[f"Checksum{name}"], value)
        refused("BadDigest", 400, s3.put_object, Bucket="sums", Key=name, Body=b"x", **{f"Checksum{name}": value})
    joined("CRC32", "FULL_OBJECT")
    joined("SHA1", "COMPOSITE")
    joined("SHA256", "COMPOSITE")
    refused("BadDigest", 400, s3.put_object, Bucket="sums", Key="bad", Body=b"summed",
            ChecksumSHA256=base64.b64encode(hashlib.sha256(b"other").digest()).decode())
    refused("BadDigest", 400, s3.put_object, Bucket="sums", Key="bad", Body=b"summed",
            ContentMD5=base64.b64encode(hashlib.md5(b"other").digest()).decode())
    refused("404", 404, s3.head_object, Bucket="sums", Key="bad")
    streamed = s3.put_object(Bucket="sums", Key="streamed", Body=Unseekable(b"in chunks " * 100_000))
    same(s3.get_object(Bucket="sums", Key="streamed")["Body"].read(), b"in chunks " * 100_000, streamed)


def joined(algorithm, kind):
    """An upload in parts whose checksum is that of the bytes, or of the parts' checksums."""
    named = {"Bucket": "sums", "Key": "joined"}
    upload = s3.create_multipart_upload(**named, ChecksumAlgorithm=algorithm, ChecksumType=kind)["UploadId"]
    parts = []
    for number, body in ((1, b"a" * 5 * MIB), (2, b"the rest")):
        part = s3.upload_part(**named, UploadId=upload, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": part["ETag"], f"Checksum{algorithm}": part[f"Checksum{algorithm}"]})
    listed = s3.list_parts(**named, UploadId=upload)
    same((listed["ChecksumType"], len(listed["Parts"])), (kind, 2))
    done = s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})
    same((done["ChecksumType"], done[f"Checksum{algorithm}"].endswith("-2")), (kind, kind == "COMPOSITE"))
    told = s3.get_object_attributes(**named, ObjectAttributes=["Checksum", "ObjectParts", "ObjectSize"])
    same((told["ObjectSize"], told["ObjectParts"]["TotalPartsCount"]), (5 * MIB + 8, 2))
    same(told["Checksum"][f"Checksum{algorithm}"], done[f"Checksum{algorithm}"].removesuffix("-2"))


class Unseekable(io.BytesIO):
    """Makes boto3 send the checksum behind the body, in aws-chunked form."""


def conditions():
    """If-None-Match writes once; If-Match reads what is known."""
    s3.create_bucket(Bucket="once")
    etag = s3.put_object(Bucket="once", Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", 412, s3.put_object, Bucket="once", Key="k", Body=b"2", IfNoneMatch="*")
    refused("304", 304, s3.get_object, Bucket="once", Key="k", IfNoneMatch=etag)
    refused("PreconditionFailed", 412, s3.get_object, Bucket="once", Key="k", IfMatch='"other"')


def versions():
    """What is replaced and removed can be had back."""
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    ids = [s3.put_object(Bucket="kept", Key="k", Body=body)["VersionId"] for body in (b"1", b"2")]
    marker = s3.delete_object(Bucket="kept", Key="k")
    same(marker["DeleteMarker"], True)
    refused("NoSuchKey", 404, s3.get_object, Bucket="kept", Key="k")
    same([s3.get_object(Bucket="kept", Key="k", VersionId=id)["Body"].read() for id in ids], [b"1", b"2"])
    listed = s3.list_object_versions(Bucket="kept")
    same([version["VersionId"] for version in listed["Versions"]], ids[::-1])
    same([entry["VersionId"] for entry in listed["DeleteMarkers"]], [marker["VersionId"]])
    s3.copy_object(Bucket="kept", Key="k", CopySource={"Bucket": "kept", "Key": "k", "VersionId": ids[0]})
    same(s3.get_object(Bucket="kept", Key="k")["Body"].read(), b"1")
    every = s3.list_object_versions(Bucket="kept")
    every = every["Versions"] + every["DeleteMarkers"]
    gone = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in every]
    same(len(s3.delete_objects(Bucket="kept", Delete={"Objects": gone})["Deleted"]), 4)
    s3.delete_bucket(Bucket="kept")


def locks():
    """A version that is retained stays until governance is passed over."""
    s3.create_bucket(Bucket="vault", ObjectLockEnabledForBucket=True)
    until = datetime.datetime(2999, 1, 1, tzinfo=datetime.timezone.utc)
    version = s3.put_object(Bucket="vault", Key="k", Body=b"", ObjectLockMode="GOVERNANCE",
                            ObjectLockRetainUntilDate=until)["VersionId"]
    named = {"Bucket": "vault", "Key": "k", "VersionId": version}
    same(s3.get_object_retention(**named)["Retention"], {"Mode": "GOVERNANCE", "RetainUntilDate": until})
    refused("AccessDenied", 403, s3.delete_object, **named)
    s3.delete_object(**named, BypassGovernanceRetention=True)


def configurations():
    """Configurations of a bucket come back as they were put."""
    s3.create_bucket(Bucket="told")
    cors = [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["http://localhost:3000"], "AllowedHeaders": ["*"],
             "MaxAgeSeconds": 60}]
    s3.put_bucket_cors(Bucket="told", CORSConfiguration={"CORSRules": cors})
    same(s3.get_bucket_cors(Bucket="told")["CORSRules"], cors)
    rules = [{"ID": "tidy", "Filter": {"Prefix": "tmp/"}, "Status": "Enabled", "Expiration": {"Days": 1}}]
    s3.put_bucket_lifecycle_configuration(Bucket="told", LifecycleConfiguration={"Rules": rules})
    same(s3.get_bucket_lifecycle_configuration(Bucket="told")["Rules"], rules)
    tags = [{"Key": "team", "Value": "ml & co"}]
    s3.put_bucket_tagging(Bucket="told", Tagging={"TagSet": tags})
    same(s3.get_bucket_tagging(Bucket="told")["TagSet"], tags)
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    s3.put_public_access_block(Bucket="told", PublicAccessBlockConfiguration=block)
    same(s3.get_public_access_block(Bucket="told")["PublicAccessBlockConfiguration"], block)
    refused("AccessDenied", 403, s3.put_bucket_acl, Bucket="told", ACL="public-read")
    refused("MalformedPolicy", 400, s3.put_bucket_policy, Bucket="told", Policy="{}")
    s3.delete_bucket_cors(Bucket="told")
    refused("NoSuchCORSConfiguration", 404, s3.get_bucket_cors, Bucket="told")


def told():
    """Everything that happens to an object, told to a queue."""
    sqs = boto3.client("sqs")
    queue = sqs.create_queue(QueueName="happened")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.create_bucket(Bucket="events")
    s3.put_bucket_versioning(Bucket="events", VersioningConfiguration={"Status": "Enabled"})
    names = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*", "s3:ObjectAcl:Put"]
    s3.put_bucket_notification_configuration(
        Bucket="events",
        NotificationConfiguration={"QueueConfigurations": [{"Id": "q", "QueueArn": arn, "Events": names}]})
    test = received(sqs, queue, 1)[0]
    same((test["Event"], test["Bucket"]), ("s3:TestEvent", "events"))

    key = {"Bucket": "events", "Key": "a b+c=é(1):🌼.csv"}
    version = s3.put_object(**key, Body=b"1")["VersionId"]
    s3.copy_object(**key, CopySource=key, MetadataDirective="REPLACE")
    same(post(s3.generate_presigned_post(**key), b"2", {})[0], 204)
    upload = s3.create_multipart_upload(**key)["UploadId"]
    part = s3.upload_part(**key, UploadId=upload, PartNumber=1, Body=b"3")
    s3.complete_multipart_upload(
        **key, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    s3.put_object_tagging(**key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object_tagging(**key)
    s3.put_object_acl(**key, ACL="private")
    s3.delete_object(**key)
    s3.delete_object(**key, VersionId=version)
    records = [message["Records"][0] for message in received(sqs, queue, 9)]
    records.sort(key=lambda record: record["s3"]["object"]["sequencer"])
    same([record["eventName"] for record in records],
         ["ObjectCreated:Put", "ObjectCreated:Copy", "ObjectCreated:Post", "ObjectCreated:CompleteMultipartUpload",
          "ObjectTagging:Put", "ObjectTagging:Delete", "ObjectAcl:Put", "ObjectRemoved:DeleteMarkerCreated",
          "ObjectRemoved:Delete"])
    same({record["s3"]["object"]["key"] for record in records}, {"a+b%2Bc%3D%C3%A9%281%29%3A%F0%9F%8C%BC.csv"})
    same([records[at]["s3"]["object"]["versionId"] for at in (0, -1)], [version, version])


def received(sqs, queue, count):
    """What there is in the queue once everything has been told, which is so many messages."""
    settled()
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    same(len(messages), count)
    return [json.loads(message["Body"]) for message in messages]


def tells():
    """Uploads with difficult keys, and one that no filter lets through."""
    for key in ("in/a b+c é.csv", "in/x.txt", "out/a.csv"):
        s3.put_object(Bucket="uploads", Key=key, Body=b"1,2\n", ContentType="text/csv")
    url = s3.generate_presigned_url("put_object", {"Bucket": "uploads", "Key": "in/by link.csv"})
    same(fetch(url, data=b"3", method="PUT")[0], 200)


def configures():
    """A notification by API, as scripts make it."""
    s3.create_bucket(Bucket="later")
    functions = boto3.client("lambda")
    arn = functions.get_function_configuration(FunctionName="Seen")["FunctionArn"]
    entry = {"Id": "mine", "LambdaFunctionArn": arn, "Events": ["s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="later", NotificationConfiguration={"LambdaFunctionConfigurations": [entry]})
    told = s3.get_bucket_notification_configuration(Bucket="later")["LambdaFunctionConfigurations"]
    same(told, [entry])
    s3.put_object(Bucket="later", Key="gone", Body=b"")
    s3.delete_object(Bucket="later", Key="gone")


run({
    "objects": objects,
    "pages": pages,
    "large": large,
    "presigned": presigned,
    "checksums": checksums,
    "conditions": conditions,
    "versions": versions,
    "locks": locks,
    "configurations": configurations,
    "told": told,
    "tells": tells,
    "configures": configures,
})
