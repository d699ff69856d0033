"""What is made before the daemon ends is there afterwards."""

import io
import json
import sys
import zipfile

import boto3

ROLE = "arn:aws:iam::000000000000:role/r"
CODE = "def handler(event, context):\n    return {'seen': len(event.get('Records', [])), 'v': '%s'}\n"

s3, sqs, functions = boto3.client("s3"), boto3.client("sqs"), boto3.client("lambda")


def package(version):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", CODE % version)
    return packed.getvalue()


def answer(**how):
    return json.loads(functions.invoke(FunctionName="kept", **how)["Payload"].read())


def before():
    made = functions.create_function(
        FunctionName="kept", Runtime="python3.12", Handler="app.handler", Role=ROLE,
        Code={"ZipFile": package("one")}, Tags={"team": "ml"}, Timeout=20, MemorySize=256,
        Environment={"Variables": {"WHERE": "here"}}, Publish=True,
    )
    functions.update_function_code(FunctionName="kept", ZipFile=package("two"))
    functions.put_function_concurrency(FunctionName="kept", ReservedConcurrentExecutions=7)
    url = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.tag_queue(QueueUrl=url, Tags={"a": "b"})
    functions.create_event_source_mapping(FunctionName="kept", EventSourceArn=arn, BatchSize=3, Enabled=False)
    s3.create_bucket(Bucket="uploads")
    s3.put_bucket_versioning(Bucket="uploads", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="uploads", Key="k", Body=b"one")
    s3.put_object(Bucket="uploads", Key="k", Body=b"two", Metadata={"who": "me"}, Tagging="x=y")
    s3.put_bucket_notification_configuration(
        Bucket="uploads",
        NotificationConfiguration={
            "LambdaFunctionConfigurations": [
                {"LambdaFunctionArn": made["FunctionArn"].rsplit(":", 1)[0] if made["FunctionArn"].endswith(":1")
                 else made["FunctionArn"], "Events": ["s3:ObjectCreated:*"]}
            ]
        },
    )


def after():
    assert answer() == {"seen": 0, "v": "two"}
    assert answer(Qualifier="1") == {"seen": 0, "v": "one"}
    shown = functions.get_function(FunctionName="kept")
    assert shown["Tags"] == {"team": "ml"}, shown
    assert shown["Concurrency"]["ReservedConcurrentExecutions"] == 7, shown
    said = shown["Configuration"]
    assert (said["Timeout"], said["MemorySize"]) == (20, 256), said
    assert said["Environment"]["Variables"]["WHERE"] == "here", said
    [mapping] = functions.list_event_source_mappings(FunctionName="kept")["EventSourceMappings"]
    assert (mapping["BatchSize"], mapping["State"]) == (3, "Disabled"), mapping
    url = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "b"}
    versions = s3.list_object_versions(Bucket="uploads", Prefix="k")["Versions"]
    assert [one["IsLatest"] for one in versions] == [True, False], versions
    newest = s3.get_object(Bucket="uploads", Key="k")
    assert (newest["Body"].read(), newest["Metadata"]) == (b"two", {"who": "me"})
    assert s3.get_object_tagging(Bucket="uploads", Key="k")["TagSet"] == [{"Key": "x", "Value": "y"}]
    told = s3.get_bucket_notification_configuration(Bucket="uploads")["LambdaFunctionConfigurations"]
    assert told[0]["Events"] == ["s3:ObjectCreated:*"], told
    s3.put_object(Bucket="uploads", Key="starts", Body=b"x")


{"before": before, "after": after}[sys.argv[1]]()
