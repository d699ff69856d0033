"""Predict, as its callers meet it. `pytest` in the project's folder runs it, and so does `mlemu exec -- pytest`."""

import json
import urllib.error
import urllib.request

import pytest

ROW = [59, 2, 32.1, 101, 157, 93.2, 38, 4, 4.8598, 87]
NAMES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def post(mlemu, body):
    """Status and answer of the HTTP API."""
    url = mlemu.environment["AWS_ENDPOINT_URL"] + "/predict"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST")) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def test_a_row_and_named_measurements_are_the_same_patient(mlemu):
    by_row = mlemu.invoke("Predict", {"features": ROW}).result
    by_name = mlemu.invoke("Predict", dict(zip(NAMES, ROW))).result
    assert by_row == by_name
    assert 25 <= by_row["prediction"] <= 346, "the table goes from 25 to 346"


def test_more_weight_and_blood_sugar_are_more_diabetes(mlemu):
    slim = mlemu.invoke("Predict", dict(zip(NAMES, ROW), bmi=20, s6=80)).result
    stout = mlemu.invoke("Predict", dict(zip(NAMES, ROW), bmi=38, s6=120)).result
    assert slim["prediction"] < stout["prediction"]


def test_the_http_api_answers_what_the_function_does(mlemu):
    assert post(mlemu, json.dumps({"features": ROW}).encode()) == (
        200, mlemu.invoke("Predict", {"features": ROW}).result)


@pytest.mark.parametrize("body, why", [
    (b"no json", "the body must be JSON"),
    (b"[1, 2]", "expected an object, got list"),
    (b'{"features": [1]}', "features must be a list of 10 numbers"),
    (b'{"age": 59}', "missing sex, bmi"),
])
def test_what_is_no_patient_is_told_so(mlemu, body, why):
    status, answer = post(mlemu, body)
    assert status == 400 and why in answer["error"]


def test_the_model_is_loaded_once_and_fits(mlemu):
    mlemu.cold("Predict")
    for cold in (True, False, False):
        mlemu.invoke("Predict", {"features": ROW})
        mlemu.wait_idle()
        assert mlemu.invocation("last")["cold"] is cold
    assert mlemu.invocation("last")["peak_memory"] < 512 * 1024 * 1024


def test_a_caller_hears_of_a_function_that_ran_out_of_memory(mlemu, mlemu_faults):
    mlemu_faults("oom", function="Predict", times=1)
    status, _ = post(mlemu, json.dumps({"features": ROW}).encode())
    assert status >= 500
    status, _ = post(mlemu, json.dumps({"features": ROW}).encode())
    assert status == 200, "the next instance serves again"
