#!/usr/bin/env python3
"""How long do S3 and SQS take in mlemu, and in moto's server, which keeps everything in memory?

    benches/storage/compare.py MLEMU MOTO_SERVER [--times 200] [--only s3|sqs]

It needs boto3. MLEMU is the program, MOTO_SERVER the one that `pip install 'moto[server]'` puts there. Each step is
done in turn by both servers, so that what else the machine does falls on both. The table shows medians in
milliseconds with boto3, their ratio, and its limit; and the same request replayed over a bare connection that is kept
open, which tells how much of it is the client's own. The exit status is 1 when a limit is exceeded. Files of mlemu go
to the folder for temporary files.
"""
import argparse
import concurrent.futures
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid
from pathlib import Path

import boto3
from botocore.config import Config

PATIENCE = 60.0
KIB, MIB = 1024, 1024 * 1024
# Of moto's median; `None`: only shown.
LIMITS = {
    "put 1 KiB": 0.5,
    "get 1 KiB": 0.5,
    "head": 0.5,
    "put 8 MiB": 1.0,
    "get 8 MiB": 1.0,
    "list 1000": 0.65,
    "send + receive + delete": 0.4,
    "long poll wakes": 0.33,
}
# Over a bare connection: with boto3 most of it is the client's.
WAKE_MS = 3.0
# How much slower a receive may be with a thousand times more messages waiting.
QUEUED = 1.5


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


class Server:
    """One of the two, with clients that remember their last request."""

    def __init__(self, port):
        self.port, self.last = port, None
        self.s3, self.sqs = self.client("s3"), self.client("sqs")

    def client(self, service):
        made = boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        made.meta.events.register("before-send", self.remember)
        return made

    def remember(self, request, **_):
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
            request.body.seek(0)
        url = urllib.parse.urlsplit(request.url)
        headers = {name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()}
        self.last = (request.method, url.path + (f"?{url.query}" if url.query else ""), body, headers)

    def bare(self):
        """The last request over a bare connection: a function that sends it and returns the answer's body."""
        method, target, body, headers = self.last
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers.pop("Expect", None)

        def send():
            connection.request(method, target, body, headers)
            return connection.getresponse().read()

        return send

    def replayed(self, times):
        """The median of the last request over a bare connection."""
        send, took = self.bare(), []
        for _ in range(times):
            began = time.perf_counter()
            send()
            took.append(time.perf_counter() - began)
        return statistics.median(took) * 1000


def measured(servers, step, times, replays=True):
    """Medians of `step` in each server, in turn; and those of its last request replayed."""
    took = [[] for _ in servers]
    for at in range(times + 3):
        for place, server in enumerate(servers):
            began = time.perf_counter()
            step(server, at)
            if at >= 3:
                took[place].append(time.perf_counter() - began)
    medians = [statistics.median(each) * 1000 for each in took]
    return medians, [server.replayed(min(times, 50)) for server in servers] if replays else [None, None]


