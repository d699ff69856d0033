#!/usr/bin/env python3
"""How much slower is a warm HTTP call of a Google function through mlemu than of its functions-framework directly?

    benches/functions.py MLEMU [--rounds 5] [--calls 1000] [--limit 0.3] [--check]

Only Python's standard library is needed; the functions-framework is installed once, beside the cache of mlemu. The same
function runs behind gunicorn twice, started by hand and by MLEMU, and one client on one connection to each asks them in
turn, call after call, so that a busy moment of the machine hits both. The table shows times of a call in milliseconds,
and the last line how much the median through mlemu is over the other; with --check the exit status is 1 when that is
more than the limit.
"""
import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FRAMEWORK = "functions-framework==3.10.2"
MAIN = """\
import functions_framework


@functions_framework.http
def hello(request):
    return {"name": request.get_json()["name"]}
"""
BODY = b'{"name": "benchmark", "values": [1, 2, 3]}'
PATIENCE = 240.0
WARM_UP = 300


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Client:
    """One keep-alive connection."""

    def __init__(self, port, path):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        self.request = f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
        self.port, self.socket = port, None

    def call(self):
        """The time until the whole answer is there, in milliseconds."""
        if not self.socket:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        self.socket.sendall(self.request)
        received = b""
        while True:
            piece = self.socket.recv(1 << 16)
            if not piece:
                raise ConnectionError("closed before the answer was whole")
            received += piece
            head, found, body = received.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if found and length and len(body) >= int(length[1]):
                took = (time.perf_counter() - began) * 1000
                if b" 200 " not in head[:15] or b"benchmark" not in body:
                    raise ValueError(f"a wrong answer: {received!r}")
                return took

    def warm_up(self):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                for _ in range(WARM_UP):
                    self.call()
                return
            except (OSError, ValueError):
                self.socket = None
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)


def framework(cache):
    """A Python that has the framework."""
    python = cache / "bin" / "python"
    if not (cache / "complete").exists():
        shutil.rmtree(cache, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", cache], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", FRAMEWORK], check=True)
        (cache / "complete").touch()
    return python


def start(mlemu, folder, running):
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    python = framework(home / "mlemu-bench" / FRAMEWORK)
    runtime = "python{}{}".format(*sys.version_info)
    (folder / "main.py").write_text(MAIN)
    config = f'[functions.hello]\nprovider = "gcp"\nruntime = "{runtime}"\nhandler = "hello"\n'
    (folder / "mlemu.toml").write_text(config)
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    direct, through = free_port(), free_port()
    env = {**os.environ, "FUNCTION_TARGET": "hello", "HOST": "127.0.0.1", "PORT": str(direct), "PYTHONUNBUFFERED": "1"}
    env["LOG_EXECUTION_ID"] = "true"
    running.append(subprocess.Popen([python, "-m", "functions_framework"], env=env, **quiet))
    up = [mlemu, "up", "--gcp-port", str(through), "--control-port", "0"]
    running.append(subprocess.Popen(up, **quiet))
    return Client(direct, "/"), Client(through, "/demo-mlemu/us-central1/hello")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mlemu", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--limit", type=float, default=0.3, help="milliseconds")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    running = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            clients = start(args.mlemu.resolve(), Path(folder), running)
            for client in clients:
                client.warm_up()
            return measure(args, clients)
        finally:
            for process in running:
                process.terminate()
                process.wait()


def measure(args, clients):
    over, all_times = [], ([], [])
    for client in clients:
        # The framework closes connections that were idle while the other warmed up.
        client.socket = None
        client.call()
    for _ in range(args.rounds):
        times = ([], [])
        for _ in range(args.calls):
            for client, taken in zip(clients, times):
                taken.append(client.call())
        over.append(statistics.median(times[1]) - statistics.median(times[0]))
        for kept, taken in zip(all_times, times):
            kept.extend(taken)
    print(f"{'':22}{'p50':>9}{'p90':>9}{'p99':>9}")
    for name, times in zip(("functions-framework", "mlemu"), all_times):
        cuts = statistics.quantiles(times, n=100)
        print(f"{name:22}{cuts[49]:9.3f}{cuts[89]:9.3f}{cuts[98]:9.3f}")
    overhead = statistics.median(over)
    print(f"overhead of the median: {overhead:.3f} ms (limit {args.limit} ms)")
    print(json.dumps({"overhead_ms": [round(one, 4) for one in over]}), file=sys.stderr)
    return 1 if args.check and overhead > args.limit else 0


if __name__ == "__main__":
    sys.exit(main())
