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
REQUEST = (
    b"POST /2015-03-31/functions/Predict/invocations HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)
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
    command = [program, "up", str(folder), "--json", "--offline", *ports]
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL) as process:
            try:
                wait_until_ready(output)
                connection = socket.create_connection(("127.0.0.1", port))
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                times = [asked(connection) for _ in range(WARM_UP + calls)][WARM_UP:]
                found = {"call": statistics.median(times), "memory": memory(worker_of(process.pid))}
            finally:
                process.terminate()
        output.seek(0)
        return found | {"start": init_of([json.loads(line) for line in output])}


def wait_until_ready(output):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        # Its place is shared with who writes, so that it is read without being moved.
        if b'"ready":true' in os.pread(output.fileno(), 1 << 20, 0):
            return
        time.sleep(0.02)
    sys.exit("mlemu does not start")


def asked(connection):
    """One call, as cheaply as Python can make it: how long it took, in milliseconds."""
    begun = time.perf_counter()
    connection.sendall(REQUEST)
    answer = connection.recv(65536)
    took = (time.perf_counter() - begun) * 1000
    assert b'{"prediction":' in answer, answer
    return took


def init_of(records):
    """How long the init phase of the one instance took, in milliseconds."""
    for record in records:
        what = record.get("what")
        if isinstance(what, dict) and "init-ended" in what:
            return what["init-ended"]["init"]["duration_ms"]
    sys.exit("no record has an init phase")


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
