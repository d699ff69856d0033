"""Online endpoints of Azure Machine Learning with requests, which is all that their clients are."""

import os

import requests
from checks import run, same

here = os.environ["AZURE_FUNCTIONS_HOST"] + "/onlineEndpoints"
KEY = {"Authorization": "Bearer sesame"}


def score(endpoint, row, headers=KEY):
    return requests.post(f"{here}/{endpoint}/score", json={"row": row}, headers=headers, timeout=120)


def scores():
    answer = score("sums", [1, 2, 3], {**KEY, "azureml-model-deployment": "blue"})
    same((answer.status_code, answer.json()), (200, {"prediction": 6.0}), answer.text)
    same(answer.headers["azureml-model-deployment"], "blue")
    assert answer.headers["x-ms-request-id"]
    deployments = [score("sums", [1, 2, 3]).headers["azureml-model-deployment"] for _ in range(10)]
    same((deployments.count("blue"), deployments.count("green")), (9, 1), deployments)


def fails():
    same(score("sums", [1, 2, 3], {}).status_code, 401)
    same(score("sums", [1, 2, 3], {"Authorization": "Bearer wrong"}).status_code, 401)
    same(score("open", [1, 2, 3], {}).json(), {"a": 1})
    same(score("none", [1, 2, 3]).status_code, 404)
    same(score("sums", [1, 2, 3], {**KEY, "azureml-model-deployment": "red"}).status_code, 404)
    same(requests.get(f"{here}/sums/score", headers=KEY, timeout=120).status_code, 405)
    wrong = score("sums", [1], {**KEY, "azureml-model-deployment": "blue"})
    same((wrong.status_code, wrong.headers["ms-azureml-model-error-statuscode"]), (424, "400"))
    assert "the model takes `X` [?, 3]" in wrong.text, wrong.text


run({"scores": scores, "fails": fails})
