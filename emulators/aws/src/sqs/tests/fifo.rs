//! FIFO queues: groups, duplicates, sequence numbers.

use super::*;

async fn fifo(world: &World, more: Value) -> String {
    let mut attributes = json!({ "FifoQueue": "true" });
    attributes.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.queue("q.fifo", attributes).await
}

async fn send(world: &World, url: &str, group: &str, dedupe: &str) -> Value {
    let body = format!("{group}-{dedupe}");
    let more = json!({ "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": dedupe });
    world.message(url, more).await
}

#[tokio::test(start_paused = true)]
async fn a_group_is_locked_while_it_is_out() {
    let world = World::new();
    let url = fifo(&world, json!({})).await;
    for (group, dedupe) in [("a", "1"), ("a", "2"), ("b", "3")] {
        send(&world, &url, group, dedupe).await;
    }
    let first = world.receive(&url, json!({ "AttributeNames": ["All"] })).await.remove(0);
    assert_eq!((&first["Body"], &first["Attributes"]["MessageGroupId"]), (&json!("a-1"), &json!("a")));
    assert_eq!(first["Attributes"]["SequenceNumber"].as_str().unwrap().len(), 20);
    let next = world.receive(&url, json!({ "MaxNumberOfMessages": 10 })).await;
    assert_eq!(all(&next, "Body"), ["b-3"]);
    let delete = with(&url, json!({ "ReceiptHandle": first["ReceiptHandle"] }));
    world.call("DeleteMessage", delete).await.json();
    assert_eq!(all(&world.receive(&url, json!({})).await, "Body"), ["a-2"]);
}

#[tokio::test(start_paused = true)]
async fn duplicates_are_accepted_and_not_added() {
    let world = World::new();
    let url = fifo(&world, json!({})).await;
    let first = send(&world, &url, "a", "1").await;
    let again = send(&world, &url, "b", "1").await;
    assert_eq!(first["MessageId"], again["MessageId"]);
    assert_eq!(first["SequenceNumber"], again["SequenceNumber"]);
    let later = send(&world, &url, "a", "2").await;
    assert!(later["SequenceNumber"].as_str() > first["SequenceNumber"].as_str());
    assert_eq!(world.attribute(&url, "ApproximateNumberOfMessages").await, "2");
    pass(300).await;
    assert_ne!(send(&world, &url, "a", "1").await["MessageId"], first["MessageId"]);
}

#[tokio::test(start_paused = true)]
async fn duplicates_by_content_and_by_group() {
    let world = World::new();
    let more = json!({ "ContentBasedDeduplication": "true", "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId" });
    let url = fifo(&world, more).await;
    for group in ["a", "a", "b"] {
        world.message(&url, json!({ "MessageBody": "same", "MessageGroupId": group })).await;
    }
    assert_eq!(world.attribute(&url, "ApproximateNumberOfMessages").await, "2");
}

#[tokio::test(start_paused = true)]
async fn what_fifo_does_not_take() {
    let world = World::new();
    let url = fifo(&world, json!({})).await;
    let group = json!({ "MessageBody": "m", "MessageGroupId": "g" });
    let delayed = json!({ "MessageBody": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 1 });
    let spaced = json!({ "MessageBody": "m", "MessageGroupId": "g g", "MessageDeduplicationId": "d" });
    let code = async |more: Value| world.call("SendMessage", with(&url, more)).await.fault().0;
    assert_eq!(code(json!({ "MessageBody": "m" })).await, "MissingRequiredParameterException");
    assert_eq!(code(group).await, "InvalidParameterValueException");
    assert_eq!(code(delayed).await, "InvalidParameterValueException");
    assert_eq!(code(spaced).await, "InvalidParameterValueException");
    // An expired receipt is refused.
    send(&world, &url, "a", "1").await;
    let old = world.receive(&url, json!({})).await.remove(0);
    pass(30).await;
    let late =
        world.call("DeleteMessage", with(&url, json!({ "ReceiptHandle": old["ReceiptHandle"] }))).await;
    assert!(late.fault().2.ends_with("Reason: The receipt handle has expired."));
    let standard = world.queue("dead", json!({})).await;
    let arn = world.attribute(&standard, "QueueArn").await;
    let policy = json!({ "deadLetterTargetArn": arn, "maxReceiveCount": 1 }).to_string();
    let set = with(&url, json!({ "Attributes": { "RedrivePolicy": policy } }));
    assert_eq!(world.call("SetQueueAttributes", set).await.fault().0, "InvalidParameterValueException");
}
