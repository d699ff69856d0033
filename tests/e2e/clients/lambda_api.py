"""The Lambda API from boto3: functions from archives, their configuration, versions, limits, URLs and errors."""

import base64
import io
import json
import os
import socket
import threading
import urllib.error
import urllib.request
import zipfile
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from checks import matches, refused, run, same

client = boto3.client("lambda", config=Config(retries={"max_attempts": 0}, read_timeout=120))
ROLE = "arn:aws:iam::000000000000:role/anything"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"


def package(code, name="app.py"):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, code)
    return archive.getvalue()


def create(name, code, **more):
    arguments = {"Runtime": "python3.12", "Handler": "app.handler", "Role": ROLE, "Timeout": 30, **more}
    created = client.create_function(FunctionName=name, Code={"ZipFile": package(code)}, **arguments)
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return created


def call(name, event=None, **more):
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), **more)
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read() or b"null")


ONE = "def handler(event, context):\n    return 'one'\n"
TWO = "def handler(event, context):\n    return 'two'\n"
ECHO = """
import os
def handler(event, context):
    custom = context.client_context.custom if context.client_context else None
    return {"event": event, "arn": context.invoked_function_arn, "name": context.function_name,
            "memory": context.memory_limit_in_mb, "version": context.function_version,
            "left": context.get_remaining_time_in_millis(), "custom": custom, "greeting": os.environ.get("GREETING")}
"""


def life():
    """From create to delete."""
    created = create("life", ONE, Description="first", Environment={"Variables": {"GREETING": "hello"}},
                     Tags={"team": "ml"}, MemorySize=256)
    same(created["FunctionArn"], ARN + "life")
    same((created["Runtime"], created["MemorySize"], created["Version"]), ("python3.12", 256, "$LATEST"))
    same(call("life"), "one")

    updated = client.update_function_code(FunctionName="life", ZipFile=package(TWO))
    client.get_waiter("function_updated_v2").wait(FunctionName="life")
    assert updated["CodeSha256"] != created["CodeSha256"] and updated["RevisionId"] != created["RevisionId"]
    same(call("life"), "two")

    version = client.publish_version(FunctionName="life", Description="the second")
    same(version["Version"], "1")
    client.update_function_code(FunctionName="life", ZipFile=package(ECHO))
    same(call("life", Qualifier="1"), "two")
    context = base64_json({"custom": {"from": "test"}})
    answer = call("life", {"a": [1, "é"]}, ClientContext=context)
    left = answer.pop("left")
    assert 20_000 < left <= 30_000, left
    same(answer, {"event": {"a": [1, "é"]}, "arn": ARN + "life", "name": "life", "memory": "256",
                  "version": "$LATEST", "custom": {"from": "test"}, "greeting": "hello"})

    client.update_function_configuration(FunctionName="life", MemorySize=512, Environment={"Variables": {}})
    changed = call(ARN + "life")
    same((changed["memory"], changed["greeting"]), ("512", None))
    listed = client.list_versions_by_function(FunctionName="life")["Versions"]
    same([entry["Version"] for entry in listed], ["$LATEST", "1"])

    client.delete_function(FunctionName="life")
    refused("ResourceNotFoundException", 404, client.get_function, FunctionName="life")


def base64_json(document):
    return base64.b64encode(json.dumps(document).encode()).decode()


