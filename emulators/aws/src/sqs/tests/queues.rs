//! Queues: making, finding, configuring and removing them.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_queue_is_made_once_and_found_by_its_name() {
    let world = World::new();
    let url = world.queue("jobs", json!({ "VisibilityTimeout": "45" })).await;
    assert_eq!(url, "http://127.0.0.1:4566/000000000000/jobs");
    assert_eq!(world.queue("jobs", json!({ "VisibilityTimeout": "45", "DelaySeconds": "0" })).await, url);
    let other = json!({ "QueueName": "jobs", "Attributes": { "VisibilityTimeout": "46" } });
    let (kind, query, text) = world.call("CreateQueue", other).await.fault();
    assert_eq!((&*kind, &*query), ("QueueNameExists", "QueueAlreadyExists;Sender"));
    assert!(text.ends_with("attribute VisibilityTimeout"), "{text}");

    let found = world.call("GetQueueUrl", json!({ "QueueName": "jobs" })).await.json();
    assert_eq!(found["QueueUrl"], url);
    let (kind, query, text) = world.call("GetQueueUrl", json!({ "QueueName": "none" })).await.fault();
    assert_eq!((&*kind, &*query), ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender"));
    assert_eq!(text, "The specified queue does not exist.");

    world.call("DeleteQueue", json!({ "QueueUrl": url })).await.json();
    assert_eq!(world.call("DeleteQueue", json!({ "QueueUrl": url })).await.fault().0, "QueueDoesNotExist");
}

