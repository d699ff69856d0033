#!/usr/bin/env python3
"""What does mlemu add to the time that Azure's own worker takes: for a warm call by HTTP, and from an upload to its function?

    benches/azure_functions.py MLEMU [--rounds 5] [--calls 500] [--uploads 100] [--check]

Only Python's standard library is needed; mlemu installs the worker once. The app that is measured notes inside the worker
how long each of its answers takes, from the request off the stream to the response onto it: what a call takes beyond that
is the host's, its connections included. With --check the exit status is 1 when the median of a warm call is more than
0.5 ms over the worker's own, or a blob's function begins later than 10 ms after the upload began.
"""
import argparse
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WARM_MS, UPLOAD_MS = 0.5, 10.0
PATIENCE = 240.0
WARM_UP = 200
APP = """\
import json
import os
import socket
import time

import __main__
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
own = []
teller, tell_to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), ("127.0.0.1", int(os.environ["TELL_TO"]))
answer = __main__.Worker.answer


async def timed(self, kind, message):
    began = time.perf_counter_ns()
    await answer(self, kind, message)
    if kind == "invocation_request":
        own.append(time.perf_counter_ns() - began)

__main__.Worker.answer = timed


@app.route(route="hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps({"name": req.get_json()["name"]}), mimetype="application/json")


@app.route(route="told")
def told(req: func.HttpRequest) -> func.HttpResponse:
    said = json.dumps(own)
    own.clear()
    return func.HttpResponse(said)


@app.blob_trigger(arg_name="blob", path="uploads/{name}", connection="AzureWebJobsStorage", source="EventGrid")
def arrived(blob: func.InputStream) -> None:
    teller.sendto(str(time.monotonic_ns()).encode(), tell_to)
"""
SETTINGS = {"FUNCTIONS_WORKER_RUNTIME": "python", "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
CONFIG = '[buckets.uploads]\nprovider = "azure"\n'
BODY = json.dumps({"name": "benchmark", "values": [1, 2, 3]})


def free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


class Client:
    """One keep-alive connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, path, body=None, **headers):
        """The answer, and the time until all of it was there in milliseconds."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        began = time.perf_counter()
        self.connection.request(method, path, body, named)
        response = self.connection.getresponse()
        said = response.read()
        took = (time.perf_counter() - began) * 1000
        if response.status >= 300:
            raise ValueError(f"{method} {path}: {response.status} {said!r}")
        return said, took

    def told(self):
        """How long each answer took the worker since this was last asked, in nanoseconds."""
        return json.loads(self.ask("GET", "/api/told")[0])


def reached(port):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            client = Client(port)
            client.ask("POST", "/api/hello", BODY)
            return client
        except (OSError, ValueError, http.client.HTTPException):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def warm(client, args):
    over = []
    for _ in range(WARM_UP):
        client.ask("POST", "/api/hello", BODY)
    client.told()
    for _ in range(args.rounds):
        whole = [client.ask("POST", "/api/hello", BODY)[1] for _ in range(args.calls)]
        # The first is of the question before.
        own = [nanos / 1e6 for nanos in client.told()[1:]]
        whole, own = statistics.median(whole), statistics.median(own)
        over.append(whole - own)
        print(f"a warm call {whole:8.3f} ms, of which the worker's own {own:8.3f} ms")
    return statistics.median(over)


def uploads(told, storage, count):
    took = []
    for at in range(count + 10):
        began = time.monotonic_ns()
        storage.ask("PUT", f"/devstoreaccount1/uploads/{at}.txt", b"x", x_ms_blob_type="BlockBlob")
        took.append((int(told.recv(64)) - began) / 1e6)
    return statistics.median(took[10:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mlemu", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--uploads", type=int, default=100)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    functions, blob, queue, control = free_ports(4)
    told = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    told.bind(("127.0.0.1", 0))
    told.settimeout(PATIENCE)
    values = {**SETTINGS, "TELL_TO": str(told.getsockname()[1])}
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "app"
        app.mkdir()
        (app / "function_app.py").write_text(APP)
        (app / "host.json").write_text('{"version": "2.0"}')
        (app / "local.settings.json").write_text(json.dumps({"Values": values}))
        (app / "requirements.txt").write_text("azure-functions\n")
        (Path(folder) / "mlemu.toml").write_text(CONFIG)
        ports = ["--azure-port", functions, "--blob-port", blob, "--queue-port", queue, "--control-port", control]
        command = [args.mlemu.resolve(), "up", "--no-watch", "--cpu", "off", *map(str, ports)]
        quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, **quiet)
        try:
            client = reached(functions)
            over = warm(client, args)
            from_upload = uploads(told, Client(blob), args.uploads)
        finally:
            process.terminate()
            process.wait()
    print(f"a warm call takes {over:.3f} ms beyond the worker's own time (limit {WARM_MS} ms)")
    print(f"a blob's function begins {from_upload:.3f} ms after its upload began (limit {UPLOAD_MS} ms)")
    return 1 if args.check and (over > WARM_MS or from_upload > UPLOAD_MS) else 0


if __name__ == "__main__":
    sys.exit(main())
