"""SageMaker Runtime with boto3 as it is installed: endpoints of models, functions, written replies and a server."""

import json
import shutil

import boto3
from botocore.config import Config
from checks import refused, run, same, settled

runtime = boto3.client("sagemaker-runtime", config=Config(retries={"max_attempts": 0}, read_timeout=120))


def invoke(endpoint, body, **more):
    answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)
    return answer, answer["Body"].read()


def predicts():
    answer, body = invoke("model", json.dumps({"row": [1, 2, 3]}), ContentType="application/json")
    same(json.loads(body), {"prediction": 6.0})
    same((answer["ContentType"], answer["InvokedProductionVariant"]), ("application/json", "AllTraffic"))
    same(json.loads(invoke("model", b"1,2,3\n4,5,6", ContentType="text/csv")[1]), {"predictions": [6.0, 15.0]})
    same(json.loads(invoke("own", b'{"row": [1, 2, 3]}')[1]), {"prediction": 6.0})
    answer, body = invoke("written", b"anything")
    same((body, answer["ContentType"]), (b"1,0.5", "text/csv"))
    same(json.loads(invoke("python", b'{"a": 1}')[1]), {"echo": {"a": 1}})
    same(json.loads(invoke("python", b"\xff\xd8")[1]), {"echo": "/9g="})
    same(invoke("elsewhere", b"[1]")[1][:1], b"{")


def splits():
    variants = [invoke("split", b"{}")[0]["InvokedProductionVariant"] for _ in range(20)]
    same((variants.count("blue"), variants.count("green")), (18, 2), variants)
    answer, body = invoke("split", b"{}", TargetVariant="green")
    same((answer["InvokedProductionVariant"], body), ("green", b'"green"'))
    same(invoke("many", b"{}", TargetModel="m2.tar.gz")[1], b"2")


def fails():
    def call(endpoint, **more):
        return lambda: runtime.invoke_endpoint(EndpointName=endpoint, Body=b"{}", **more)

    words = refused("ValidationError", 400, call("nothing"))
    same(words, "Endpoint nothing of account 000000000000 not found.")
    refused("ValidationError", 400, call("split", TargetVariant="red"))
    refused("ValidationError", 400, call("many"))
    refused("ValidationError", 400, call("many", TargetModel="m3.tar.gz"))
    words = refused("ModelError", 424, call("model"))
    assert words.startswith('Received client error (400) from primary with message "missing a, b, c"'), words
    try:
        runtime.invoke_endpoint(EndpointName="raises", Body=b"{}")
        raise AssertionError("it answered")
    except runtime.exceptions.ModelError as error:
        same(error.response["OriginalStatusCode"], 500)
        same(error.response["OriginalMessage"], "no such flower")
    outcomes = []
    for _ in range(4):
        try:
            outcomes.append(invoke("shaky", b"{}")[1])
        except runtime.exceptions.ModelError:
            outcomes.append("error")
    same(outcomes, [b"ok", "error"] * 2)
    refused("ModelError", 424, call("gone"))


def queues():
    s3 = boto3.client("s3")
    s3.put_object(Bucket="requests", Key="in/one.json", Body=b'{"row": [1, 2, 3]}')
    answer = runtime.invoke_endpoint_async(
        EndpointName="model", InputLocation="s3://requests/in/one.json", ContentType="application/json", InferenceId="mine")
    same((answer["ResponseMetadata"]["HTTPStatusCode"], answer["InferenceId"]), (202, "mine"))
    settled()

    def read(location):
        bucket, key = location.removeprefix("s3://").split("/", 1)
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    same(json.loads(read(answer["OutputLocation"])), {"prediction": 6.0})
    s3.put_object(Bucket="requests", Key="in/two.json", Body=b"{}")
    failed = runtime.invoke_endpoint_async(EndpointName="model", InputLocation="s3://requests/in/two.json")
    settled()
    assert b"missing a, b, c" in read(failed["FailureLocation"])
    missing = lambda: runtime.invoke_endpoint_async(EndpointName="model", InputLocation="s3://requests/none")
    refused("ValidationError", 400, missing)
    unset = lambda: runtime.invoke_endpoint_async(EndpointName="written", InputLocation="s3://requests/in/one.json")
    refused("ValidationError", 400, unset)


def streams():
    if shutil.which("node"):
        answer = runtime.invoke_endpoint_with_response_stream(EndpointName="words", Body=b"{}")
        parts = (event["PayloadPart"]["Bytes"] for event in answer["Body"])
        same(next(parts), b"one ")
        boto3.client("s3").put_object(Bucket="requests", Key="heard")
        same(b"".join(parts), b"two")
        same((answer["ContentType"], answer["InvokedProductionVariant"]), ("text/plain", "AllTraffic"))
    refused("ModelError", 424, lambda: runtime.invoke_endpoint_with_response_stream(EndpointName="raises", Body=b"{}"))
    answer = runtime.invoke_endpoint_with_response_stream(EndpointName="model", Body=b"[1, 2, 3]")
    parts = b"".join(event["PayloadPart"]["Bytes"] for event in answer["Body"])
    same(json.loads(parts), {"prediction": 6.0})
    same((answer["ContentType"], answer["InvokedProductionVariant"]), ("application/json", "AllTraffic"))


run({"predicts": predicts, "splits": splits, "fails": fails, "queues": queues, "streams": streams})
