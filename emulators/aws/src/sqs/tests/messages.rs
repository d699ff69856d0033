//! Messages of standard queues, from sending to their end.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_message_and_its_digests() {
    let world = World::new();
    let url = world.queue("q", json!({})).await;
    let more = json!({
        "MessageBody": "héllo",
        "MessageAttributes": {
            "text": { "DataType": "String", "StringValue": "x" },
            "bytes": { "DataType": "Binary.png", "BinaryValue": "AAEC" },
        },
        "MessageSystemAttributes": { "AWSTraceHeader": { "DataType": "String", "StringValue": "Root=1" } },
    });
    let sent = world.message(&url, more).await;
    assert_eq!(sent["MD5OfMessageBody"], super::md5::of_body("héllo".as_bytes()));
    assert_eq!(sent["SequenceNumber"], Value::Null);
    assert_eq!(sent["MD5OfMessageAttributes"].as_str().unwrap().len(), 32);

    let wanted = json!({ "AttributeNames": ["All"], "MessageAttributeNames": ["te.*"] });
    let got = world.receive(&url, wanted).await.remove(0);
    assert_eq!((&got["Body"], &got["MessageId"]), (&json!("héllo"), &sent["MessageId"]));
    assert_eq!(got["MD5OfBody"], sent["MD5OfMessageBody"]);
    let text = json!({ "text": { "DataType": "String", "StringValue": "x" } });
    assert_eq!(got["MessageAttributes"], text);
    let system = json!({
        "ApproximateFirstReceiveTimestamp": "1767225600000", "ApproximateReceiveCount": "1",
        "AWSTraceHeader": "Root=1", "SenderId": "000000000000", "SentTimestamp": "1767225600000",
    });
    assert_eq!(got["Attributes"], system);
    pass(30).await;
    let got = world.receive(&url, json!({ "MessageAttributeNames": ["text"] })).await.remove(0);
    assert_eq!((&got["MessageAttributes"], &got["Attributes"]), (&text, &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn the_digest_of_attributes_is_the_documented_one() {
    use mlemu_engine::queues::Attribute;
    let attribute = |name: &str, kind: &str, value: &'static [u8]| Attribute {
        name: name.into(),
        kind: kind.into(),
        value: bytes::Bytes::from_static(value),
    };
    let all = [attribute("b", "Binary", &[1, 2]), attribute("a", "String", b"x")];
    let by_hand =
        b"\0\0\0\x01a\0\0\0\x06String\x01\0\0\0\x01x\0\0\0\x01b\0\0\0\x06Binary\x02\0\0\0\x02\x01\x02";
    assert_eq!(super::md5::of_attributes(all.iter()).unwrap(), super::md5::of_body(by_hand));
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_sent() {
    let world = World::new();
    let url = world.queue("q", json!({ "MaximumMessageSize": "1024" })).await;
    let attribute = |name: &str, kind: &str| json!({ "MessageBody": "m", "MessageAttributes": { name: { "DataType": kind, "StringValue": "x" } } });
    let many: serde_json::Map<String, Value> =
        (0..11).map(|n| (format!("a{n}"), json!({ "DataType": "String", "StringValue": "x" }))).collect();
    let wrong = [
        (json!({}), "MissingRequiredParameterException"),
        (json!({ "MessageBody": "\u{0}" }), "InvalidMessageContents"),
        (json!({ "MessageBody": "\u{ffff}" }), "InvalidMessageContents"),
        (json!({ "MessageBody": "x".repeat(1025) }), "InvalidParameterValueException"),
        (json!({ "MessageBody": "m", "DelaySeconds": 901 }), "InvalidParameterValueException"),
        (json!({ "MessageBody": "m", "MessageDeduplicationId": "d" }), "InvalidParameterValueException"),
        (attribute("aws.x", "String"), "InvalidParameterValueException"),
        (attribute("a..b", "String"), "InvalidParameterValueException"),
        (attribute("a", "Colour"), "InvalidParameterValueException"),
        (attribute("a", "Number"), "InvalidParameterValueException"),
        (attribute("a", "Binary"), "InvalidParameterValueException"),
        (json!({ "MessageBody": "m", "MessageAttributes": many }), "InvalidParameterValueException"),
    ];
    for (more, code) in wrong {
        assert_eq!(world.call("SendMessage", with(&url, more.clone())).await.fault().0, code, "{more}");
    }
    // Attributes count: 1016 + 1 + 6 + 1.
    let mut full = attribute("a", "String");
    full["MessageBody"] = "x".repeat(1016).into();
    world.message(&url, full.clone()).await;
    full["MessageBody"] = "x".repeat(1017).into();
    assert_eq!(world.call("SendMessage", with(&url, full)).await.fault().0, "InvalidParameterValueException");
    assert_eq!(world.attribute(&url, "ApproximateNumberOfMessages").await, "1");
    // Groups are allowed: fair queues.
    world.message(&url, json!({ "MessageBody": "m", "MessageGroupId": "g" })).await;
}

#[tokio::test(start_paused = true)]
async fn receipts_and_visibility() {
    let world = World::new();
    let url = world.queue("q", json!({})).await;
    world.message(&url, json!({ "MessageBody": "m" })).await;
    let first = world.receive(&url, json!({})).await.remove(0);
    let of = |message: &Value, more: Value| {
        let mut input = with(&url, more);
        input["ReceiptHandle"] = message["ReceiptHandle"].clone();
        input
    };
    // Zero gives it back at once.
    world.call("ChangeMessageVisibility", of(&first, json!({ "VisibilityTimeout": 0 }))).await.json();
    let (kind, query, _) =
        world.call("ChangeMessageVisibility", of(&first, json!({ "VisibilityTimeout": 9 }))).await.fault();
    assert_eq!((&*kind, &*query), ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight;Sender"));
    let second = world.receive(&url, json!({ "VisibilityTimeout": 100 })).await.remove(0);
    assert_ne!(first["ReceiptHandle"], second["ReceiptHandle"]);
    pass(99).await;
    assert_eq!(world.receive(&url, json!({})).await.len(), 0);
    let beyond = of(&second, json!({ "VisibilityTimeout": 43_200 }));
    assert_eq!(
        world.call("ChangeMessageVisibility", beyond).await.fault().0,
        "InvalidParameterValueException"
    );
    // The old handle deletes nothing, and says so by silence.
    world.call("DeleteMessage", of(&first, json!({}))).await.json();
    assert_eq!(world.attribute(&url, "ApproximateNumberOfMessagesNotVisible").await, "1");
    world.call("DeleteMessage", of(&second, json!({}))).await.json();
    world.call("DeleteMessage", of(&second, json!({}))).await.json();
    assert_eq!(world.attribute(&url, "ApproximateNumberOfMessagesNotVisible").await, "0");
    let gone = of(&second, json!({ "VisibilityTimeout": 9 }));
    assert_eq!(world.call("ChangeMessageVisibility", gone).await.fault().0, "InvalidParameterValueException");
    let (kind, query, _) =
        world.call("DeleteMessage", with(&url, json!({ "ReceiptHandle": "nonsense" }))).await.fault();
    assert_eq!((&*kind, &*query), ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid;Sender"));
}

#[tokio::test(start_paused = true)]
async fn batches_tell_of_each_entry() {
    let world = World::new();
    let url = world.queue("q", json!({})).await;
    let entry = |id: &str, body: &str| json!({ "Id": id, "MessageBody": body });
    let send =
        |entries: Vec<Value>| world.call("SendMessageBatch", with(&url, json!({ "Entries": entries })));
    let got = send(vec![entry("a", "1"), entry("b", "\u{1}"), entry("c", "3")]).await.json();
    assert_eq!(all(got["Successful"].as_array().unwrap(), "Id"), ["a", "c"]);
    let failed = json!([{ "Id": "b", "SenderFault": true, "Code": "InvalidMessageContents", "Message": got["Failed"][0]["Message"] }]);
    assert_eq!(got["Failed"], failed);

    let eleven = (0..11).map(|n| entry(&n.to_string(), "x")).collect();
    assert_eq!(send(eleven).await.fault().1, "AWS.SimpleQueueService.TooManyEntriesInBatchRequest;Sender");
    assert_eq!(send(vec![]).await.fault().0, "EmptyBatchRequest");
    assert_eq!(send(vec![entry("a", "1"), entry("a", "2")]).await.fault().0, "BatchEntryIdsNotDistinct");
    assert_eq!(send(vec![entry("a!", "1")]).await.fault().0, "InvalidBatchEntryId");
    let half = "x".repeat(524_289);
    let long = send(vec![entry("a", &half), entry("b", &half)]).await.fault();
    assert_eq!(long.0, "BatchRequestTooLong");
    let most = "x".repeat(1_048_576);
    assert_eq!(send(vec![entry("a", &most)]).await.json()["Failed"], json!([]));

    let received = world.receive(&url, json!({ "MaxNumberOfMessages": 10 })).await;
    assert_eq!(received.len(), 3);
    let mut entries: Vec<_> = received
        .iter()
        .enumerate()
        .map(|(n, one)| json!({ "Id": n.to_string(), "ReceiptHandle": one["ReceiptHandle"], "VisibilityTimeout": 60 }))
        .collect();
    entries.push(json!({ "Id": "bad", "ReceiptHandle": "x", "VisibilityTimeout": 60 }));
    for operation in ["ChangeMessageVisibilityBatch", "DeleteMessageBatch"] {
        let got = world.call(operation, with(&url, json!({ "Entries": entries }))).await.json();
        assert_eq!(got["Successful"].as_array().unwrap().len(), 3, "{operation}");
        assert_eq!(got["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    }
    assert_eq!(world.attribute(&url, "ApproximateNumberOfMessagesNotVisible").await, "0");
}

#[tokio::test(start_paused = true)]
async fn a_poll_waits_and_a_delay_ends() {
    let world = World::new();
    let url = world.queue("q", json!({ "ReceiveMessageWaitTimeSeconds": "20" })).await;
    world.message(&url, json!({ "MessageBody": "m", "DelaySeconds": 12 })).await;
    assert_eq!(world.attribute(&url, "ApproximateNumberOfMessagesDelayed").await, "1");
    let began = Instant::now();
    assert_eq!(world.receive(&url, json!({ "WaitTimeSeconds": 0 })).await.len(), 0);
    assert_eq!((world.receive(&url, json!({})).await.len(), began.elapsed().as_secs()), (1, 12));
    for (member, value) in [("WaitTimeSeconds", 21), ("MaxNumberOfMessages", 11), ("MaxNumberOfMessages", 0)]
    {
        let got = world.call("ReceiveMessage", with(&url, json!({ member: value }))).await;
        assert_eq!(got.fault().0, "InvalidParameterValueException");
    }
}

#[tokio::test(start_paused = true)]
async fn dead_letters_and_their_way_back() {
    let world = World::new();
    let dead = world.queue("dead", json!({})).await;
    let arn = world.attribute(&dead, "QueueArn").await;
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": "2" }).to_string();
    let url = world.queue("q", json!({ "RedrivePolicy": policy, "VisibilityTimeout": "0" })).await;
    let sources = world.call("ListDeadLetterSourceQueues", json!({ "QueueUrl": dead })).await.json();
    assert_eq!(sources["queueUrls"], json!([url]));
    let sent = world.message(&url, json!({ "MessageBody": "m" })).await;
    for _ in 0..2 {
        assert_eq!(world.receive(&url, json!({})).await.len(), 1);
    }
    assert_eq!(world.receive(&url, json!({})).await.len(), 0);
    let got =
        world.receive(&dead, json!({ "AttributeNames": ["All"], "VisibilityTimeout": 0 })).await.remove(0);
    assert_eq!(got["MessageId"], sent["MessageId"]);
    assert_eq!(got["Attributes"]["DeadLetterQueueSourceArn"], "arn:aws:sqs:us-east-1:000000000000:q");

    let not_dead = json!({ "SourceArn": "arn:aws:sqs:us-east-1:000000000000:q" });
    let wrong = world.call("StartMessageMoveTask", not_dead).await;
    assert_eq!(wrong.fault().0, "InvalidParameterValueException");
    let none = json!({ "SourceArn": "arn:aws:sqs:us-east-1:000000000000:none" });
    assert_eq!(world.call("StartMessageMoveTask", none).await.fault().0, "ResourceNotFoundException");
    let started = world.call("StartMessageMoveTask", json!({ "SourceArn": arn })).await.json();
    let list = || world.call("ListMessageMoveTasks", json!({ "SourceArn": arn }));
    let mut told = list().await.json();
    while told["Results"][0]["Status"] == "RUNNING" {
        assert_eq!(told["Results"][0]["TaskHandle"], started["TaskHandle"]);
        tokio::task::yield_now().await;
        told = list().await.json();
    }
    assert_eq!(told["Results"][0]["Status"], "COMPLETED");
    assert_eq!(told["Results"][0]["ApproximateNumberOfMessagesMoved"], 1);
    assert_eq!(world.receive(&url, json!({})).await.len(), 1);
    let cancel = world.call("CancelMessageMoveTask", started).await;
    assert_eq!(cancel.fault().0, "UnsupportedOperation");
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_queue_may_refuse_its_sources() {
    let world = World::new();
    let deny = json!({ "RedriveAllowPolicy": r#"{"redrivePermission":"denyAll"}"# });
    world.queue("dead", deny).await;
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":2}"#;
    let input = json!({ "QueueName": "q", "Attributes": { "RedrivePolicy": policy } });
    assert_eq!(world.call("CreateQueue", input).await.fault().0, "InvalidParameterValueException");
}

#[tokio::test(start_paused = true)]
async fn a_purge_takes_what_is_in_flight_too() {
    let world = World::new();
    let url = world.queue("q", json!({})).await;
    for _ in 0..3 {
        world.message(&url, json!({ "MessageBody": "m" })).await;
    }
    world.receive(&url, json!({})).await;
    world.call("PurgeQueue", json!({ "QueueUrl": url })).await.json();
    pass(60).await;
    assert_eq!(world.receive(&url, json!({})).await.len(), 0);
}
