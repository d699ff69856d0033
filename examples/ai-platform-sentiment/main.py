"""Asks a model that AI Platform serves whether reviews are kind, and says which version of it answered."""

import os

import functions_framework
from google.auth.credentials import AnonymousCredentials
from googleapiclient import discovery
from googleapiclient.errors import HttpError

MODEL = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/models/kindness"
# What tells gcloud, too, that this API is elsewhere than usual.
ELSEWHERE = os.environ.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_ML")


def projects():
    if not ELSEWHERE:
        return discovery.build("ml", "v1").projects()
    options = {"api_endpoint": ELSEWHERE}
    return discovery.build(
        "ml", "v1", client_options=options, credentials=AnonymousCredentials(), static_discovery=True
    ).projects()


client = projects()


@functions_framework.http
def rate_reviews(request):
    said = request.get_json(silent=True) or {}
    reviews = said.get("reviews")
    if not reviews:
        return {"error": "send a JSON object with reviews, a list of texts"}, 400
    version = client.models().get(name=MODEL).execute()["defaultVersion"]
    # Whoever asks may choose another one.
    name = f"{MODEL}/versions/{said['version']}" if "version" in said else version["name"]
    try:
        answer = client.predict(name=name, body={"instances": [{"text": text} for text in reviews]}).execute()
    except HttpError as error:
        return {"error": f"{name}: {error.reason}"}, error.status_code
    kind = [round(kind, 3) for unkind, kind in answer["predictions"]]
    return {"kind": kind, "version": name.rsplit("/", 1)[-1], "framework": version["framework"]}
