//! The query protocol: forms in, XML out, on `/` and on a queue's own path.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_queue_and_a_message_by_forms() {
    let world = World::new();
    let form = "Action=CreateQueue&Version=2012-11-05&QueueName=q&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=9&Tag.1.Key=k&Tag.1.Value=v";
    let created = world.form("/", form).await;
    assert_eq!(created.element("QueueUrl"), "http://localhost:9/000000000000/q");
    assert!(
        created.body.contains("<CreateQueueResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">")
    );
    assert_eq!(created.headers["content-type"], "text/xml");

    let form = "Action=SendMessage&MessageBody=%3Ca%3E%26%0D%0Aü&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=Number&MessageAttribute.1.Value.StringValue=7";
    let sent = world.form("/000000000000/q", form).await;
    assert_eq!(sent.element("MD5OfMessageBody"), super::md5::of_body("<a>&\r\nü".as_bytes()));
    assert_eq!(sent.element("RequestId"), sent.headers["x-amzn-requestid"]);

    let form = "Action=ReceiveMessage&AttributeName.1=All&MessageAttributeName.1=All&MaxNumberOfMessages=5";
    let got = world.form("/queue/us-east-1/000000000000/q", form).await;
    assert_eq!(got.element("Body"), "&lt;a&gt;&amp;&#xD;\nü");
    assert!(got.body.contains("<MessageAttribute><Name>n</Name><Value><DataType>Number</DataType><StringValue>7</StringValue></Value></MessageAttribute>")
        || got.body.contains("<MessageAttribute><Name>n</Name><Value><StringValue>7</StringValue><DataType>Number</DataType></Value></MessageAttribute>"), "{}", got.body);
    assert!(got.body.contains("<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>"));

    let handle = got.element("ReceiptHandle");
    let form = format!(
        "Action=DeleteMessageBatch&DeleteMessageBatchRequestEntry.1.Id=x&DeleteMessageBatchRequestEntry.1.ReceiptHandle={handle}"
    );
    let deleted = world.form("/000000000000/q", &form).await;
    assert_eq!(deleted.element("DeleteMessageBatchResultEntry"), "<Id>x</Id>");
    let tags = world.form("/000000000000/q", "Action=ListQueueTags").await;
    assert_eq!(tags.element("Tag"), "<Key>k</Key><Value>v</Value>");
    let quiet = world.form("/000000000000/q", "Action=PurgeQueue").await;
    assert_eq!((quiet.status, quiet.body.contains("Result>")), (200, false));
}

#[tokio::test(start_paused = true)]
async fn errors_of_forms() {
    let world = World::new();
    let got = world.form("/000000000000/none", "Action=PurgeQueue").await;
    assert_eq!((got.status, got.element("Code")), (400, "AWS.SimpleQueueService.NonExistentQueue"));
    assert_eq!(got.element("Type"), "Sender");
    let got = world.form("/", "Action=Nonsense").await;
    assert_eq!((got.status, got.element("Code")), (400, "InvalidAction"));
    world.queue("q", json!({})).await;
    let got = world.form("/000000000000/q", "Action=ReceiveMessage&MaxNumberOfMessages=many").await;
    assert_eq!((got.status, got.element("Code")), (400, "MalformedInput"));
}

#[test]
fn which_requests_are_ours() {
    let claims = |method: &str, uri: &str, header: (&str, &str)| {
        let request = Request::builder().method(method).uri(uri).header(header.0, header.1).body(()).unwrap();
        Sqs::claims(&request.into_parts().0)
    };
    let form = ("content-type", "application/x-www-form-urlencoded");
    assert!(claims("POST", "/", ("x-amz-target", "AmazonSQS.SendMessage")));
    assert!(claims("POST", "/000000000000/q", form));
    assert!(claims("GET", "/?Action=ListQueues&Version=2012-11-05", ("a", "b")));
    assert!(claims("GET", "/000000000000/q?Action=ReceiveMessage", ("a", "b")));
    assert!(!claims("POST", "/", ("x-amz-target", "DynamoDB_20120810.PutItem")));
    assert!(!claims("GET", "/000000000000/q", ("a", "b")));
    assert!(!claims("POST", "/bucket/key", form));
    assert!(!claims("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", ("a", "b")));
}
