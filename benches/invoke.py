#!/usr/bin/env python3
"""How much slower is a warm invocation through mlemu than through the least server that could do it?

    benches/invoke.py [TARGETS.json] [--rounds 5] [--calls 1000] [--seconds 3] [--only NAME,...] [--check]

Only Python's standard library is needed. Targets are measured in turn, round after round, each started anew, so
that a busy moment of the machine hits all alike; ratios are taken within a round, and the table shows medians over
the rounds. `one` is one client that calls again when it has its answer, `many` is eight of them at once for some
seconds, after as many seconds in which instances start. `start` is the time until a target accepts connections and
`idle` its memory then; `edit` is the time from a saved file to the first answer of the new code, and `bad` counts
answers that were wrong or missing at any time.
With --check the exit status is 1 when a ratio is over its limit or an answer was bad.

The file of targets is JSON; `{name}` in its strings stands for {here} (this folder), {cache} (kept between runs),
{work} (a fresh copy of `files`), {port} (a free one), {python} and its {version}, {cores} and {program} (what
`build` built):
  floor    name of the target that ratios refer to
  limits   highest ratio to the floor by measure, for every other target
  prepare  commands to run once, unless a path exists
  targets  name, build (cargo, with --message-format=json), files, write (more files, as lines), start, also (run,
           copies, env: a process beside it for `one`, so many for `many`), ready (host:port that accepts), url,
           body, expect (text of a right answer), edit (file, from, to)
"""
import argparse
import json
import os
import re
import selectors
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
CLIENTS = 8
WARM_UP = 200
VERSION = "{}.{}".format(*sys.version_info)
PATIENCE = 120.0
MEASURES = ["start", "idle", "first", "one p50", "one p99", "many p50", "many p99", "many /s", "edit"]


def fill(value, names):
    """Puts the names into every string of a JSON value."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: str(names.get(found[1], found[0])), value)
    if isinstance(value, list):
        return [fill(item, names) for item in value]
    if isinstance(value, dict):
        return {key: fill(item, names) for key, item in value.items()}
    return value


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Client:
    """One keep-alive connection that sends the same request again and again."""

    def __init__(self, target):
        url = urlsplit(target["url"])
        body = target["body"].encode()
        head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
        self.request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        self.address = (url.hostname, url.port)
        self.socket = None
        self.close()

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.received = None, b""

    def send(self):
        if not self.socket:
            self.socket = socket.create_connection(self.address, timeout=PATIENCE)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent = time.perf_counter()
        self.socket.sendall(self.request)

    def take(self):
        """Reads once. Gives status and body when the answer is whole, else None."""
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise ConnectionError("closed before the answer was whole")
        self.received += piece
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found:
            return None
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length:
            whole = len(body) >= int(length[1])
        else:
            whole = body.endswith(b"0\r\n\r\n")
        return (int(head.split(b" ", 2)[1]), body) if whole else None

    def call(self):
        self.send()
        while not (answer := self.take()):
            pass
        return answer


class Running:
    """A target that was started; ends with all that it started."""

    def __init__(self, target, names, log):
        self.folder = Path(tempfile.mkdtemp(prefix="mlemu-bench-"))
        self.work, self.log, self.processes = self.folder / "work", log, []
        names = dict(names, work=self.work, port=free_port(), program=target.get("program"))
        self.target = {key: value if key == "body" else fill(value, names) for key, value in target.items()}
        shutil.copytree(self.target["files"], self.work)
        for file, lines in self.target.get("write", {}).items():
            (self.work / file).write_text("\n".join(lines) + "\n")
        began = time.perf_counter()
        self.spawn(self.target["start"], {})
        self.wait_until_ready()
        self.start_ms = (time.perf_counter() - began) * 1e3
        self.idle_mib = resident_mib(self.processes[0].pid)
        self.accompany(1)

    def spawn(self, command, env):
        env = {**os.environ, **env}
        out = dict(stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.processes.append(subprocess.Popen(command, cwd=self.work, env=env, start_new_session=True, **out))

    def accompany(self, copies=None):
        """Starts what belongs beside it, up to so many copies or all."""
        also = self.target.get("also")
        wanted = min(int(also["copies"]), copies or sys.maxsize) if also else 0
        for _ in range(wanted + 1 - len(self.processes)):
            self.spawn(also["run"], also["env"])

    def wait_until_ready(self):
        host, port = self.target["ready"].rsplit(":", 1)
        until = time.perf_counter() + PATIENCE
        while time.perf_counter() < until:
            if self.processes[0].poll() is not None:
                break
            try:
                return socket.create_connection((host, int(port)), timeout=1).close()
            except OSError:
                time.sleep(0.002)
        raise RuntimeError(f"{self.target['name']} did not come up")

    def right(self, answer):
        return answer[0] == 200 and self.target["expect"].encode() in answer[1]

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def resident_mib(pid):
    """Of one process, by Linux; a machine that does not tell has none."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def first_answer(running):
    """From the first call to the first right answer, wrong ones on the way included."""
    client, began, answer = Client(running.target), time.perf_counter(), None
    while time.perf_counter() - began < PATIENCE:
        try:
            answer = client.call()
            if running.right(answer):
                return (time.perf_counter() - began) * 1e3
        except OSError as error:
            answer = error
            client.close()
        time.sleep(0.01)
    raise RuntimeError(f"{running.target['name']} gave no right answer: {answer!r}")


def one_client(running, calls):
    client, times, bad = Client(running.target), [], 0
    for number in range(WARM_UP + calls):
        answer = client.call()
        if number >= WARM_UP:
            times.append((time.perf_counter() - client.sent) * 1e3)
        bad += not running.right(answer)
    return times, bad


