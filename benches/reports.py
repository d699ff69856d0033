#!/usr/bin/env python3
"""What does each report say of each example?

    benches/reports.py MLEMU [EXAMPLE ...]

Copies the examples to a folder of its own, runs `fit`, `profile-init`, `tune`, `cost` and `report` in each with MLEMU,
and prints one Markdown table a report, as docs/guides/reports.md has them. What a report could not say stands where it
should have. The exit status is 1 when a report failed.
"""
import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
MB = 1 << 20
NOTHING = '{"Records": []}'
# The function that is asked of each example, and with what.
ASKED = {
    "diabetes": ("Predict", "event.json"),
    "diabetes-gcf": ("diabetes-gcf", "event.json"),
    "diabetes-azure": ("diabetes-azure/predict", "event.json"),
    "diabetes-onnx": ("Predict", "event.json"),
    "which-flower": ("WhichFlower", '{"queryStringParameters": {"url": "PICTURES/flower.jpg"}}'),
    "which-flower-azure": ("which-flower-azure/which_flower_now", "flower.jpg"),
    "sentiment": ("sentiment", '{"text": "The daisies were lovely!"}'),
    "sentiment-azure": ("sentiment-azure/sentiment", '{"text": "The daisies were lovely!"}'),
    "ai-platform-sentiment": ("kindness-careful", '{"text": "A lovely garden"}'),
    "memorability": ("memorability-model", "rose.png"),
    "batch-scoring": ("Score", NOTHING),
    "thumbnailer": ("Thumbnailer", NOTHING),
    "composition": ("Words", '{"text": "A great film"}'),
}


class Failed(Exception):
    pass


def ask(program, folder, *args):
    """A report's JSON. `fit` and `report` exit with 1 where something does not fit."""
    command = [program, "--quiet", *args, "--json"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    try:
        return json.loads(run.stdout)
    except ValueError:
        raise Failed((run.stderr or run.stdout).strip().splitlines()[0][:80]) from None


def number(value, digits=0):
    return "-" if value is None else f"{value:,.{digits}f}"


def fit(program, folder, function, event):
    (said,) = ask(program, folder, "fit", function.split("/")[0])
    biggest = said["packages"][0] if said["packages"] else said["source"]
    refused = [
        cloud["profile"] for cloud in said["clouds"] if not cloud["fits"] and any(
            not finding["fits"] and finding["refuses"] for finding in cloud["findings"])
    ]
    return [
        number(said["unzipped"] / MB, 1), number(said["zipped"] / MB, 1),
        f"{biggest['name']}, {biggest['unzipped'] / MB:.1f} MB", ", ".join(refused) or "nobody",
    ]


def profile_init(program, folder, function, event):
    said = ask(program, folder, "profile-init", function, "--event", event)
    first = said["packages"][0] if said["packages"] else None
    return [
        said["profile"], number(said["placement_ms"] + said["fetch_ms"]), number(said["runtime_ms"]), number(said["imports_ms"]),
        number(said["model_ms"]), number(said["first_call_ms"], 1), number(said["warm_call_ms"], 1),
        f"{first['name']}, {first['ms']:.0f} ms" if first else "-",
    ]


def tune(program, folder, function, event):
    said = ask(program, folder, "tune", function, "--event", event, "--calls", "5", "--cold", "1")
    ran = [row for row in said["rows"] if not row["failed"]]
    by = {row["memory_mb"]: row for row in ran}
    if not ran:
        raise Failed(said["rows"][0]["failed"][:80])
    cells = [f"{ran[0]['memory_mb']} to {ran[-1]['memory_mb']} MB"]
    for size in ("cheapest_mb", "balanced_mb", "fastest_mb"):
        row = by[said[size]]
        cells.append(f"{row['memory_mb']} MB: {row['warm_p50_ms']:.1f} ms, ${row['usd_per_million']:.2f}")
    return cells


def report(program, folder, function, event):
    said = ask(program, folder, "report", "--calls", "5", "--event", f"{function}={event}")
    (mine,) = [one for one in said["functions"] if one["function"] == function.split("/")[0]]
    if mine["failed"]:
        raise Failed(mine["failed"][:80])
    return [
        str(len(said["functions"])), number(mine["cold_ms"]), number(mine["simulated_ms"]), number(mine["warm_p95_ms"], 1),
        number(mine["peak_mb"], 1), number(mine["size_mb"], 1), number(mine["usd_per_million"], 2),
    ]


def cost(program, folder, function, event):
    """A month of a million calls as the report before measured them, on every cloud."""
    said = ask(program, folder, "report", "--calls", "5", "--event", f"{function}={event}")
    (mine,) = [one for one in said["functions"] if one["function"] == function.split("/")[0]]
    if mine["failed"]:
        raise Failed(mine["failed"][:80])
    load = ["--duration", f"{mine['warm_p95_ms']:.0f}ms", "--memory", f"{mine['memory_mb']}MB", "--cold-share", "0.01"]
    load += ["--init", f"{max(mine['cold_ms'] - mine['simulated_ms'], 1):.0f}ms", "--requests", "1000000"]
    (bills,) = ask(program, folder, "cost", *load)
    return [load[1], load[3]] + [
        f"{bill['usd']:.2f}" for bill in bills["bills"]
    ]


REPORTS = {
    "mlemu fit": (fit, ["MB", "MB zipped", "biggest part", "refused by"]),
    "mlemu profile-init": (
        profile_init,
        ["profile", "placement + fetch, ms", "runtime, ms", "imports, ms", "model, ms", "first call, ms", "warm, ms", "most of it"],
    ),
    "mlemu tune": (tune, ["sizes", "cheapest", "balanced", "fastest"]),
    "mlemu cost": (cost, ["a call", "memory", "Lambda", "GCF gen1", "GCF gen2", "Azure Consumption", "Azure Flex"]),
    "mlemu report": (
        report, ["functions", "cold, ms", "of it simulated", "warm p95, ms", "peak, MB", "size, MB", "USD per million"],
    ),
}


@contextlib.contextmanager
def pictures(folder):
    """A server with the example's own files."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def main(program, *wanted):
    program = str(Path(program).resolve())
    failed = False
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(EXAMPLES, Path(place) / "examples", dirs_exist_ok=True)
        tables = {name: [] for name in REPORTS}
        for example in wanted or ASKED:
            function, event = ASKED[example]
            folder = Path(place) / "examples" / example
            with pictures(folder) as address:
                # Whatever its steps make is there from here on.
                with contextlib.suppress(Failed):
                    ask(program, folder, "report", "--calls", "1")
                for name, (make, columns) in REPORTS.items():
                    try:
                        cells = make(program, folder, function, event.replace("PICTURES", address))
                    except (Failed, subprocess.TimeoutExpired) as why:
                        cells = [str(why)] + [""] * (len(columns) - 1)
                        failed = True
                    tables[name].append([example, *cells])
                    print(f"{example}: {name}", file=sys.stderr, flush=True)
    for name, (_, columns) in REPORTS.items():
        print(f"\n## {name}\n\n| example | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
        for row in tables[name]:
            print(f"| {' | '.join(row)} |")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
