"""How far will a patient's diabetes have progressed in a year? A random forest tells from ten measurements.

The event is {"features": [ten numbers]}, or {"age": ..., "sex": ..., ...}, or a request of API Gateway with either of
them as its JSON body. The prediction is scikit-learn's "measure of disease progression one year after baseline"; in
the table that the model was trained on it goes from 25 to 346.
"""

import base64
import json
from pathlib import Path

import joblib

COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
LARGEST = 1e30  # no measurement is anywhere near, and the model's 32-bit floats hold it

# Loaded once, at cold start, and kept for every event that this instance will answer.
model = joblib.load(Path(__file__).resolve().parent / "model.joblib")
MODEL_NAME = f"random forest, {len(model.estimators_)} trees"


def predict(event, context):
    if not is_http(event):
        return answer(event)
    try:
        return response(200, answer(body_of(event)))
    except ValueError as mistake:
        return response(400, {"error": str(mistake)})


def answer(question):
    (prediction,) = model.predict([measurements(question)])
    return {"prediction": round(float(prediction), 2), "model": MODEL_NAME}


def measurements(question):
    """The ten numbers in the order of COLUMNS, however they came."""
    if not isinstance(question, dict):
        raise ValueError(f"expected an object, got {type(question).__name__}")
    if "features" in question:
        values = question["features"]
        if not isinstance(values, list) or len(values) != len(COLUMNS):
            raise ValueError(f"features must be a list of {len(COLUMNS)} numbers: {', '.join(COLUMNS)}")
    else:
        missing = [column for column in COLUMNS if column not in question]
        if missing:
            raise ValueError(f"missing {', '.join(missing)} (or give all ten as features)")
        values = [question[column] for column in COLUMNS]
    return [number(column, value) for column, value in zip(COLUMNS, values)]


def number(column, value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not -LARGEST < value < LARGEST:  # false for NaN, too
        raise ValueError(f"{column} must be a number, not {json.dumps(value)[:40]}")
    return value


def is_http(event):
    """Whether API Gateway (either payload format) or a function URL sent the event."""
    return isinstance(event, dict) and "requestContext" in event


def body_of(event):
    try:
        body = event.get("body") or ""
        return json.loads(base64.b64decode(body) if event.get("isBase64Encoded") else body)
    except (ValueError, RecursionError):
        raise ValueError("the body must be JSON") from None


def response(status, body):
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(body),
    }
