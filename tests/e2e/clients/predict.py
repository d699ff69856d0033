"""AI Platform and Vertex AI with Google's own client as it is installed."""

import os

from checks import run, same
from google.auth.credentials import AnonymousCredentials
from googleapiclient import discovery
from googleapiclient.errors import HttpError

here = "http://" + os.environ["PUBSUB_EMULATOR_HOST"]
project = os.environ["GOOGLE_CLOUD_PROJECT"]


def client(name):
    options = {"api_endpoint": here}
    return discovery.build(
        name, "v1", client_options=options, credentials=AnonymousCredentials(), static_discovery=True)


def refused(status, call):
    try:
        call()
    except HttpError as error:
        same(error.status_code, status)
        return error.reason
    raise AssertionError("it was answered")


def models():
    ml = client("ml").projects()
    name = f"projects/{project}/models/sums"
    body = {"instances": [[1, 2, 3], [4, 5, 6]]}
    same(ml.predict(name=name, body=body).execute(), {"predictions": [6.0, 15.0]})
    same(ml.predict(name=name + "/versions/old", body=body).execute(), {"predictions": [0]})
    model = ml.models().get(name=name).execute()
    same((model["name"], model["defaultVersion"]["name"]), (name, name + "/versions/new"))
    version = ml.models().versions().get(name=name + "/versions/old").execute()
    same((version["isDefault"], version["state"]), (False, "READY"))
    same(len(ml.models().versions().list(parent=name).execute()["versions"]), 2)
    same([one["name"] for one in ml.models().list(parent=f"projects/{project}").execute()["models"]], [name])
    refused(404, lambda: ml.predict(name=f"projects/{project}/models/none", body=body).execute())
    wrong = refused(400, lambda: ml.predict(name=name, body={"instances": [[1]]}).execute())
    assert "the model takes `X` [?, 3]" in wrong, wrong


def endpoints():
    vertex = client("aiplatform").projects().locations().endpoints()
    name = f"projects/{project}/locations/us-central1/endpoints/sums"
    endpoint = vertex.get(name=name).execute()
    same(endpoint["trafficSplit"], {"1": 90, "2": 10})
    answers = [vertex.predict(endpoint=name, body={"instances": [[1, 2, 3]]}).execute() for _ in range(10)]
    same([one["deployedModelId"] for one in answers].count("2"), 1)
    assert all(one["predictions"] == ([6.0] if one["deployedModelId"] == "1" else [0]) for one in answers), answers


run({"models": models, "endpoints": endpoints})
