"""Asks an endpoint of SageMaker how memorable an uploaded picture is, and keeps the answer as an object."""

import json
import os
from urllib.parse import unquote_plus

import boto3

s3 = boto3.client("s3")
sagemaker = boto3.client("sagemaker-runtime")


def handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        picture = s3.get_object(Bucket=bucket, Key=key)
        answer = sagemaker.invoke_endpoint(
            EndpointName=os.environ["ENDPOINT"], ContentType=picture["ContentType"], Body=picture["Body"].read()
        )
        seen = json.load(answer["Body"])
        memory = {"picture": key, "memorability": round(seen["memorability"][0], 3), "heat": seen["heat"][0]}
        s3.put_object(
            Bucket=os.environ["MEMORIES"],
            Key=key.removeprefix("uploads/") + ".json",
            Body=json.dumps(memory),
            ContentType="application/json",
        )
        print(f"{key}: {memory['memorability']}")