def reads():
    """Get, list, tags, policies, account."""
    for name in ("a", "b", "c"):
        create(name, ONE)
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    pages = [[function["FunctionName"] for function in page["Functions"]] for page in pages]
    same(sorted(sum(pages, [])), ["Declared", "a", "b", "c"])
    assert len(pages) == 2, pages

    found = client.get_function(FunctionName="a")
    same(found["Configuration"]["State"], "Active")
    same(found["Code"]["RepositoryType"], "S3")

    arn = found["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"team": "ml", "cost": "low"})
    client.untag_resource(Resource=arn, TagKeys=["cost"])
    same(client.list_tags(Resource=arn)["Tags"], {"team": "ml"})

    client.add_permission(FunctionName="a", StatementId="s3", Action="lambda:InvokeFunction",
                          Principal="s3.amazonaws.com", SourceArn="arn:aws:s3:::uploads")
    policy = json.loads(client.get_policy(FunctionName="a")["Policy"])
    same([statement["Sid"] for statement in policy["Statement"]], ["s3"])
    client.remove_permission(FunctionName="a", StatementId="s3")
    refused("ResourceNotFoundException", 404, client.get_policy, FunctionName="a")

    limit = client.get_account_settings()["AccountLimit"]
    same((limit["ConcurrentExecutions"], limit["CodeSizeZipped"]), (1000, 52428800))


def modes():
    """DryRun and Event; what they answer."""
    same(client.invoke(FunctionName="Declared", InvocationType="DryRun")["StatusCode"], 204)
    queued = client.invoke(FunctionName="Declared", InvocationType="Event", Payload=b'{"n": 1}')
    same((queued["StatusCode"], queued["Payload"].read()), (202, b""))


def concurrency():
    """Reserved concurrency: none, one, and no limit again."""
    client.put_function_concurrency(FunctionName="Declared", ReservedConcurrentExecutions=0)
    same(client.get_function_concurrency(FunctionName="Declared")["ReservedConcurrentExecutions"], 0)
    throttled()
    client.put_function_concurrency(FunctionName="Declared", ReservedConcurrentExecutions=1)
    same(call("Declared"), "declared")
    client.delete_function_concurrency(FunctionName="Declared")
    same(client.get_function_concurrency(FunctionName="Declared").get("ReservedConcurrentExecutions"), None)
    same(call("Declared"), "declared")


def throttled(name="Declared"):
    try:
        client.invoke(FunctionName=name)
    except client.exceptions.TooManyRequestsException as error:
        same(error.response["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded")
        same(error.response["ResponseMetadata"]["HTTPStatusCode"], 429)
        same(error.response["Error"]["Message"], "Rate Exceeded.")
    else:
        raise AssertionError("not throttled")


def one_at_a_time():
    """A second call while the first runs, which knocks when it has begun, and ends when it is let in."""
    create("slow", KNOCKS, Timeout=60)
    client.put_function_concurrency(FunctionName="slow", ReservedConcurrentExecutions=1)
    answers = []
    with socket.create_server(("127.0.0.1", 0)) as door:
        first = threading.Thread(target=lambda: answers.append(call("slow", door.getsockname())))
        first.start()
        guest, _ = door.accept()
        throttled("slow")
        guest.sendall(b"went")
        guest.close()
        first.join()
    same(answers, ["went"])


KNOCKS = """
import socket

def handler(event, context):
    with socket.create_connection(event) as door:
        return door.recv(16).decode()
"""


def urls():
    """A function URL, as its host and from curl's point of view."""
    create("web", WEB)
    made = client.create_function_url_config(FunctionName="web", AuthType="NONE")
    url = made["FunctionUrl"]
    same(client.get_function_url_config(FunctionName="web")["FunctionUrl"], url)
    answer = fetch(url + "some/path?a=1&a=2&b=%20", data=b"\x00\xff", headers={"Content-Type": "image/png", "X-Own": "yes"})
    same(answer[0], 201)
    same(answer[1]["X-Made-By"], "web")
    seen = json.loads(answer[2])
    same(seen["version"], "2.0")
    same(seen["rawPath"], "/some/path")
    same(seen["rawQueryString"], "a=1&a=2&b=%20")
    same(seen["queryStringParameters"], {"a": "1,2", "b": " "})
    same((seen["isBase64Encoded"], seen["body"]), (True, "AP8="))
    same(seen["headers"]["x-own"], "yes")
    same(seen["requestContext"]["http"]["method"], "POST")
    client.delete_function_url_config(FunctionName="web")
    refused("ResourceNotFoundException", 404, client.get_function_url_config, FunctionName="web")
    same(fetch(url)[0] in (403, 404), True)


WEB = """
import json
def handler(event, context):
    return {"statusCode": 201, "headers": {"X-Made-By": "web"}, "body": json.dumps(event)}
"""


def fetch(url, **more):
    """By the URL's own host name, whatever this machine's resolver makes of names under localhost."""
    parts = urlsplit(url)
    request = urllib.request.Request(url.replace(parts.hostname, "127.0.0.1"), **more)
    request.add_header("Host", parts.netloc)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def streams():
    """InvokeWithResponseStream: a whole answer, and an error."""
    def events(event):
        answer = client.invoke_with_response_stream(FunctionName="Declared", Payload=json.dumps(event), LogType="Tail")
        same(answer["StatusCode"], 200)
        return list(answer["EventStream"])

    whole = events({})
    same(b"".join(event["PayloadChunk"]["Payload"] for event in whole if "PayloadChunk" in event), b'"declared"')
    assert "InvokeComplete" in whole[-1], whole
    same(whole[-1]["InvokeComplete"].get("ErrorCode"), None)
    assert "LogResult" in whole[-1]["InvokeComplete"], whole
    failed = events({"raise": True})
    same(failed[-1]["InvokeComplete"]["ErrorCode"], "ValueError")


def errors():
    """What AWS refuses, in its words."""
    text = refused("ResourceNotFoundException", 404, client.invoke, FunctionName="nobody")
    same(text, f"Function not found: {ARN}nobody")
    text = refused("ResourceNotFoundException", 404, client.invoke, FunctionName="Declared", Qualifier="9")
    same(text, f"Function not found: {ARN}Declared:9")
    text = refused("InvalidRequestContentException", 400, client.invoke, FunctionName="Declared", Payload=b"{oops")
    assert text.startswith("Could not parse request body into json:"), text
    text = refused("RequestTooLargeException", 413, client.invoke, FunctionName="Declared",
                   Payload=b'"' + b"x" * (6 * 1024 * 1024) + b'"')
    assert "6291456" in text, text
    refused("RequestTooLargeException", 413, client.invoke, FunctionName="Declared", InvocationType="Event",
            Payload=b'"' + b"x" * (1024 * 1024) + b'"')
    code = {"ZipFile": package(ONE)}
    base = {"FunctionName": "new", "Runtime": "python3.12", "Handler": "app.handler", "Role": ROLE, "Code": code}
    text = refused("InvalidParameterValueException", 400, client.create_function,
                   **{**base, "Environment": {"Variables": {"AWS_REGION": "x"}}})
    assert "AWS_REGION" in text and "reserved" in text, text
    text = refused("InvalidParameterValueException", 400, client.create_function,
                   **{**base, "Environment": {"Variables": {"BIG": "x" * 5000}}})
    assert "4KB" in text or "4 KB" in text, text
    careless = boto3.client("lambda", config=Config(parameter_validation=False))
    text = refused("ValidationException", 400, careless.create_function, **{**base, "MemorySize": 127})
    assert text.startswith("1 validation error detected: Value '127' at 'memorySize'"), text
    refused("ResourceConflictException", 409, client.create_function, **{**base, "FunctionName": "Declared"})
    refused("InvalidParameterValueException", 400, client.create_function, **{**base, "Runtime": "cobol85"})
    refused("InvalidParameterValueException", 400, client.create_function, **{**base, "Code": {"ZipFile": b"no zip"}})
    refused("NotImplementedException", 501, client.list_layers)
    same([f["FunctionName"] for f in client.list_functions()["Functions"]], ["Declared"])


def archives():
    """Hostile archives leave nothing outside."""
    base = {"FunctionName": "hostile", "Runtime": "python3.12", "Handler": "app.handler", "Role": ROLE}
    for name in ("../../escaped.py", "/tmp/mlemu-escaped.py", "a/../../escaped.py"):
        refused("InvalidParameterValueException", 400, client.create_function,
                **{**base, "Code": {"ZipFile": package(ONE, name)}})
        assert not os.path.exists("/tmp/mlemu-escaped.py")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(270_000_000))
    text = refused("InvalidParameterValueException", 400, client.create_function,
                   **{**base, "Code": {"ZipFile": bomb.getvalue()}})
    same(text, "Unzipped size must be smaller than 262144000 bytes")


def other_sources():
    """Code from a bucket, and a folder that stays where it is."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="one.zip", Body=package(ONE))
    base = {"Runtime": "python3.12", "Handler": "app.handler", "Role": ROLE}
    client.create_function(FunctionName="from-s3", Code={"S3Bucket": "code", "S3Key": "one.zip"}, **base)
    same(call("from-s3"), "one")
    text = refused("InvalidParameterValueException", 400, client.create_function, FunctionName="none",
                   Code={"S3Bucket": "code", "S3Key": "none.zip"}, **base)
    assert "NoSuchKey" in text, text
    s3.put_bucket_versioning(Bucket="code", VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket="code", Key="v.zip", Body=package(code))["VersionId"] for code in (ONE, TWO)]
    for version, said in zip(versions, ("one", "two")):
        code = {"S3Bucket": "code", "S3Key": "v.zip", "S3ObjectVersion": version}
        client.create_function(FunctionName=f"version-{said}", Code=code, **base)
        same(call(f"version-{said}"), said)
    text = refused("InvalidParameterValueException", 400, client.create_function, FunctionName="none",
                   Code={"S3Bucket": "code", "S3Key": "v.zip", "S3ObjectVersion": "nonsense"}, **base)
    assert "NoSuchVersion" in text, text
    # A model of 60 MB does not fit into a request, and does by way of a bucket.
    large = io.BytesIO(package(ONE))
    with zipfile.ZipFile(large, "a", zipfile.ZIP_STORED) as file:
        file.writestr("model.bin", os.urandom(60_000_000))
    s3.put_object(Bucket="code", Key="large.zip", Body=large.getvalue())
    client.create_function(FunctionName="large", Code={"S3Bucket": "code", "S3Key": "large.zip"}, **base)
    same(call("large"), "one")
    folder = os.path.join(os.getcwd(), "hot")
    client.create_function(FunctionName="hot", Code={"S3Bucket": "hot-reload", "S3Key": folder}, **base)
    same(call("hot"), "cold")


def cannot_run():
    """A runtime that Lambda has and mlemu has not: the function says so before it is called."""
    base = {"Role": ROLE, "Handler": "app::handler", "Code": {"ZipFile": package(ONE)}}
    client.create_function(FunctionName="java", Runtime="java21", **base)
    told = client.get_function_configuration(FunctionName="java")
    same((told["State"], told["StateReasonCode"]), ("Failed", "InvalidRuntime"))
    assert "java21" in told["StateReason"] and "bootstrap" in told["StateReason"], told["StateReason"]


def account():
    """What tools ask before they create a function."""
    same(boto3.client("sts").get_caller_identity()["Account"], "000000000000")
    iam = boto3.client("iam")
    role = iam.create_role(RoleName="made", AssumeRolePolicyDocument="{}")["Role"]
    matches(r"arn:aws:iam::000000000000:role/made", role["Arn"])
    same(iam.get_role(RoleName="made")["Role"]["Arn"], role["Arn"])


run({
    "life": life,
    "reads": reads,
    "modes": modes,
    "concurrency": concurrency,
    "one at a time": one_at_a_time,
    "urls": urls,
    "streams": streams,
    "errors": errors,
    "archives": archives,
    "other sources": other_sources,
    "cannot run": cannot_run,
    "account": account,
})
