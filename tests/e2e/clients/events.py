"""Asynchronous invocations, SNS, EventBridge and aliases from boto3, as their users know them."""

import base64
import datetime
import http.server
import io
import json
import os
import threading
import urllib.request
import zipfile

import boto3
from botocore.config import Config
from checks import refused, run, same
from pytest_mlemu import Mlemu

config = Config(retries={"max_attempts": 0}, read_timeout=60)
functions = boto3.client("lambda", config=config)
sqs = boto3.client("sqs", config=config)
sns = boto3.client("sns", config=config)
events = boto3.client("events", config=config)
s3 = boto3.client("s3", config=config)

REGION = events.meta.region_name
FUNCTION = f"arn:aws:lambda:{REGION}:000000000000:function:Moody"


def arn(service, name):
    return f"arn:aws:{service}:{REGION}:000000000000:{name}"


mlemu = Mlemu(dict(os.environ))


def wait(**until):
    mlemu.wait(until, timeout=120)


def frozen():
    mlemu.clock.freeze()


def advance(span):
    mlemu.clock.advance(span)


def queue(name):
    return sqs.get_queue_url(QueueName=name)["QueueUrl"]


def messages(name, count=1):
    """What is in a queue, which must be `count` messages."""
    url, all = queue(name), []
    while len(all) < count:
        got = sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=10, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages", [])
        assert got, f"{name} has {len(all)} of {count} messages: {all}"
        all += got
        for one in got:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    same(len(all), count, name)
    same(sqs.receive_message(QueueUrl=url).get("Messages", []), [], name)
    return all


def destinations():
    """Success and failure documents, the dead letter, and a retry that waits for its minute."""
    frozen()
    functions.invoke(FunctionName="Moody", InvocationType="Event", Payload=b'{"n": 1.10}')
    record = json.loads(messages("good")[0]["Body"])
    context = record["requestContext"]
    same((record["version"], context["condition"], context["approximateInvokeCount"]), ("1.0", "Success", 1))
    same(context["functionArn"], FUNCTION + ":$LATEST")
    same(record["responseContext"], {"statusCode": 200, "executedVersion": "$LATEST"})
    same((record["requestPayload"], record["responsePayload"]), ({"n": 1.1}, {"n": 1.1, "by": "$LATEST"}))

    sent = functions.invoke(FunctionName="Moody", InvocationType="Event", Payload=b'{"fail": true}')
    same(sent["StatusCode"], 202)
    wait(invocations={"function": "Moody", "status": "failed"})
    same(sqs.receive_message(QueueUrl=queue("bad")).get("Messages", []), [])
    advance("2m")
    wait(idle=True)
    record = json.loads(messages("bad")[0]["Body"])
    same(record["requestContext"]["condition"], "RetriesExhausted")
    same(record["requestContext"]["approximateInvokeCount"], 2)
    same(record["responseContext"]["functionError"], "Unhandled")
    same(record["responsePayload"]["errorMessage"], "told to")
    dead = messages("dead")[0]
    same(json.loads(dead["Body"]), {"fail": True})
    said = {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()}
    same((said["ErrorCode"], said["ErrorMessage"]), ("200", "told to"))
    same(said["RequestID"], record["requestContext"]["requestId"])


def throttles():
    """Throttled until the event is too old, and not let in at all."""
    frozen()
    mlemu.fault("throttle", service="functions", function="Moody")
    functions.invoke(FunctionName="Moody", InvocationType="Event", Payload=b'{"n": 2}')
    advance("5h")
    same(sqs.receive_message(QueueUrl=queue("bad")).get("Messages", []), [])
    advance("1h")
    wait(idle=True)
    record = json.loads(messages("bad")[0]["Body"])
    same(record["requestContext"]["condition"], "EventAgeExceeded")
    same(record["requestContext"]["approximateInvokeCount"], 0)
    assert "responsePayload" not in record, record
    messages("dead")

    functions.put_function_concurrency(FunctionName="Moody", ReservedConcurrentExecutions=0)
    functions.invoke(FunctionName="Moody", InvocationType="Event", Payload=b"{}")


