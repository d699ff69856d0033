"""The front of a small pipeline: it asks one function by the SDK and another by HTTP."""
import json
import os
import urllib.request

import boto3

functions = boto3.client("lambda")
# On a developer's machine AWS is elsewhere, and so are its APIs.
API = os.environ.get("AWS_ENDPOINT_URL") or os.environ["API_URL"]


def words_of(text):
    """The words of a text, as the function `Words` sees them."""
    answer = functions.invoke(FunctionName=os.environ["WORDS"], Payload=json.dumps({"text": text}))
    said = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise RuntimeError(f"{os.environ['WORDS']}: {said['errorMessage']}")
    return said


def judged(words):
    """What the function `Judge` thinks of them, through its API."""
    body, headers = json.dumps(words).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{API}/judgements", body, headers), timeout=10) as answer:
        return json.load(answer)


def handler(event, context):
    words = words_of(json.loads(event["body"])["text"])
    return {"words": len(words), **judged(words)}
