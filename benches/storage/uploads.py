#!/usr/bin/env python3
"""How long does an upload take, and how long until the function that waits for it has begun?

    benches/storage/uploads.py MLEMU [--rounds 3] [--calls 300] [--bytes 1024]

Only Python's standard library is needed. One daemon answers for Cloud Storage and for S3, on the same object core, and
runs one function of CloudEvents. On kept connections of one client, in turn, round after round:

- put, get      an object written and read, by each of the two APIs
- direct        from the first byte of a CloudEvent, posted to the function itself, until the function runs
- upload        from the first byte of an upload until the function that it starts runs

The table shows medians in milliseconds. The last line is what an upload costs beyond the direct call: the write itself,
its way through the triggers and the making of the event. The exit status is 1 when that is 5 ms or more.
"""
import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAIN = """
import os
import socket
import time

import functions_framework

door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

@functions_framework.cloud_event
def stored(event):
    door.sendto(str(time.monotonic_ns()).encode(), ("127.0.0.1", int(os.environ["DOOR"])))
"""

CONFIG = """
[functions.stored]
provider = "gcp"
handler = "stored"
source = "."
env = {{ DOOR = "{door}" }}
triggers = [{{ bucket = "uploads" }}]
"""

EVENT = {
    "ce-id": "1",
    "ce-source": "//storage.googleapis.com/projects/_/buckets/uploads",
    "ce-specversion": "1.0",
    "ce-type": "google.cloud.storage.object.v1.finalized",
    "content-type": "application/json",
}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Client:
    """One kept connection."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, path, body=b"", headers=None):
        """How long it took, in milliseconds."""
        begun = time.perf_counter()
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        answer.read()
        taken = time.perf_counter() - begun
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status}")
        return taken * 1e3


def until_run(door, send):
    """From before `send` until the function ran, in milliseconds."""
    begun = time.monotonic_ns()
    send()
    return (int(door.recv(64)) - begun) / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mlemu", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--bytes", type=int, default=1024)
    args = parser.parse_args()
    door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    door.bind(("127.0.0.1", 0))
    door.settimeout(60)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        project.joinpath("main.py").write_text(MAIN)
        project.joinpath("mlemu.toml").write_text(CONFIG.format(door=door.getsockname()[1]))
        google, amazon, control = free_port(), free_port(), free_port()
        ports = ["--gcp-port", google, "--aws-port", amazon, "--control-port", control]
        command = [args.mlemu.resolve(), "up", *map(str, ports)]
        with open(project / "log", "w") as log:
            daemon = subprocess.Popen(command, cwd=project, stdout=log, stderr=log)
        try:
            wait_for(daemon, project / "log")
            report(measure(Client(google), Client(amazon), door, args), args)
        finally:
            daemon.send_signal(signal.SIGINT)
            daemon.wait(30)


def wait_for(daemon, log):
    end = time.monotonic() + 300
    while time.monotonic() < end and daemon.poll() is None:
        if "ready" in log.read_text():
            return
        time.sleep(0.1)
    sys.exit(log.read_text())


def measure(google, amazon, door, args):
    body = os.urandom(args.bytes)
    octets = {"content-type": "application/octet-stream"}
    google.ask("POST", "/storage/v1/b?project=p", json.dumps({"name": "plain"}))
    amazon.ask("PUT", "/plain")
    data = json.dumps({"name": "a", "bucket": "uploads"}).encode()
    upload = "/upload/storage/v1/b/{}/o?uploadType=media&name=a"
    calls = {
        "Cloud Storage put": lambda: google.ask("POST", upload.format("plain"), body, octets),
        "Cloud Storage get": lambda: google.ask("GET", "/storage/v1/b/plain/o/a?alt=media"),
        "S3 put": lambda: amazon.ask("PUT", "/plain/a", body, octets),
        "S3 get": lambda: amazon.ask("GET", "/plain/a"),
        "direct": lambda: until_run(
            door, lambda: google.ask("POST", "/demo-mlemu/us-central1/stored", data, EVENT)
        ),
        "upload": lambda: until_run(door, lambda: google.ask("POST", upload.format("uploads"), body, octets)),
    }
    times = {name: [] for name in calls}
    for round_ in range(args.rounds + 1):
        for name, call in calls.items():
            taken = [call() for _ in range(args.calls)]
            # The first round warms up.
            times[name] += taken if round_ else []
    return times


def report(times, args):
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    print(f"{args.bytes} bytes, {args.rounds} x {args.calls} calls          p50 ms    p95 ms")
    for name, taken in times.items():
        print(f"{name:32}  {medians[name]:8.3f}  {statistics.quantiles(taken, n=20)[-1]:8.3f}")
    beyond = medians["upload"] - medians["direct"]
    print(f"an upload starts its function {beyond:.3f} ms later than a direct call does")
    sys.exit(beyond >= 5)


if __name__ == "__main__":
    main()
