"""How far will a patient's diabetes have progressed in a year? The twin of ../diabetes, as an Azure function app.

The body of a request is {"features": [ten numbers]} or {"age": ..., "sex": ..., ...}.
"""

import json
from pathlib import Path

import azure.functions as func
import joblib

COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
LARGEST = 1e30  # no measurement is anywhere near, and the model's 32-bit floats hold it

# Loaded once, when the worker starts, for all functions of the app.
model = joblib.load(Path(__file__).resolve().parent / "model.joblib")
MODEL_NAME = f"random forest, {len(model.estimators_)} trees"

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="predict", methods=["POST"])
def predict(req: func.HttpRequest) -> func.HttpResponse:
    try:
        (prediction,) = model.predict([measurements(body_of(req))])
    except ValueError as mistake:
        return response(400, {"error": str(mistake)})
    return response(200, {"prediction": round(float(prediction), 2), "model": MODEL_NAME})


def body_of(req):
    try:
        return json.loads(req.get_body())
    except (ValueError, RecursionError):
        raise ValueError("the body must be JSON") from None


def measurements(question):
    """The ten numbers in the order of COLUMNS, however they came."""
    if not isinstance(question, dict):
        raise ValueError(f"expected an object, got {type(question).__name__}")
    values = question.get("features", [question.get(column) for column in COLUMNS])
    if not isinstance(values, list) or len(values) != len(COLUMNS):
        raise ValueError(f"features must be a list of {len(COLUMNS)} numbers: {', '.join(COLUMNS)}")
    return [number(column, value) for column, value in zip(COLUMNS, values)]


def number(column, value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not -LARGEST < value < LARGEST:  # false for NaN, too
        raise ValueError(f"{column} must be a number, not {json.dumps(value)[:40]}")
    return value


def response(status, body):
    return func.HttpResponse(json.dumps(body), status_code=status, mimetype="application/json")
