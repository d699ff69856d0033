#!/usr/bin/env python3
"""One forest three ways: scikit-learn, ONNX Runtime in Python, and no Python at all; at 128 MB and at one vCPU.

    compare/run.py [--calls 20] [--cold 2]

Only Python's standard library is needed. `mlemu tune` measures each of them in the memory and with the CPU that
Lambda gives there; MLEMU names another program than the one on PATH. It takes some minutes, most of them at the
fourteenth of a core that 128 MB come with.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent
EVENT = EXAMPLE / "event.json"
SIZES = {128: "128 MB", 1769: "1 vCPU"}


def tuned(project, function, arguments):
    """What `mlemu tune` measured, by memory size."""
    command = [os.environ.get("MLEMU", "mlemu"), "tune", function, "--project", str(project), "--json"]
    command += ["--event", str(EVENT), "--memory", ",".join(map(str, SIZES))]
    command += ["--calls", str(arguments.calls), "--cold", str(arguments.cold)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout.strip():
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}")
    return {row["memory_mb"]: row for row in json.loads(done.stdout)["rows"]}


def shown(milliseconds):
    if milliseconds is None:
        return "-"
    return f"{milliseconds / 1000:.2f} s" if milliseconds >= 1000 else f"{milliseconds:.2f} ms"


def line(name, rows):
    cells = [f"{name:26}"]
    for size in SIZES:
        row = rows.get(size, {})
        cells.append(f"{shown(row.get('cold_p50_ms')):>12} {shown(row.get('warm_p50_ms')):>12}")
        peak = row.get("peak_mb")
        cells.append(f"{f'{peak:.0f} MB' if peak and not row['failed'] else '-':>9}")
    return " ".join(cells)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20, help="warm calls at each size")
    parser.add_argument("--cold", type=int, default=2, help="cold starts at each size")
    arguments = parser.parse_args()
    native = tuned(EXAMPLE, "Predict", arguments)  # trains the model, where that has not been done
    shutil.copyfile(EXAMPLE / "model.onnx", HERE / "model.onnx")
    python = tuned(HERE, "InPython", arguments)
    sklearn = tuned(EXAMPLE.parent / "diabetes", "Predict", arguments)
    head = " ".join(f"{f'cold {size}':>12} {f'warm {size}':>12} {'peak':>9}" for size in SIZES.values())
    print(f"{'':26} {head}")
    ways = {"scikit-learn": sklearn, "ONNX Runtime in Python": python, "ONNX Runtime, no Python": native}
    for name, rows in ways.items():
        print(line(name, rows))
    for name, rows in ways.items():
        for size, row in rows.items():
            if row["failed"]:
                print(f"{name} at {SIZES[size]}: {row['failed']}")


if __name__ == "__main__":
    main()