#[tokio::test(start_paused = true)]
async fn names_and_attributes_are_checked() {
    let world = World::new();
    for name in ["a b", "x".repeat(81).as_str(), "plain.fifo", "ü"] {
        let got = world.call("CreateQueue", json!({ "QueueName": name })).await.fault();
        assert_eq!((&*got.0, &*got.1), ("InvalidParameterValueException", "InvalidParameterValue;Sender"));
    }
    let wrong = [
        ("Colour", "red", "InvalidAttributeName"),
        ("ContentBasedDeduplication", "true", "InvalidAttributeName"),
        ("VisibilityTimeout", "43201", "InvalidAttributeValue"),
        ("DelaySeconds", "-1", "InvalidAttributeValue"),
        ("MaximumMessageSize", "1048577", "InvalidAttributeValue"),
        ("RedrivePolicy", "{", "InvalidParameterValueException"),
        (
            "RedrivePolicy",
            r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:no","maxReceiveCount":1}"#,
            "InvalidParameterValueException",
        ),
        ("RedriveAllowPolicy", r#"{"redrivePermission":"byQueue"}"#, "InvalidAttributeValue"),
    ];
    for (name, value, code) in wrong {
        let got = world.call("CreateQueue", json!({ "QueueName": "q", "Attributes": { name: value } })).await;
        assert_eq!(got.fault().0, code, "{name}={value}");
    }
    assert_eq!(world.call("CreateQueue", json!({})).await.fault().0, "MissingRequiredParameterException");
    assert_eq!(world.call("ListQueues", json!({})).await.json(), json!({ "QueueUrls": [] }));
}

#[tokio::test(start_paused = true)]
async fn attributes_have_defaults_and_are_set() {
    let world = World::new();
    let url = world.queue("q", json!({})).await;
    pass(7).await;
    let set = with(&url, json!({ "Attributes": { "VisibilityTimeout": "5", "Policy": "{\"a\":1}" } }));
    world.call("SetQueueAttributes", set).await.json();
    world.message(&url, json!({ "MessageBody": "m" })).await;
    let got = world.call("GetQueueAttributes", with(&url, json!({ "AttributeNames": ["All"] }))).await.json();
    let expected = json!({
        "ApproximateNumberOfMessages": "1",
        "ApproximateNumberOfMessagesDelayed": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "CreatedTimestamp": "1767225600",
        "DelaySeconds": "0",
        "LastModifiedTimestamp": "1767225607",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "Policy": "{\"a\":1}",
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "5",
    });
    assert_eq!(got["Attributes"], expected);
    // An empty value unsets; nothing asked, nothing told.
    world.call("SetQueueAttributes", with(&url, json!({ "Attributes": { "Policy": "" } }))).await.json();
    assert_eq!(world.attribute(&url, "Policy").await, "");
    assert_eq!(world.call("GetQueueAttributes", with(&url, json!({}))).await.json(), json!({}));
    let unknown = with(&url, json!({ "AttributeNames": ["Nope"] }));
    assert_eq!(world.call("GetQueueAttributes", unknown).await.fault().0, "InvalidAttributeName");
    let fifo = with(&url, json!({ "Attributes": { "FifoQueue": "true" } }));
    assert_eq!(world.call("SetQueueAttributes", fifo).await.fault().0, "InvalidAttributeValue");
}

#[tokio::test(start_paused = true)]
async fn lists_have_prefixes_and_pages() {
    let world = World::new();
    for name in ["a1", "a2", "a3", "b"] {
        world.queue(name, json!({})).await;
    }
    let names = |got: &Value| -> Vec<String> {
        let urls = got["QueueUrls"].as_array().unwrap();
        urls.iter().map(|url| url.as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
    };
    let first = world.call("ListQueues", json!({ "QueueNamePrefix": "a", "MaxResults": 2 })).await.json();
    assert_eq!(names(&first), ["a1", "a2"]);
    let next = json!({ "QueueNamePrefix": "a", "MaxResults": 2, "NextToken": first["NextToken"] });
    let second = world.call("ListQueues", next).await.json();
    assert_eq!((names(&second), &second["NextToken"]), (vec!["a3".to_owned()], &Value::Null));
    let wrong = world.call("ListQueues", json!({ "NextToken": "%" })).await;
    assert_eq!(wrong.fault().0, "InvalidParameterValueException");
}

#[tokio::test(start_paused = true)]
async fn tags_and_permissions() {
    let world = World::new();
    let url = world.queue("q", json!({})).await;
    world.call("TagQueue", with(&url, json!({ "Tags": { "a": "1", "b": "2" } }))).await.json();
    world.call("UntagQueue", with(&url, json!({ "TagKeys": ["a"] }))).await.json();
    assert_eq!(
        world.call("ListQueueTags", with(&url, json!({}))).await.json(),
        json!({ "Tags": { "b": "2" } })
    );

    let add = json!({ "Label": "l", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"] });
    world.call("AddPermission", with(&url, add.clone())).await.json();
    let policy: Value = serde_json::from_str(&world.attribute(&url, "Policy").await).unwrap();
    let statement = json!({
        "Sid": "l", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111111111111:root" },
        "Action": "SQS:SendMessage", "Resource": "arn:aws:sqs:us-east-1:000000000000:q",
    });
    assert_eq!(policy["Statement"], json!([statement]));
    let again = world.call("AddPermission", with(&url, add)).await;
    assert_eq!(again.fault().0, "InvalidParameterValueException");
    world.call("RemovePermission", with(&url, json!({ "Label": "l" }))).await.json();
    assert_eq!(world.attribute(&url, "Policy").await, "");
}

#[tokio::test(start_paused = true)]
async fn accounts_are_apart() {
    let world = World::new();
    world.queue("q", json!({})).await;
    let key = "AWS4-HMAC-SHA256 Credential=123456789012/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0";
    let request = Request::post("/")
        .header("host", "h:1")
        .header("authorization", key)
        .header("x-amz-target", "AmazonSQS.ListQueues")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(world.send(request).await.json(), json!({ "QueueUrls": [] }));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_said_aloud() {
    let world = World::new();
    let got = world.call("MakeCoffee", json!({})).await;
    assert_eq!(got.fault().0, "UnknownOperationException");
    let records = world.journal.past();
    assert!(records.iter().any(
        |record| matches!(&record.what, What::Unsupported { operation, .. } if operation == "MakeCoffee")
    ));
    assert_eq!(world.call("SendMessage", json!([1])).await.fault().0, "SerializationException");
}
