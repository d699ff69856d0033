//! Notification configurations and the events they lead to.

use super::*;

const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:score";

fn entry(events: &[&str], rules: &[(&str, &str)]) -> String {
    let events = format!("<Event>{}</Event>", events.join("</Event><Event>"));
    let rule = |(name, value): &(&str, &str)| {
        format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>")
    };
    let rules = rules.iter().map(rule).collect::<Vec<_>>().concat();
    format!(
        "<CloudFunctionConfiguration><Id>up</Id><CloudFunction>{ARN}</CloudFunction>{events}\
         <Filter><S3Key>{rules}</S3Key></Filter></CloudFunctionConfiguration>"
    )
}

async fn configure(world: &World, entries: &str) -> Reply {
    let document = format!("<NotificationConfiguration>{entries}</NotificationConfiguration>");
    world.send(&format!("PUT /pics?notification\n\n{document}")).await
}

#[tokio::test]
async fn an_upload_reaches_the_function() {
    let mut world = world();
    let events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:Delete"];
    assert_eq!(
        configure(&world, &entry(&events, &[("prefix", "in/"), ("SUFFIX", ".jpg")])).await.status,
        200
    );
    let put = world.send("PUT /pics/in/red%20flower.jpg\n\nhello").await;
    world.send("PUT /pics/out/x.jpg\n\nx").await;
    world.send("PUT /pics/in/x.png\n\nx").await;
    world.send("DELETE /pics/in/red%20flower.jpg").await;
    let events = world.events().await;
    let names: Vec<_> = events.iter().map(|event| event["eventName"].as_str().unwrap()).collect();
    assert_eq!(names, ["ObjectCreated:Put", "ObjectRemoved:Delete"]);
    assert_eq!(events[0]["s3"]["object"]["key"], "in/red+flower.jpg");
    assert_eq!(events[0]["s3"]["configurationId"], "up");
    assert_eq!(events[0]["responseElements"]["x-amz-request-id"], put.header("x-amz-request-id"));
    assert_eq!(events[0]["responseElements"]["x-amz-id-2"], put.header("x-amz-id-2"));
    let sequencers: Vec<_> =
        events.iter().map(|event| event["s3"]["object"]["sequencer"].to_string()).collect();
    assert!(sequencers[0] < sequencers[1]);
}

#[tokio::test]
async fn a_configuration_is_answered_as_s3_spells_it() {
    let world = world();
    assert!(world.send("GET /pics?notification").await.body.contains("<NotificationConfiguration xmlns="));
    configure(&world, &entry(&["s3:ObjectCreated:Put"], &[("prefix", "in/")])).await;
    let got = world.send("GET /pics?notification").await;
    assert_eq!(
        (got.element("Id"), got.element("CloudFunction"), got.element("Event")),
        ("up", ARN, "s3:ObjectCreated:Put")
    );
    assert_eq!((got.element("Name"), got.element("Value")), ("Prefix", "in/"));
    configure(&world, "").await;
    assert_eq!(world.send("GET /pics?notification").await.elements("Id").len(), 0);
}

#[tokio::test]
async fn wrong_configurations_are_refused_and_the_old_one_stays() {
    let world = world();
    let good = entry(&["s3:ObjectCreated:*"], &[("prefix", "in/")]);
    configure(&world, &good).await;
    let message = |reply: &Reply| {
        assert_eq!(reply.code(), (400, "InvalidArgument"));
        reply.element("Message").to_owned()
    };
    let unknown = configure(&world, &good.replace("score", "other")).await;
    assert_eq!(message(&unknown), "Unable to validate the following destination configurations");
    let unreadable = configure(&world, &good.replace(ARN, "score")).await;
    assert_eq!(message(&unreadable), "The ARN could not be parsed");
    let filter = configure(&world, &entry(&["s3:ObjectCreated:*"], &[("infix", "x")])).await;
    assert_eq!(message(&filter), "filter rule name must be either prefix or suffix");
    let event = configure(&world, &entry(&["s3:ObjectBurned"], &[])).await;
    assert_eq!(message(&event), "A specified event is not supported for notifications.");
    let other = entry(&["s3:ObjectCreated:Put"], &[("prefix", "in/a"), ("suffix", ".jpg")]);
    assert!(message(&configure(&world, &format!("{good}{other}")).await).contains("ambiguously defined"));
    let topic = "<TopicConfiguration><Topic>arn:aws:sns:us-east-1:000000000000:t</Topic><Event>s3:ObjectRemoved:*</Event></TopicConfiguration>";
    world.mailbox.absent.lock().unwrap().push("arn:aws:sns:us-east-1:000000000000:t".into());
    let absent = configure(&world, topic).await;
    assert_eq!(message(&absent), "Unable to validate the following destination configurations");
    assert_eq!(world.send("GET /pics?notification").await.element("Value"), "in/");
}