def s3_steps(servers, times):
    bucket = f"bench-{uuid.uuid4().hex[:12]}"
    small, large = os.urandom(KIB), os.urandom(8 * MIB)
    for server in servers:
        server.s3.create_bucket(Bucket=bucket)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda at: server.s3.put_object(Bucket=bucket, Key=f"l/{at:05}", Body=b"x"), range(1000)))
        server.s3.put_object(Bucket=bucket, Key="large", Body=large)
    few = max(10, times // 15)
    return [
        ("put 1 KiB", lambda one, at: one.s3.put_object(Bucket=bucket, Key=f"s/{at % 50}", Body=small), times),
        ("get 1 KiB", lambda one, at: one.s3.get_object(Bucket=bucket, Key=f"s/{at % 50}")["Body"].read(), times),
        ("head", lambda one, _: one.s3.head_object(Bucket=bucket, Key="s/0"), times),
        ("put 8 MiB", lambda one, _: one.s3.put_object(Bucket=bucket, Key="large", Body=large), few),
        ("get 8 MiB", lambda one, _: one.s3.get_object(Bucket=bucket, Key="large")["Body"].read(), few),
        ("list 1000", lambda one, _: one.s3.list_objects_v2(Bucket=bucket, Prefix="l/"), few),
    ]


def through(server, url):
    server.sqs.send_message(QueueUrl=url, MessageBody="x" * KIB)
    message = server.sqs.receive_message(QueueUrl=url)["Messages"][0]
    server.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def wake(server, times=20):
    """From the sending of a message to its arrival at who waits for it: with boto3, and over bare connections.

    What has arrived stays invisible for longer than all this takes."""
    url = server.sqs.create_queue(QueueName=f"wake-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    waiting = server.client("sqs")

    def receive():
        return waiting.receive_message(QueueUrl=url, WaitTimeSeconds=10)

    def send():
        return server.sqs.send_message(QueueUrl=url, MessageBody="x")

    def median(receive, send):
        took = []
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            for _ in range(times):
                pending = pool.submit(lambda: (receive(), time.perf_counter()))
                time.sleep(0.2)
                began = time.perf_counter()
                send()
                took.append(pending.result()[1] - began)
        return statistics.median(took) * 1000

    with_boto3 = median(receive, send)
    send()
    bare_send = server.bare()
    receive()
    return with_boto3, median(server.bare(), bare_send)


def receive_with(server, queued, times):
    """A receive of one message while so many are waiting; mlemu alone, since moto would take minutes."""
    url = server.sqs.create_queue(QueueName=f"many-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    entries = [{"Id": str(at), "MessageBody": "x" * 100} for at in range(10)]
    for _ in range(max(queued, times + 10) // 10):
        server.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        server.sqs.receive_message(QueueUrl=url)
        took.append(time.perf_counter() - began)
    server.sqs.delete_queue(QueueUrl=url)
    return statistics.median(took) * 1000


def show(name, medians, bare, limit):
    ratio = medians[0] / medians[1]
    good = limit is None or ratio <= limit
    raw = "" if bare[0] is None else f"{bare[0]:10.2f} {bare[1]:8.2f}"
    said = "" if limit is None else f"<= {limit}"
    print(f"{name:26} {medians[0]:8.2f} {medians[1]:8.2f} {ratio:7.2f} {said:8} {raw}{'' if good else '  exceeded'}", flush=True)
    return good


def compare(servers, times, only):
    print(f"{'median ms':26} {'mlemu':>8} {'moto':>8} {'ratio':>7} {'limit':8} {'mlemu bare':>10} {'moto bare':>9}")
    good = True
    if only != "sqs":
        for name, step, count in s3_steps(servers, times):
            good &= show(name, *measured(servers, step, count), LIMITS[name])
    if only != "s3":
        urls = {server.port: server.sqs.create_queue(QueueName="through")["QueueUrl"] for server in servers}
        name = "send + receive + delete"
        medians, bare = measured(servers, lambda one, _: through(one, urls[one.port]), times, replays=False)
        good &= show(name, medians, bare, LIMITS[name])
        medians, bare = zip(*map(wake, servers))
        name = "long poll wakes"
        good &= show(name, medians, bare, LIMITS[name]) and bare[0] <= WAKE_MS
        few, many = (receive_with(servers[0], queued, 100) for queued in (100, 100_000))
        print(f"mlemu receives one of 100 in {few:.2f} ms, one of 100,000 in {many:.2f} ms")
        good &= many <= few * QUEUED
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mlemu", type=Path)
    parser.add_argument("moto", type=Path)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--only", choices=["s3", "sqs"])
    args = parser.parse_args()
    ports, running = [free_port(), free_port()], []
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as folder:
        try:
            command = [args.mlemu.resolve(), "up", "--aws-port", str(ports[0]), "--control-port", "0", "--no-watch"]
            running.append(subprocess.Popen(command, cwd=folder, **quiet))
            command = [args.moto.absolute(), "-H", "127.0.0.1", "-p", str(ports[1])]
            running.append(subprocess.Popen(command, cwd=folder, **quiet))
            for port in ports:
                accepts(port)
            return 0 if compare([Server(port) for port in ports], args.times, args.only) else 1
        finally:
            for process in running:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    sys.exit(main())