def configurations():
    """Put, update, get, list, delete, and what AWS refuses."""
    told = functions.get_function_event_invoke_config(FunctionName="Moody")
    same((told["FunctionArn"], told["MaximumRetryAttempts"]), (FUNCTION + ":$LATEST", 1))
    same(told["DestinationConfig"]["OnSuccess"], {"Destination": arn("sqs", "good")})
    same(functions.get_function_event_invoke_config(FunctionName="Moody", Qualifier="live")["MaximumRetryAttempts"], 1)
    put = functions.put_function_event_invoke_config(FunctionName="Moody", MaximumEventAgeInSeconds=60)
    assert "MaximumRetryAttempts" not in put, put
    same(put["DestinationConfig"], {"OnSuccess": {}, "OnFailure": {}})
    functions.update_function_event_invoke_config(FunctionName="Moody", MaximumRetryAttempts=0)
    told = functions.get_function_event_invoke_config(FunctionName="Moody")
    same((told["MaximumRetryAttempts"], told["MaximumEventAgeInSeconds"]), (0, 60))
    same(len(functions.list_function_event_invoke_configs(FunctionName="Moody")["FunctionEventInvokeConfigs"]), 2)
    functions.delete_function_event_invoke_config(FunctionName="Moody")
    refused("ResourceNotFoundException", 404, functions.get_function_event_invoke_config, FunctionName="Moody")
    put = functions.put_function_event_invoke_config
    itself = {"OnFailure": {"Destination": FUNCTION}}
    refused("InvalidParameterValueException", 400, put, FunctionName="Moody", DestinationConfig=itself)
    refused("InvalidParameterValueException", 400, put, FunctionName="Moody")
    refused("ResourceNotFoundException", 404, put, FunctionName="Nobody", MaximumRetryAttempts=0)


class Endpoint(http.server.BaseHTTPRequestHandler):
    got = []
    came = threading.Event()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.got.append((self.headers["x-amz-sns-message-type"], body))
        self.send_response(200)
        self.end_headers()
        self.came.set()

    def log_message(self, *_):
        pass