#[tokio::test]
async fn declared_triggers_add_up() {
    let mut world = world();
    let scope = Arc::new(Scope::new("aws", "000000000000", "us-east-1"));
    let subscription = |suffix: &str| Subscription {
        id: Some(format!("on{suffix}")),
        events: vec!["s3:ObjectCreated:*".into()],
        prefix: None,
        suffix: Some(suffix.into()),
        function: FunctionId::new(scope.clone(), "score"),
    };
    world.s3.subscribe("fresh", subscription(".jpg")).unwrap();
    world.s3.subscribe("fresh", subscription(".png")).unwrap();
    assert!(world.s3.subscribe("fresh", subscription(".JPG.jpg")).unwrap_err().why.contains("ambiguously"));
    world.send("PUT /fresh/a.png\n\nx").await;
    world.send("PUT /fresh/a.jpg\n\nx").await;
    world.send("PUT /fresh/copy.jpg\nx-amz-copy-source: fresh/a.png").await;
    let ids: Vec<_> =
        world.events().await.iter().map(|event| event["s3"]["configurationId"].to_string()).collect();
    assert_eq!(ids, ["\"on.png\"", "\"on.jpg\"", "\"on.jpg\""]);
}

#[tokio::test]
async fn a_queue_is_tried_and_then_told() {
    use mlemu_engine::queues::{Notes, Want};
    let world = world();
    let entry = |queue: &str| {
        format!(
            "<QueueConfiguration><Id>told</Id><Queue>arn:aws:sqs:us-east-1:000000000000:{queue}</Queue>\
             <Event>s3:ObjectCreated:*</Event></QueueConfiguration>"
        )
    };
    assert_eq!(configure(&world, &entry("told")).await.code(), (400, "InvalidArgument"));
    let place = world.sqs.declare("told", &Notes::new()).unwrap();
    world.sqs.declare("told.fifo", &Notes::from([("FifoQueue".into(), "true".into())])).unwrap();
    assert_eq!(configure(&world, &entry("told.fifo")).await.code(), (400, "InvalidArgument"));
    assert_eq!(configure(&world, &entry("told")).await.status, 200);
    let got = world.send("GET /pics?notification").await;
    assert_eq!(got.element("Queue"), "arn:aws:sqs:us-east-1:000000000000:told");
    world.send("PUT /pics/a.jpg\n\nhello").await;
    let mut bodies = Vec::new();
    while bodies.len() < 2 {
        for one in world.sqs.queues().receive(&place, Want::next(10)).await.unwrap() {
            bodies.push(serde_json::from_slice::<serde_json::Value>(&one.message.body).unwrap());
        }
    }
    assert_eq!((&bodies[0]["Event"], &bodies[0]["Bucket"]), (&"s3:TestEvent".into(), &"pics".into()));
    assert_eq!(bodies[1]["Records"][0]["s3"]["object"]["key"], "a.jpg");
    assert_eq!(bodies[1]["Records"][0]["s3"]["configurationId"], "told");
}

#[tokio::test]
async fn topics_and_buses_are_told() {
    let world = world();
    let both = "<TopicConfiguration><Id>t</Id><Topic>arn:aws:sns:us-east-1:000000000000:t</Topic><Event>s3:ObjectCreated:*</Event></TopicConfiguration><EventBridgeConfiguration></EventBridgeConfiguration>";
    assert_eq!(configure(&world, both).await.status, 200);
    let greeting = world.mailbox.take();
    assert_eq!(greeting[0].0, "arn:aws:sns:us-east-1:000000000000:t");
    assert_eq!(greeting[0].1.subject.as_deref(), Some("Amazon S3 Notification"));
    assert!(greeting[0].1.text().contains("\"Event\":\"s3:TestEvent\""));
    let told = world.send("GET /pics?notification").await;
    assert_eq!(told.element("Topic"), "arn:aws:sns:us-east-1:000000000000:t");
    assert!(told.body.contains("<EventBridgeConfiguration"), "{}", told.body);
    world.send("PUT /pics/in/red%20flower.jpg\n\nhello").await;
    world.send("DELETE /pics/in/red%20flower.jpg").await;
    world.triggers.settled().await;
    let sent = world.mailbox.take();
    let at: Vec<_> = sent.iter().map(|(arn, _)| arn.as_str()).collect();
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/default";
    assert_eq!(at, ["arn:aws:sns:us-east-1:000000000000:t", bus, bus]);
    let record: serde_json::Value = serde_json::from_slice(&sent[0].1.body).unwrap();
    assert_eq!(record["Records"][0]["s3"]["object"]["key"], "in/red+flower.jpg");
    let said = sent[1].1.detail.clone().unwrap();
    assert_eq!((said.source.as_str(), said.kind.as_str()), ("aws.s3", "Object Created"));
    assert_eq!(said.resources, ["arn:aws:s3:::pics"]);
    let mut detail: serde_json::Value = serde_json::from_slice(&sent[1].1.body).unwrap();
    let request = detail["request-id"].take();
    assert_eq!(request.as_str().unwrap().len(), 16);
    let expected = serde_json::json!({
        "version": "0",
        "bucket": { "name": "pics" },
        "object": {
            "key": "in/red flower.jpg", "size": 5, "etag": "5d41402abc4b2a76b9719d911017c592",
            "sequencer": detail["object"]["sequencer"],
        },
        "request-id": null,
        "requester": "000000000000",
        "source-ip-address": detail["source-ip-address"],
        "reason": "PutObject",
    });
    assert_eq!(detail, expected);
    let gone: serde_json::Value = serde_json::from_slice(&sent[2].1.body).unwrap();
    assert_eq!(gone["deletion-type"], "Permanently Deleted");
    assert!(gone["object"].get("etag").is_none() && gone["object"].get("size").is_none());
}