def many_clients(running, seconds):
    """Eight clients in one thread: each calls again as soon as it has its answer."""
    times, bad = [], 0
    began = time.perf_counter()
    with selectors.DefaultSelector() as ready:
        for _ in range(CLIENTS):
            client = Client(running.target)
            client.send()
            ready.register(client.socket, selectors.EVENT_READ, client)
        while ready.get_map():
            for key, _ in ready.select(PATIENCE):
                client = key.data
                answer = client.take()
                if not answer:
                    continue
                now = time.perf_counter()
                times.append((now - client.sent) * 1e3)
                bad += not running.right(answer)
                if now - began < seconds:
                    client.send()
                else:
                    ready.unregister(client.socket)
    return times, bad, time.perf_counter() - began


def edit(running):
    """Saves a change as an editor does and polls until it is live."""
    change = running.target["edit"]
    path = running.work / change["file"]
    path.with_suffix(".new").write_text(path.read_text().replace(change["from"], change["to"]))
    began, bad = time.perf_counter(), 0
    os.replace(path.with_suffix(".new"), path)
    client = Client(running.target)
    while time.perf_counter() - began < PATIENCE:
        try:
            status, body = client.call()
            bad += status != 200
            if change["to"].encode() in body:
                return (time.perf_counter() - began) * 1e3, bad
        except OSError:
            bad += 1
            client.close()
        time.sleep(0.005)
    raise RuntimeError(f"{running.target['name']} never ran the edited file")


def measure(target, names, args, log):
    running = Running(target, names, log)
    try:
        result = {"start": running.start_ms, "idle": running.idle_mib, "first": first_answer(running)}
        times, bad = one_client(running, args.calls)
        result |= {"one p50": percentile(times, 0.5), "one p99": percentile(times, 0.99)}
        running.accompany()
        bad += many_clients(running, args.seconds)[1]
        times, more, seconds = many_clients(running, args.seconds)
        result |= {"many p50": percentile(times, 0.5), "many p99": percentile(times, 0.99)}
        result |= {"many /s": len(times) / seconds, "bad": bad + more}
        if "edit" in running.target:
            result["edit"], more = edit(running)
            result["bad"] += more
        return result
    finally:
        running.stop()


def build(target):
    """Runs the target's cargo command; gives the program that it made."""
    done = subprocess.run(target["build"], cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [message["executable"] for message in messages if message.get("executable")][-1]


def prepare(steps, names):
    for step in fill(steps, names):
        if not os.path.exists(step["unless"]):
            subprocess.run(step["run"], check=True)


def ratio(results, floor, name, measure):
    """Median over the rounds of the ratio within each round."""
    pairs = zip(results[name], results[floor])
    ratios = [mine[measure] / least[measure] for mine, least in pairs if least.get(measure) and measure in mine]
    return statistics.median(ratios) if ratios else None


def report(results, floor):
    print("| target |", " | ".join(MEASURES), "| bad |")
    print("|---|" + "--:|" * (len(MEASURES) + 1))
    for name, rounds in results.items():
        cells = []
        for measure in MEASURES:
            values = [found[measure] for found in rounds if measure in found]
            cell = f"{statistics.median(values):.2f}" if values else ""
            against = ratio(results, floor, name, measure) if floor in results and name != floor else None
            cells.append(f"{cell} ({against:.2f}x)" if against else cell)
        print(f"| {name} |", " | ".join(cells), f"| {sum(found['bad'] for found in rounds)} |")
    count = max(map(len, results.values()))
    print(f"\nMilliseconds, but MiB for `idle`, calls a second for `many /s`; medians of {count} rounds, ratios to {floor}.")


def broken(results, floor, limits):
    for name, rounds in results.items():
        if sum(found["bad"] for found in rounds):
            yield f"{name}: some answers were wrong or missing"
        for measure, limit in limits.items() if name != floor and floor in results else ():
            found = ratio(results, floor, name, measure)
            if found is None or found > limit:
                yield f"{name}: {measure} is {found:.2f} x {floor}'s, more than {limit}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="?", default=HERE / "invoke" / "targets.json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000, help="of the one client, in each round")
    parser.add_argument("--seconds", type=float, default=3, help="of the many clients, in each round")
    parser.add_argument("--only", default="", help="names of targets, with commas between")
    parser.add_argument("--program", action="append", default=[], metavar="NAME=PATH", help="instead of building it")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a limit is not kept")
    parser.add_argument("--log", default=os.devnull, help="file for what the targets print")
    args = parser.parse_args()

    plan = json.loads(args.targets.read_text())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlemu-bench"
    names = dict(here=HERE, cache=cache, python=sys.executable, cores=os.cpu_count(), version=VERSION)
    only = set(filter(None, args.only.split(",")))
    targets = [target for target in plan["targets"] if not only or target["name"] in only]
    prepare(plan.get("prepare", []), names)
    given = dict(pair.split("=", 1) for pair in args.program)
    for target in targets:
        if "build" in target:
            target["program"] = given.get(target["name"]) or build(target)

    results = {target["name"]: [] for target in targets}
    with open(args.log, "ab") as log:
        for number in range(args.rounds):
            # Nobody is always first.
            for target in targets if number % 2 == 0 else reversed(targets):
                print(f"round {number + 1}: {target['name']}", file=sys.stderr)
                results[target["name"]].append(measure(target, names, args, log))
    report(results, plan["floor"])
    complaints = list(broken(results, plan["floor"], plan.get("limits", {})))
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if args.check and complaints else 0


if __name__ == "__main__":
    sys.exit(main())
