#!/usr/bin/env python3
"""What does mlemu take beyond a model's own session: per warm call, at the start of a worker, in memory?

    benches/onnx.py MLEMU SESSION [--rounds 5] [--calls 500] [--check]

MLEMU is the program, SESSION what `cargo build --release -p session` makes: the same library and model with nothing
around them. Only Python's standard library is needed. examples/diabetes-onnx must have run once, since its model is
measured. Both are started and called in turn, round after round, so that a busy moment of the machine hits both; the
table shows medians over the rounds. `start` is the time until the model is loaded: of SESSION from the start of its
process, of MLEMU the function's init phase. With --check the exit status is 1 beyond the limits.
"""
import argparse
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "diabetes-onnx"
BODY = (EXAMPLE / "event.json").read_bytes()
LIMITS = {"call": 0.4, "start": 60.0, "memory": 20.0}
WARM_UP = 100
TOML = """\
[functions.Predict]
runtime = "onnx"
handler = "model.onnx"
memory = "1769MB"
input = { path = "features" }
output = { as = "regression" }
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def memory(pid):
    """What a process holds, its share of what is shared, in MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1]) / 1024


def session(program, library, model, calls):
    begun = time.perf_counter()
    command = [program, library, str(model), str(calls)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n", "the session does not start"
        start = (time.perf_counter() - begun) * 1000
        call = float(process.stdout.readline())
        return {"start": start, "call": call, "memory": memory(process.pid)}


def worker_of(daemon):
    """The process in which the model runs, among all that a daemon has started."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if b"onnx-worker" in words[1:2] and is_below(int(entry.name), daemon):
                    return int(entry.name)
            except OSError:
                pass
    sys.exit("there is no worker")


def is_below(pid, ancestor):
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


def mlemu(program, folder, calls):
    port = free_port()
    ports = ["--aws-port", str(port), "--control-port", "0"]
    command = [program, "up", "--project", str(folder), "--json", "--offline", *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            connection = connected(port)
            times = [asked(connection) for _ in range(WARM_UP + calls)][WARM_UP:]
            found = {"call": statistics.median(times), "memory": memory(worker_of(process.pid))}
        finally:
            process.terminate()
        records = [json.loads(line) for line in process.stdout.read().splitlines()]
        return found | {"start": init_of(records)}


def connected(port):
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except OSError:
            if time.monotonic() > deadline:
                sys.exit("mlemu does not start")
            time.sleep(0.02)


def asked(connection):
    begun = time.perf_counter()
    connection.request("POST", "/2015-03-31/functions/Predict/invocations", BODY)
    answer = connection.getresponse().read()
    took = (time.perf_counter() - begun) * 1000
    assert b"prediction" in answer, answer
    return took


def init_of(records):
    """How long the init phase of the one instance took, in milliseconds."""
    for record in records:
        report = re.search(r"Init Duration: ([\d.]+) ms", json.dumps(record))
        if report:
            return float(report[1])
        usage = (record.get("what") or {}).get("ended", {}) if isinstance(record.get("what"), dict) else {}
        init = (usage.get("usage") or {}).get("init")
        if init:
            return milliseconds(init)
    sys.exit("no record has an init phase")


def milliseconds(told):
    if isinstance(told, dict):
        return told.get("secs", 0) * 1e3 + told.get("nanos", 0) / 1e6 if "secs" in told else milliseconds(told["duration"])
    return float(told)


def library_of(program):
    done = subprocess.run([program, "onnx", "install", "--json"], capture_output=True, text=True, check=True)
    return os.environ.get("ORT_DYLIB_PATH") or json.loads(done.stdout)["path"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mlemu")
    parser.add_argument("session")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    model = EXAMPLE / "model.onnx"
    if not model.exists():
        sys.exit(f"{model} is not there: run `mlemu invoke Predict --event event.json` in that folder first")
    library = library_of(arguments.mlemu)
    os.environ["ORT_DYLIB_PATH"] = library
    alone, within = [], []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mlemu.toml").write_text(TOML)
        Path(folder, "model.onnx").write_bytes(model.read_bytes())
        for _ in range(arguments.rounds):
            alone.append(session(arguments.session, library, model, arguments.calls))
            within.append(mlemu(arguments.mlemu, folder, arguments.calls))
    bad = False
    print(f"{'':10} {'session':>10} {'mlemu':>10} {'beyond':>10} {'limit':>8}")
    for measure, unit in [("call", "ms"), ("start", "ms"), ("memory", "MB")]:
        one, other = (statistics.median(round[measure] for round in rounds) for rounds in (alone, within))
        bad |= other - one > LIMITS[measure]
        cells = [f"{number:>7.2f} {unit}" for number in (one, other, other - one)]
        print(f"{measure:10} {' '.join(cells)} {LIMITS[measure]:>5.1f} {unit}")
    sys.exit(1 if bad and arguments.check else 0)


if __name__ == "__main__":
    main()
