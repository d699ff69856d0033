"""Vertex AI with the vendor's own library as it is installed, over REST."""

import os

from checks import run, same
from google.auth.credentials import AnonymousCredentials
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1.services.endpoint_service.transports.rest import EndpointServiceRestTransport
from google.cloud.aiplatform_v1.services.prediction_service.transports.rest import PredictionServiceRestTransport
from google.protobuf import json_format, struct_pb2

HERE = {
    "host": os.environ["PUBSUB_EMULATOR_HOST"],
    "url_scheme": "http",
    "credentials": AnonymousCredentials(),
}
NAME = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/locations/us-central1/endpoints/sums"


def predicts():
    predictions = aiplatform_v1.PredictionServiceClient(transport=PredictionServiceRestTransport(**HERE))
    rows = [json_format.ParseDict(row, struct_pb2.Value()) for row in ([1, 2, 3], [4, 5, 6])]
    answer = predictions.predict(endpoint=NAME, instances=rows)
    same((list(answer.predictions), answer.deployed_model_id), ([6.0, 15.0], "1"))
    raw = predictions.raw_predict(request={"endpoint": NAME, "http_body": {"data": b"[1, 2, 3]", "content_type": "application/json"}})
    same(raw.data, b'{"prediction":6.0}')
    endpoints = aiplatform_v1.EndpointServiceClient(transport=EndpointServiceRestTransport(**HERE))
    same(dict(endpoints.get_endpoint(name=NAME).traffic_split), {"1": 90, "2": 10})


run({"predicts": predicts})