def topics():
    """Subscriptions of each kind, filters, raw and wrapped, confirmation, batches."""
    topic = sns.create_topic(Name="news")["TopicArn"]
    same(topic, arn("sns", "news"))
    sqs.create_queue(QueueName="wrapped")
    subscribed = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn("sqs", "wrapped"))["SubscriptionArn"]
    flower = {"kind": {"DataType": "String", "StringValue": "flower"}}
    sent = sns.publish(TopicArn=topic, Message="to all", Subject="hello")
    sns.publish(TopicArn=topic, Message="to gardeners", MessageAttributes=flower)
    heard = messages("heard")[0]
    same((heard["Body"], heard["MessageAttributes"]), ("to gardeners", flower))
    wrapped = [json.loads(one["Body"]) for one in messages("wrapped", 2)]
    first = next(one for one in wrapped if one["MessageId"] == sent["MessageId"])
    same((first["Type"], first["Subject"], first["Message"]), ("Notification", "hello", "to all"))
    assert first["SigningCertURL"].startswith(f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-")
    urllib.request.urlopen(first["UnsubscribeURL"]).close()
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert subscribed not in [one["SubscriptionArn"] for one in listed], listed

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    pending = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)
    same(pending["SubscriptionArn"], "pending confirmation")
    assert Endpoint.came.wait(30)
    kind, body = Endpoint.got.pop()
    same(kind, "SubscriptionConfirmation")
    urllib.request.urlopen(json.loads(body)["SubscribeURL"]).close()
    Endpoint.came.clear()
    sns.publish(TopicArn=topic, Message="by http")
    assert Endpoint.came.wait(30)
    kind, body = Endpoint.got.pop()
    same((kind, json.loads(body)["Message"]), ("Notification", "by http"))

    entries = [{"Id": str(n), "Message": f"m{n}", "MessageAttributes": flower} for n in range(10)]
    same(len(sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"]), 10)
    same(sorted(one["Body"] for one in messages("heard", 10)), sorted(f"m{n}" for n in range(10)))
    refused("NotFound", 404, sns.publish, TopicArn=topic + "x", Message="m")
    refused("InvalidParameter", 400, sns.subscribe, TopicArn=topic, Protocol="https", Endpoint="https://example.com/")
    refused("InvalidParameter", 400, sns.create_topic, Name="a.fifo")
    wait(idle=True)
    server.shutdown()


def ordered():
    """Topics that keep an order, and a bucket that hears of a failure."""
    fifo = {"FifoQueue": "true"}
    line = sqs.create_queue(QueueName="line.fifo", Attributes=fifo)["QueueUrl"]
    topic = sns.create_topic(Name="steps.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn("sqs", "line.fifo"), Attributes=raw)
    numbers = []
    for at in [0, 1, 2, 1]:
        sent = sns.publish(TopicArn=topic, Message=f"m{at}", MessageGroupId="g", MessageDeduplicationId=f"d{at}")
        numbers.append(sent["SequenceNumber"])
    same((numbers[3], numbers[:3]), (numbers[1], sorted(numbers[:3])))
    got = sqs.receive_message(QueueUrl=line, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"])["Messages"]
    same([one["Body"] for one in got], ["m0", "m1", "m2"])
    same(got[0]["Attributes"]["MessageDeduplicationId"], "d0")
    entries = [{"Id": str(at), "Message": f"b{at}", "MessageGroupId": "h", "MessageDeduplicationId": f"b{at}"} for at in range(3)]
    batch = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert all(one["SequenceNumber"] > numbers[2] for one in batch["Successful"]), batch
    refused("InvalidParameter", 400, sns.publish, TopicArn=topic, Message="x")

    s3.create_bucket(Bucket="failures")
    to = {"OnFailure": {"Destination": "arn:aws:s3:::failures"}}
    put = functions.put_function_event_invoke_config
    put(FunctionName="Moody", MaximumRetryAttempts=0, DestinationConfig=to)
    invalid = {"OnSuccess": {"Destination": "arn:aws:s3:::failures"}}
    refused("InvalidParameterValueException", 400, put, FunctionName="Moody", DestinationConfig=invalid)
    functions.invoke(FunctionName="Moody", InvocationType="Event", Payload=b'{"fail": true}')
    wait(idle=True)
    (kept,) = s3.list_objects_v2(Bucket="failures")["Contents"]
    assert kept["Key"].startswith("aws/lambda/async/Moody/"), kept
    record = json.loads(s3.get_object(Bucket="failures", Key=kept["Key"])["Body"].read())
    same((record["requestContext"]["condition"], record["requestPayload"]), ("RetriesExhausted", {"fail": True}))


def buckets():
    """An upload is told to a topic and to the bus; a configuration by hand greets its topic."""
    s3.put_object(Bucket="inbox", Key="red flower.txt", Body=b"x")
    same(json.loads(messages("heard")[0]["Body"]), "red flower.txt")
    told = s3.get_bucket_notification_configuration(Bucket="inbox")
    same((told["EventBridgeConfiguration"], told["TopicConfigurations"][0]["TopicArn"]), ({}, arn("sns", "news")))
    sns.create_topic(Name="greeted")
    sqs.create_queue(QueueName="greetings")
    sns.subscribe(TopicArn=arn("sns", "greeted"), Protocol="sqs", Endpoint=arn("sqs", "greetings"))
    s3.put_bucket_notification_configuration(
        Bucket="inbox",
        NotificationConfiguration={
            "TopicConfigurations": [{"TopicArn": arn("sns", "greeted"), "Events": ["s3:ObjectRemoved:*"]}]
        },
    )
    greeting = json.loads(messages("greetings")[0]["Body"])
    same((greeting["Subject"], json.loads(greeting["Message"])["Event"]), ("Amazon S3 Notification", "s3:TestEvent"))
    s3.delete_object(Bucket="inbox", Key="red flower.txt")
    record = json.loads(json.loads(messages("greetings")[0]["Body"])["Message"])["Records"][0]
    same((record["eventName"], record["s3"]["object"]["key"]), ("ObjectRemoved:Delete", "red+flower.txt"))
    missing = {"TopicConfigurations": [{"TopicArn": arn("sns", "none"), "Events": ["s3:ObjectRemoved:*"]}]}
    put = s3.put_bucket_notification_configuration
    refused("InvalidArgument", 400, put, Bucket="inbox", NotificationConfiguration=missing)


def rules():
    """Rules with patterns, transformers and schedules; buses; a template's rule to a function."""
    entry = {"Source": "shop", "DetailType": "Order", "Detail": json.dumps({"total": 12})}
    small = {**entry, "Detail": json.dumps({"total": 3})}
    told = events.put_events(Entries=[entry, small, {"Source": "shop", "DetailType": "x", "Detail": "no"}])
    same((told["FailedEntryCount"], told["Entries"][2]["ErrorCode"]), (1, "MalformedDetail"))
    wait(idle=True)

    sqs.create_queue(QueueName="orders")
    events.put_rule(Name="big", EventPattern=json.dumps({"source": [{"prefix": "sh"}], "detail": {"total": [12]}}))
    target = {
        "Id": "1",
        "Arn": arn("sqs", "orders"),
        "InputTransformer": {
            "InputPathsMap": {"total": "$.detail.total", "kind": "$.detail-type"},
            "InputTemplate": '{"text": "<kind> of <total>", "total": <total>}',
        },
    }
    same(events.put_targets(Rule="big", Targets=[target])["FailedEntryCount"], 0)
    same(events.list_targets_by_rule(Rule="big")["Targets"], [target])
    disable = next(rule for rule in events.list_rules()["Rules"] if "Listener" in rule["Name"])
    events.disable_rule(Name=disable["Name"])
    events.put_events(Entries=[{**entry, "Source": "shed"}, {**small, "Source": "shed"}])
    same(json.loads(messages("orders")[0]["Body"]), {"text": "Order of 12", "total": 12})
    bus = events.create_event_bus(Name="shops")["EventBusArn"]
    events.put_rule(Name="on", EventBusName="shops", EventPattern='{"source": ["shop"]}')
    default = {"Id": "1", "Arn": arn("events", "event-bus/default")}
    events.put_targets(Rule="on", EventBusName="shops", Targets=[default])
    big = {**entry, "Source": "shop", "EventBusName": bus, "Detail": json.dumps({"total": 12, "far": True})}
    events.put_rule(Name="far", EventPattern=json.dumps({"detail": {"far": [True]}}))
    events.put_targets(Rule="far", Targets=[{"Id": "1", "Arn": arn("sqs", "orders")}])
    events.remove_targets(Rule="big", Ids=["1"])
    events.delete_rule(Name="big")
    events.put_events(Entries=[big])
    far = json.loads(messages("orders")[0]["Body"])
    same((far["source"], far["detail"]), ("shop", {"total": 12, "far": True}))

    frozen()
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    events.put_targets(Rule="hourly", Targets=[{"Id": "1", "Arn": arn("sqs", "orders"), "Input": '"tick"'}])
    advance("3h")
    same([one["Body"] for one in messages("orders", 3)], ['"tick"'] * 3)
    refused("ResourceNotFoundException", 400, events.describe_rule, Name="none")
    refused("InvalidEventPatternException", 400, events.put_rule, Name="x", EventPattern='{"a": 1}')


def moments():
    """Topics, buses and rules are part of a moment: what was made since is gone, what was removed is back."""
    sqs.create_queue(QueueName="kept")
    topic = sns.create_topic(Name="kept")["TopicArn"]
    told = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn("sqs", "kept"), ReturnSubscriptionArn=True)
    raw = {"AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
    sns.set_subscription_attributes(SubscriptionArn=told["SubscriptionArn"], **raw)
    events.put_rule(Name="kept", EventPattern='{"source": ["kept"]}')
    events.put_targets(Rule="kept", Targets=[{"Id": "1", "Arn": arn("sqs", "kept"), "InputPath": "$.detail.n"}])
    mlemu.snapshot("with both")

    def topics():
        return {one["TopicArn"].rsplit(":", 1)[1] for one in sns.list_topics()["Topics"]}

    def rules():
        return {one["Name"] for one in events.list_rules()["Rules"]}

    sns.delete_topic(TopicArn=topic)
    events.remove_targets(Rule="kept", Ids=["1"])
    events.delete_rule(Name="kept")
    sns.create_topic(Name="since")
    events.put_rule(Name="since", EventPattern='{"source": ["since"]}')
    mlemu.restore("with both")
    same((topics() & {"kept", "since"}, rules() & {"kept", "since"}), ({"kept"}, {"kept"}))
    sns.publish(TopicArn=topic, Message="from the topic")
    events.put_events(Entries=[{"Source": "kept", "DetailType": "x", "Detail": '{"n": 7}'}])
    wait(idle=True)
    same({one["Body"] for one in messages("kept", 2)}, {"from the topic", "7"})

    mlemu.reset("state")
    same((topics() & {"kept", "since"}, rules() & {"kept", "since"}), (set(), set()))
    mlemu.restore("with both")
    same((topics() & {"kept", "since"}, rules() & {"kept", "since"}), ({"kept"}, {"kept"}))


def rates():
    """An hour that passes in a moment: what falls due in it is done without an advance."""

    def moment():
        return datetime.datetime.fromisoformat(mlemu.clock.now().replace("Z", "+00:00"))

    sqs.create_queue(QueueName="ticks")
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    events.put_targets(Rule="hourly", Targets=[{"Id": "1", "Arn": arn("sqs", "ticks"), "Input": '"tick"'}])
    sqs.send_message(QueueUrl=queue("ticks"), MessageBody="late", DelaySeconds=900)
    began = moment()
    mlemu.clock.rate(36_000)
    bodies = []
    while len(bodies) < 2:
        got = sqs.receive_message(QueueUrl=queue("ticks"), WaitTimeSeconds=20).get("Messages", [])
        bodies += [one["Body"] for one in got]
        for one in got:
            sqs.delete_message(QueueUrl=queue("ticks"), ReceiptHandle=one["ReceiptHandle"])
    passed = moment() - began
    same((bodies[:2], passed >= datetime.timedelta(hours=1)), (["late", '"tick"'], True))
    mlemu.clock.rate(0)
    stands = mlemu.clock.now()
    same(mlemu.clock.now(), stands)


def package(says):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", f"def handler(event, context):\n    return [{says!r}, context.invoked_function_arn.split(':')[-1]]\n")
    return buffer.getvalue()


def aliases():
    """Versions, aliases, weights, and who really ran."""
    role = "arn:aws:iam::000000000000:role/r"
    functions.create_function(
        FunctionName="ab", Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": package("a")}
    )
    functions.publish_version(FunctionName="ab")
    functions.update_function_code(FunctionName="ab", ZipFile=package("b"))
    functions.publish_version(FunctionName="ab")
    made = functions.create_alias(FunctionName="ab", Name="prod", FunctionVersion="1", Description="calm")
    same((made["AliasArn"], made["FunctionVersion"]), (arn("lambda", "function:ab:prod"), "1"))

    def call(**more):
        got = functions.invoke(FunctionName="ab", Qualifier="prod", **more)
        says, named = json.load(got["Payload"])
        same(named, "prod")
        return got["ExecutedVersion"], says

    same(call(), ("1", "a"))
    weights = {"AdditionalVersionWeights": {"2": 1.0}}
    functions.update_alias(FunctionName="ab", Name="prod", RoutingConfig=weights)
    same(call(), ("2", "b"))
    functions.update_alias(FunctionName="ab", Name="prod", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}})
    seen = {call() for _ in range(40)}
    same(seen, {("1", "a"), ("2", "b")})
    functions.update_alias(FunctionName="ab", Name="prod", FunctionVersion="2", RoutingConfig={})
    same({call() for _ in range(5)}, {("2", "b")})
    same([one["Name"] for one in functions.list_aliases(FunctionName="ab")["Aliases"]], ["prod"])
    described = functions.get_function_configuration(FunctionName="ab", Qualifier="prod")
    same((described["Version"], described["FunctionArn"]), ("2", made["AliasArn"]))
    sqs.create_queue(QueueName="to-alias")
    mapping = functions.create_event_source_mapping(EventSourceArn=arn("sqs", "to-alias"), FunctionName="ab:prod")
    same(mapping["FunctionArn"], made["AliasArn"])
    sqs.send_message(QueueUrl=queue("to-alias"), MessageBody="x")
    wait(invocations={"function": "ab", "status": "ok", "count": 48})

    same(functions.get_alias(FunctionName="Moody", Name="live")["FunctionVersion"], "$LATEST")
    refused("ResourceConflictException", 409, functions.create_alias, FunctionName="ab", Name="prod", FunctionVersion="1")
    refused("ResourceNotFoundException", 404, functions.create_alias, FunctionName="ab", Name="x", FunctionVersion="9")
    refused("ResourceNotFoundException", 404, functions.get_alias, FunctionName="ab", Name="none")
    heavy = {"AdditionalVersionWeights": {"1": 1.5}}
    refused("ValidationException", 400, functions.update_alias, FunctionName="ab", Name="prod", RoutingConfig=heavy)
    functions.delete_alias(FunctionName="ab", Name="prod")
    refused("ResourceNotFoundException", 404, functions.invoke, FunctionName="ab", Qualifier="prod")


run(globals())
