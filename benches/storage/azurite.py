#!/usr/bin/env python3
"""How long do Blob and Queue Storage take in mlemu, and in Azurite, the vendor's own emulator?

    benches/storage/azurite.py MLEMU AZURITE [--times 300] [--json]

It needs azure-storage-blob and azure-storage-queue. MLEMU is the program, AZURITE the one that `npm install azurite`
puts into node_modules/.bin. Both keep what they get in files, and each step is done by both in rounds that take turns,
so that what else the machine does falls on both, and neither is measured with the other's work in the caches. The table shows medians in milliseconds through the SDK and of the same request replayed
over a bare connection that is kept open, which is the server's own share; then the time until all ports are open, and
the memory after all of it. Each line has a ratio and its limit; the exit status is 1 when one is exceeded.
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
import urllib.parse
from pathlib import Path

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

PATIENCE = 60.0
ACCOUNT = "devstoreaccount1"
# Published by the vendor for every emulator.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
SDK, BARE, START, MEMORY = 0.6, 0.25, 0.1, 0.25
STARTS = 5
# Steps of one server in a row, and those before them that are not measured.
ROUND, WARMING = 25, 3
KIB = 1024


def free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


class Server:
    """One of the two, started in a folder of its own."""

    def __init__(self, command):
        self.folder = tempfile.TemporaryDirectory()
        self.ports = free_ports(4)
        quiet = {"cwd": self.folder.name, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        began = time.perf_counter()
        self.process = subprocess.Popen(command(self.folder.name, *self.ports), **quiet)
        for port in self.ports[:2]:
            self.wait(port)
        self.started = (time.perf_counter() - began) * 1000

    def wait(self, port):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.001)
        sys.exit(f"nobody accepts connections on port {port}")

    def open(self):
        blob, queue = (f"http://127.0.0.1:{port}/{ACCOUNT}" for port in self.ports[:2])
        connection = (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={blob};QueueEndpoint={queue};"
        )
        self.container = BlobServiceClient.from_connection_string(connection).create_container("bench")
        self.queue = QueueServiceClient.from_connection_string(connection).create_queue("bench")
        self.last = None

    def remember(self, request):
        self.last = request.http_request

    def memory(self):
        """Of the process and all below it, in MB."""
        total, left = 0, [self.process.pid]
        while left:
            pid = left.pop()
            status = Path(f"/proc/{pid}/status").read_text()
            total += int(re.search(r"VmRSS:\s+(\d+)", status)[1])
            for task in Path(f"/proc/{pid}/task").iterdir():
                left += [int(child) for child in (task / "children").read_text().split()]
        return total / KIB

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()

    def replayed(self, times):
        """Times of the last request over a bare connection, in milliseconds."""
        asked = self.last
        url = urllib.parse.urlsplit(asked.url)
        body = asked.body.read() if hasattr(asked.body, "read") else asked.body or b""
        body = body.encode() if isinstance(body, str) else body
        headers = {**asked.headers, "Host": url.netloc, "Content-Length": str(len(body))}
        target = url.path + (f"?{url.query}" if url.query else "")
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"{asked.method} {target} HTTP/1.1\r\n{head}\r\n".encode() + body
        with socket.create_connection((url.hostname, url.port), timeout=PATIENCE) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return [exchange(connection, request) for _ in range(times)]


def exchange(connection, request):
    """The time until the whole answer is there, in milliseconds."""
    began = time.perf_counter()
    connection.sendall(request)
    received = b""
    while True:
        piece = connection.recv(1 << 16)
        if not piece:
            raise ConnectionError("closed before the answer was whole")
        received += piece
        head, found, body = received.partition(b"\r\n\r\n")
        if not found:
            continue
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        whole = len(body) >= int(length[1]) if length else not is_chunked(head) or body.endswith(b"0\r\n\r\n")
        if whole:
            took = (time.perf_counter() - began) * 1000
            if not head.startswith(b"HTTP/1.1 2"):
                raise ValueError(f"a wrong answer: {received!r}")
            return took


def is_chunked(head):
    return b"transfer-encoding: chunked" in head.lower()


def steps():
    """Names of what is done, and how; each remembers its request."""
    payload = os.urandom(KIB)

    def put(one, at):
        one.container.get_blob_client(f"b/{at % 50}").upload_blob(payload, overwrite=True, raw_request_hook=one.remember)

    def get(one, at):
        got = one.container.get_blob_client(f"b/{at % 50}").download_blob(raw_request_hook=one.remember).readall()
        assert got == payload, "the blob came back different"

    def send(one, at):
        one.queue.send_message(f"message {at}", raw_request_hook=one.remember)

    def receive(one, _):
        assert one.queue.receive_message(visibility_timeout=3600, raw_request_hook=one.remember) is not None

    return [("put 1 KiB", put), ("get 1 KiB", get), ("send", send), ("receive", receive)]


def in_turn(servers, step, times):
    """Medians in milliseconds. Who has just begun a round is not measured yet."""
    took = [[] for _ in servers]
    for begin in range(0, times, ROUND):
        for place, server in enumerate(servers):
            for at in range(begin - WARMING, begin + ROUND):
                began = time.perf_counter()
                step(server, at)
                if at >= begin:
                    took[place].append((time.perf_counter() - began) * 1000)
    return [statistics.median(each) for each in took]


class Table:
    def __init__(self):
        self.rows = []

    def add(self, name, ours, theirs, limit):
        self.rows.append({"name": name, "mlemu": ours, "azurite": theirs, "ratio": ours / theirs, "limit": limit})

    def show(self):
        print(f"{'':24}{'mlemu':>10}{'azurite':>10}{'ratio':>8}  limit")
        for row in self.rows:
            note = "" if row["ratio"] <= row["limit"] else "  exceeded"
            print("{name:24}{mlemu:10.3f}{azurite:10.3f}{ratio:8.3f}  <= {limit}".format(**row) + note)

    def is_good(self):
        return all(row["ratio"] <= row["limit"] for row in self.rows)


def compare(commands, times):
    table, started = Table(), [[], []]
    for _ in range(STARTS):
        for place, command in enumerate(commands):
            server = Server(command)
            started[place].append(server.started)
            server.stop()
    servers = [Server(command) for command in commands]
    try:
        for server in servers:
            server.open()
        for name, step in steps():
            table.add(f"{name}, SDK, ms", *in_turn(servers, step, times), SDK)
            if name == "receive":
                # There must be something to receive for each of those that follow.
                for at in range(times * 2):
                    for server in servers:
                        server.queue.send_message(f"more {at}")
            rounds = [[server.replayed(times // 5) for server in servers] for _ in range(5)]
            bare = [statistics.median(sum(each, [])) for each in zip(*rounds)]
            table.add(f"{name}, bare, ms", *bare, BARE)
        table.add("start, ms", *(statistics.median(each) for each in started), START)
        table.add("memory, MB", *(server.memory() for server in servers), MEMORY)
    finally:
        for server in servers:
            server.stop()
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mlemu", type=Path)
    parser.add_argument("azurite", type=Path)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    def ours(folder, blob, queue, control, _):
        ports = ["--blob-port", str(blob), "--queue-port", str(queue), "--control-port", str(control)]
        return [args.mlemu.resolve(), "up", *ports, "--no-watch", "--persist", str(Path(folder) / "kept")]

    def theirs(folder, blob, queue, table, _):
        ports = ["--blobPort", str(blob), "--queuePort", str(queue), "--tablePort", str(table)]
        return [args.azurite.absolute(), "--skipApiVersionCheck", "--silent", "--location", folder, *ports]

    table = compare([ours, theirs], args.times)
    print(json.dumps(table.rows)) if args.json else table.show()
    return 0 if table.is_good() else 1


if __name__ == "__main__":
    sys.exit(main())
