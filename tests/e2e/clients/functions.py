"""Functions from google-cloud-functions, version 2 of the API, over its REST transport."""

import os
import sys
import urllib.request
from pathlib import Path

from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import functions_v2
from google.cloud.functions_v2.services.function_service.transports import FunctionServiceRestTransport
from google.protobuf import field_mask_pb2

PARENT = "projects/demo-mlemu/locations/us-central1"
NAME = f"{PARENT}/functions/greeter"
HOST = os.environ["PUBSUB_EMULATOR_HOST"]

transport = FunctionServiceRestTransport(host=HOST, url_scheme="http", credentials=AnonymousCredentials())
client = functions_v2.FunctionServiceClient(transport=transport)


def same(actual, expected):
    assert actual == expected, f"expected {expected!r}, but got {actual!r}"


def fetch(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def uploaded(archive):
    given = client.generate_upload_url(request={"parent": PARENT})
    request = urllib.request.Request(given.upload_url, archive.read_bytes(), method="PUT")
    request.add_header("Content-Type", "application/zip")
    urllib.request.urlopen(request).close()
    return given.storage_source


def function(source, whom):
    return functions_v2.Function(
        name=NAME,
        environment=functions_v2.Environment.GEN_2,
        build_config={"runtime": "python311", "entry_point": "hello", "source": {"storage_source": source}},
        service_config={"available_memory": "256M", "environment_variables": {"WHOM": whom}, "timeout_seconds": 20},
    )


def main(archive):
    source = uploaded(archive)
    create = dict(parent=PARENT, function=function(source, "Ada"), function_id="greeter")
    made = client.create_function(request=create).result(timeout=240)
    same((made.name, made.state), (NAME, functions_v2.Function.State.ACTIVE))
    same(fetch(made.url), "hello Ada")
    try:
        client.create_function(request=create)
        raise AssertionError("it was there already")
    except exceptions.Conflict:
        pass
    same([one.name for one in client.list_functions(request={"parent": PARENT})], [NAME])
    mask = field_mask_pb2.FieldMask(paths=["service_config.environment_variables"])
    change = dict(function=function(source, "Grace"), update_mask=mask)
    client.update_function(request=change).result(timeout=240)
    shown = client.get_function(request={"name": NAME})
    same((dict(shown.service_config.environment_variables), shown.service_config.timeout_seconds), ({"WHOM": "Grace"}, 20))
    same(fetch(shown.url), "hello Grace")
    assert client.generate_download_url(request={"name": NAME}).download_url.startswith("http://")
    assert any(one.name == "python311" for one in client.list_runtimes(request={"parent": PARENT}).runtimes)
    client.delete_function(request={"name": NAME}).result(timeout=60)
    try:
        client.get_function(request={"name": NAME})
        raise AssertionError("it is still there")
    except exceptions.NotFound:
        pass


main(Path(sys.argv[1]))
