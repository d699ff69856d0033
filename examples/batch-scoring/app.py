"""Scores patients in batches: each message tells of objects in the bucket `rows`, each object is one patient.

An object is {"age": ..., "sex": ..., ...}, with the ten columns of scikit-learn's diabetes table. The predictions of
one batch are made in one call of the model; each is written to the bucket `scores` under the object's own key. A
message whose rows cannot be scored is reported by its id: it comes back, and goes to the dead-letter queue when it has
come back too often.
"""

import json
from pathlib import Path
from urllib.parse import unquote_plus

import boto3
import joblib

COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
RESULTS = "scores"

s3 = boto3.client("s3")
model = joblib.load(Path(__file__).resolve().parent / "model.joblib")


def score(event, context):
    rows, failed = [], []
    for message in event["Records"]:
        try:
            rows += [(key, row) for key, row in rows_of(json.loads(message["body"]))]
        except Exception as reason:
            print(f"cannot score {message['messageId']}: {reason!r}")
            failed.append({"itemIdentifier": message["messageId"]})
    if rows:
        predictions = model.predict([row for _, row in rows])
        for (key, _), prediction in zip(rows, predictions):
            body = json.dumps({"prediction": round(float(prediction), 2)})
            s3.put_object(Bucket=RESULTS, Key=key, Body=body, ContentType="application/json")
    print(f"scored {len(rows)} rows, {len(failed)} messages failed")
    return {"batchItemFailures": failed}


def rows_of(notification):
    """The keys and rows that a notification tells of; S3's test event tells of none."""
    for record in notification.get("Records", []):
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        patient = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        yield key, [float(patient[column]) for column in COLUMNS]
