"""How far will a patient's diabetes have progressed in a year? The twin of ../diabetes, as a Google Cloud function.

The body of a request is {"features": [ten numbers]} or {"age": ..., "sex": ..., ...}.
"""

import json
from pathlib import Path

import functions_framework
import joblib

COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")
LARGEST = 1e30  # no measurement is anywhere near, and the model's 32-bit floats hold it

# Loaded once, before the framework listens, for all requests of this instance.
model = joblib.load(Path(__file__).resolve().parent / "model.joblib")
MODEL_NAME = f"random forest, {len(model.estimators_)} trees"


@functions_framework.http
def predict(request):
    try:
        (prediction,) = model.predict([measurements(request.get_json(force=True, silent=True))])
    except ValueError as mistake:
        return {"error": str(mistake)}, 400
    return {"prediction": round(float(prediction), 2), "model": MODEL_NAME}


def measurements(question):
    """The ten numbers in the order of COLUMNS, however they came."""
    if not isinstance(question, dict):
        raise ValueError("the body must be a JSON object")
    values = question.get("features", [question.get(column) for column in COLUMNS])
    if not isinstance(values, list) or len(values) != len(COLUMNS):
        raise ValueError(f"features must be a list of {len(COLUMNS)} numbers: {', '.join(COLUMNS)}")
    return [number(column, value) for column, value in zip(COLUMNS, values)]


def number(column, value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not -LARGEST < value < LARGEST:  # false for NaN, too
        raise ValueError(f"{column} must be a number, not {json.dumps(value)[:40]}")
    return value
