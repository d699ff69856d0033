"""Signs a form with which a page's visitor may upload one picture, straight into the bucket."""

import json
import os
import uuid

import boto3

LARGEST = 5_000_000  # bytes
SECONDS = 300

s3 = boto3.client("s3")


def handler(event, context):
    form = s3.generate_presigned_post(
        os.environ["PICTURES"],
        f"uploads/{uuid.uuid4().hex}/${{filename}}",
        Conditions=[["content-length-range", 1, LARGEST], ["starts-with", "$Content-Type", "image/"]],
        ExpiresIn=SECONDS,
    )
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(form)}
