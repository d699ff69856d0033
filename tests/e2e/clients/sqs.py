"""The SQS API from boto3: queues and messages as their users know them, and functions that are fed from them."""

import hashlib
import json
import socket
import time
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config
from checks import refused, run, same, settled

config = Config(retries={"max_attempts": 0}, read_timeout=60)
sqs = boto3.client("sqs", config=config)
functions = boto3.client("lambda", config=config)


def arn(url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def standard():
    """Create, send with attributes, receive, change visibility, delete, batches, errors by their names."""
    url = sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "20"}, tags={"team": "ml"})["QueueUrl"]
    same(sqs.get_queue_url(QueueName="plain")["QueueUrl"], url)
    assert url.startswith(sqs.meta.endpoint_url), url
    same(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "ml"})
    body = "grüße <&>\r\n\t🌼"
    said = {"n": {"DataType": "Number", "StringValue": "7"}, "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}
    # boto3 checks the digests of what it sends and receives.
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=said)
    got = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"][0]
    same((got["Body"], got["MessageId"]), (body, sent["MessageId"]))
    same((got["MessageAttributes"]["n"], got["MessageAttributes"]["b"]["BinaryValue"]), (said["n"], b"\x00\xff"))
    same(got["MD5OfBody"], hashlib.md5(body.encode()).hexdigest())
    same("Messages" in sqs.receive_message(QueueUrl=url), False)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"], VisibilityTimeout=0)
    got = sqs.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"])["Messages"][0]
    same(got["Attributes"]["ApproximateReceiveCount"], "2")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])

    entries = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(10)]
    same(len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]), 10)
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    same([message["Body"] for message in messages], [f"m{n}" for n in range(10)])
    handles = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
    same(len(sqs.delete_message_batch(QueueUrl=url, Entries=handles)["Successful"]), 10)

    refused("AWS.SimpleQueueService.NonExistentQueue", 400, sqs.get_queue_url, QueueName="none")
    try:
        sqs.get_queue_url(QueueName="none")
    except sqs.exceptions.QueueDoesNotExist:
        pass
    refused("QueueAlreadyExists", 400, sqs.create_queue, QueueName="plain", Attributes={"VisibilityTimeout": "21"})
    refused("InvalidParameterValue", 400, sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
    refused("ReceiptHandleIsInvalid", 400, sqs.delete_message, QueueUrl=url, ReceiptHandle="x")
    sqs.purge_queue(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    same(sqs.list_queues(QueueNamePrefix="plain").get("QueueUrls", []), [])


def fifo():
    """Groups in order and locked, duplicates, dead letters and their way back."""
    dead = sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn(dead), "maxReceiveCount": 1})
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "RedrivePolicy": policy}
    url = sqs.create_queue(QueueName="q.fifo", Attributes=attributes)["QueueUrl"]
    same(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])
    first = sqs.send_message(QueueUrl=url, MessageBody="a1", MessageGroupId="a")
    again = sqs.send_message(QueueUrl=url, MessageBody="a1", MessageGroupId="a")
    same(first["SequenceNumber"], again["SequenceNumber"])
    for body in ("a2", "b1"):
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[0])
    got = sqs.receive_message(QueueUrl=url)["Messages"]
    same([message["Body"] for message in got], ["a1"])
    others = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    same([message["Body"] for message in others], ["b1"], "group a is locked")
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"], VisibilityTimeout=0)
    got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    same([message["Body"] for message in got], ["a2"], "a1 was received once already")
    buried = sqs.receive_message(QueueUrl=dead, AttributeNames=["All"], VisibilityTimeout=0)["Messages"][0]
    same((buried["Body"], buried["Attributes"]["DeadLetterQueueSourceArn"]), ("a1", arn(url)))
    sqs.start_message_move_task(SourceArn=arn(dead))
    sqs.delete_message(QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
    back = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
    same(back["Messages"][0]["Body"], "a1")
    same(sqs.list_message_move_tasks(SourceArn=arn(dead))["Results"][0]["Status"], "COMPLETED")


def polls():
    """A waiting receiver hears of a message at once; one that hung up takes none with it."""
    url = sqs.create_queue(QueueName="polled")["QueueUrl"]
    gone, receiver = poll(url), poll(url)
    gone.close()
    sent = time.perf_counter()
    sqs.send_message(QueueUrl=url, MessageBody="m")
    answer = b"".join(iter(lambda: receiver.recv(65536), b"")).decode()
    assert "<Body>m</Body>" in answer, answer
    assert time.perf_counter() - sent < 5, answer


def poll(url):
    """A receiver whose request the daemon has begun to read: it said so."""
    place = urllib.parse.urlparse(url)
    form = b"Action=ReceiveMessage&WaitTimeSeconds=20"
    head = [
        f"POST {place.path} HTTP/1.1",
        f"Host: {place.netloc}",
        "Connection: close",
        "Expect: 100-continue",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(form)}",
    ]
    client = socket.create_connection((place.hostname, place.port))
    client.sendall("\r\n".join([*head, "", ""]).encode())
    same(client.recv(25), b"HTTP/1.1 100 Continue\r\n\r\n")
    client.sendall(form)
    return client


def forms():
    """The query protocol, as older SDKs and shells speak it."""
    url = sqs.create_queue(QueueName="old")["QueueUrl"]

    def ask(form):
        with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode()) as answer:
            return answer.read().decode()

    assert "<MD5OfMessageBody>" in ask({"Action": "SendMessage", "MessageBody": "ä"})
    assert "<Body>ä</Body>" in ask({"Action": "ReceiveMessage"})
    with urllib.request.urlopen(f"{url}?Action=GetQueueAttributes&AttributeName.1=All&Version=2012-11-05") as answer:
        assert "<Name>ApproximateNumberOfMessagesNotVisible</Name><Value>1</Value>" in answer.read().decode()


def mappings():
    """A mapping by the API: made, seen, switched off, removed."""
    url = sqs.create_queue(QueueName="fed", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    made = functions.create_event_source_mapping(EventSourceArn=arn(url), FunctionName="Worker", BatchSize=3)
    uuid = made["UUID"]
    same(functions.get_event_source_mapping(UUID=uuid)["State"], "Enabled")
    same([one["UUID"] for one in functions.list_event_source_mappings(EventSourceArn=arn(url))["EventSourceMappings"]], [uuid])
    refused("ResourceConflictException", 409, functions.create_event_source_mapping, EventSourceArn=arn(url), FunctionName="Worker")
    for number in range(6):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"row": f"api-{number}"}))
    settled()
    same(functions.update_event_source_mapping(UUID=uuid, Enabled=False)["State"], "Disabling")
    sqs.send_message(QueueUrl=url, MessageBody="stays")
    same(functions.delete_event_source_mapping(UUID=uuid)["State"], "Deleting")
    refused("ResourceNotFoundException", 404, functions.get_event_source_mapping, UUID=uuid)
    same(sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"], "stays")


def feeds():
    """A template's queue, its function, partial failures, and its dead-letter queue."""
    jobs = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    for row in ("good-1", "bad-2", "good-3"):
        sqs.send_message(QueueUrl=jobs, MessageBody=json.dumps({"row": row}))
    sqs.send_message(QueueUrl=jobs, MessageBody=json.dumps({"other": "unwanted"}))
    settled()
    dead = sqs.get_queue_url(QueueName="dead")["QueueUrl"]
    got = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=20, AttributeNames=["All"], MaxNumberOfMessages=10)["Messages"]
    same([json.loads(message["Body"])["row"] for message in got], ["bad-2"])


run({case.__name__: case for case in (standard, fifo, polls, forms, mappings, feeds)})
