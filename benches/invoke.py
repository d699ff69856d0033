#!/usr/bin/env python3
"""Measures mlemu against the floor (benches/floor.rs) in interleaved rounds and prints ratios.

    cargo build --release && cargo bench --no-run
    python3 benches/invoke.py target/release/mlemu FLOOR_BINARY

Both run the same echo handler behind the same real awslambdaric, with the same interpreter. Ratios of one run
say something; absolute times say something about this machine only.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

BODY = b'{"hello":"world"}'
INVOKE = "/2015-03-31/functions/app/invocations"


def request(port, path):
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    return head.encode() + BODY


class Caller:
    """One keep-alive connection that waits for each answer."""

    def __init__(self, port, path):
        self.bytes = request(port, path)
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self):
        began = time.perf_counter()
        self.socket.sendall(self.bytes)
        answer = b""
        while b'"world"' not in answer:
            piece = self.socket.recv(65536)
            if not piece or b"errorMessage" in answer:
                raise RuntimeError(f"no echo: {answer!r}")
            answer += piece
        return (time.perf_counter() - began) * 1000


def sequential(port, path, calls):
    caller = Caller(port, path)
    for _ in range(50):
        caller.call()
    times = sorted(caller.call() for _ in range(calls))
    return times[calls // 2], times[int(calls * 0.99)]


def crowd(port, path, clients, calls):
    """Median over all calls of `clients` connections, and calls a second."""
    times, lock = [], threading.Lock()

    def work():
        caller = Caller(port, path)
        own = [caller.call() for _ in range(calls)]
        with lock:
            times.extend(own)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statistics.median(times), clients * calls / (time.perf_counter() - began)


def rss_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def mlemu(binary, folder):
    """A daemon with ten functions, and how long it took to be ready in ms."""
    names = ["app"] + [f"other{number}" for number in range(9)]
    with open(os.path.join(folder, "mlemu.toml"), "w") as file:
        for name in names:
            file.write(f'[functions.{name}]\nprovider = "aws"\nhandler = "app.handler"\n')
            file.write('runtime = "python3.11"\nsource = "."\n')
    command = [binary, "--json", "up", folder, "--aws-port", "0", "--control-port", "0"]
    began = time.perf_counter()
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for line in daemon.stdout:
        told = json.loads(line)
        if told.get("ready"):
            ready = (time.perf_counter() - began) * 1000
            threading.Thread(target=daemon.stdout.read, daemon=True).start()
            return daemon, int(told["clouds"]["aws"].rsplit(":", 1)[1]), ready
    raise RuntimeError("mlemu did not get ready")


def interpreter_of(daemon):
    """The interpreter that mlemu runs the function with, so that the floor runs the same one."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if b"awslambdaric" in words:
            return words[0].decode()
    raise RuntimeError("no awslambdaric runs")


def main():
    binary, floor_binary = map(os.path.abspath, sys.argv[1:3])
    rounds, calls = 5, 1000
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "app.py"), "w") as file:
            file.write("def handler(event, context):\n    return event\n")
        daemon, port, ready = mlemu(binary, folder)
        floor = None
        try:
            idle = rss_mib(daemon.pid)
            sequential(port, INVOKE, 10)
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                floor_port = free.getsockname()[1]
            command = [floor_binary, str(floor_port), interpreter_of(daemon), "-m", "awslambdaric", "app.handler"]
            env = {**os.environ, "AWS_LAMBDA_FUNCTION_NAME": "app", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11"}
            floor = subprocess.Popen(command, cwd=folder, env=env)
            while True:
                try:
                    sequential(floor_port, "/", 10)
                    break
                except ConnectionRefusedError:
                    continue
            rows = {"floor": [], "mlemu": []}
            for _ in range(rounds):
                for name, at, path in (("floor", floor_port, "/"), ("mlemu", port, INVOKE)):
                    rows[name].append(sequential(at, path, calls) + crowd(at, path, 8, calls // 4))
            report(rows, ready, idle)
        finally:
            daemon.send_signal(signal.SIGINT)
            if floor:
                floor.kill()
            daemon.wait()


def report(rows, ready, idle):
    columns = ["p50 ms", "p99 ms", "p50 ms, 8 clients", "calls/s, 8 clients"]
    middle = {name: [statistics.median(column) for column in zip(*row)] for name, row in rows.items()}
    print(f"{'':24}{'floor':>10}{'mlemu':>10}{'ratio':>8}")
    for index, column in enumerate(columns):
        low, ours = middle["floor"][index], middle["mlemu"][index]
        print(f"{column:24}{low:10.3f}{ours:10.3f}{ours / low:8.2f}")
    print(f"ready with ten functions declared: {ready:.0f} ms; idle {idle:.1f} MiB")


if __name__ == "__main__":
    main()
