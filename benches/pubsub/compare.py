#!/usr/bin/env python3
"""How fast do messages go through mlemu's Pub/Sub, and through Google's own emulator?

    benches/pubsub/compare.py MLEMU PUBSUB_LOAD [--rounds 3] [--messages 10000] [--bytes 100]

Only Python's standard library is needed. MLEMU is the program, PUBSUB_LOAD the example of mlemu-gcp of that name: one
bare gRPC client that publishes and takes messages from a stream at the same time, the same for both. Emulators are
measured in turn, round after round, warm from a first round that does not count; the table shows medians, and the
last line the ratio of messages through. Without gcloud's emulator (`pubsub-emulator` beside gcloud, and a Java) mlemu
is measured alone. The exit status is 1 when a message was lost or doubled.
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE = 60.0


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def accepts(port):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"nobody accepts connections on port {port}")


def googles():
    """The command of Google's emulator without its port, if it is there."""
    gcloud, java = shutil.which("gcloud"), shutil.which("java")
    if not gcloud or not java:
        return None
    folder = Path(os.path.realpath(gcloud)).parent.parent / "platform" / "pubsub-emulator" / "lib"
    jars = sorted(folder.glob("cloud-pubsub-emulator-*-all.jar"))
    return [java, "-jar", str(jars[-1]), "--host=127.0.0.1"] if jars else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mlemu", type=Path)
    parser.add_argument("load", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--bytes", type=int, default=100)
    args = parser.parse_args()
    running, ports = [], {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            ports["mlemu"] = free_port()
            command = [args.mlemu.resolve(), "up", "--gcp-port", str(ports["mlemu"]), "--control-port", "0"]
            running.append(subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            if java := googles():
                ports["google"] = free_port()
                command = [*java, f"--port={ports['google']}"]
                running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            else:
                print("skipped: Google's emulator is not installed", file=sys.stderr)
            for port in ports.values():
                accepts(port)
            return measure(args, ports)
        finally:
            for process in running:
                process.terminate()
                process.wait()


def measure(args, ports):
    found = {name: [] for name in ports}
    for number in range(args.rounds + 1):
        for name, port in ports.items():
            command = [args.load.resolve(), f"127.0.0.1:{port}", str(args.messages), str(args.bytes)]
            said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            if number > 0:
                found[name].append(said)
    print(f"{'':8}{'published /s':>16}{'through /s':>16}{'lost':>8}{'doubled':>8}")
    through, bad = {}, 0
    for name, rounds in found.items():
        middle = {key: statistics.median(one[key] for one in rounds) for key in ("published_per_s", "through_per_s")}
        lost, doubled = (sum(one[key] for one in rounds) for key in ("lost", "doubled"))
        through[name] = middle["through_per_s"]
        bad += lost + doubled if name == "mlemu" else 0
        print(f"{name:8}{middle['published_per_s']:16.0f}{middle['through_per_s']:16.0f}{lost:8}{doubled:8}")
    if "google" in through:
        print(f"mlemu / google: {through['mlemu'] / through['google']:.1f}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
