//! Each AWS fixture is read by the types that Rust functions read their events with.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use aws_lambda_events::event::apigw::{ApiGatewayProxyRequest, ApiGatewayV2httpRequest};
use aws_lambda_events::event::cloudwatch_events::CloudWatchEvent;
use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::lambda_function_urls::LambdaFunctionUrlRequest;
use aws_lambda_events::event::s3::S3Event;
use aws_lambda_events::event::sns::SnsEvent;
use aws_lambda_events::event::sqs::SqsEvent;
use mlemu_fixtures::{Envelope, Library, Param, Request};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const NOW: i64 = 1_767_225_600_123_456;

fn request(params: &[&str]) -> Request {
    let params = params.iter().map(|text| text.parse::<Param>().unwrap()).collect();
    Request { params, now: NOW, seed: 7, ..Request::default() }
}

fn read<T: DeserializeOwned>(name: &str, request: &Request) -> (T, Value) {
    let bytes = Library::default().render(name, request).unwrap_or_else(|e| panic!("{name}: {e}"));
    let typed = serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
    (typed, serde_json::from_slice(&bytes).unwrap())
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn s3_put() {
    let asked = request(&["bucket=pictures", "key=in/red flower+é.jpg", "size=7", "version-id=v1"]);
    let (event, raw) = read::<S3Event>("aws/s3/put", &asked);
    let record = &event.records[0];
    assert_eq!(record.event_name.as_deref(), Some("ObjectCreated:Put"));
    assert_eq!(record.event_time.timestamp_micros(), NOW / 1000 * 1000);
    assert_eq!(record.s3.bucket.name.as_deref(), Some("pictures"));
    assert_eq!(record.s3.bucket.arn.as_deref(), Some("arn:aws:s3:::pictures"));
    assert_eq!(record.s3.object.key.as_deref(), Some("in/red+flower%2B%C3%A9.jpg"));
    assert_eq!((record.s3.object.size, record.s3.object.version_id.as_deref()), (Some(7), Some("v1")));

    let raw = &raw["Records"][0];
    let outer = [
        "eventVersion",
        "eventSource",
        "awsRegion",
        "eventTime",
        "eventName",
        "userIdentity",
        "requestParameters",
        "responseElements",
        "s3",
    ];
    assert_eq!(names(raw), outer);
    assert_eq!(raw["eventVersion"], json!("2.1"));
    assert_eq!(raw["eventSource"], json!("aws:s3"));
    assert_eq!(raw["eventTime"], json!("2026-01-01T00:00:00.123Z"));
    assert_eq!(names(&raw["userIdentity"]), ["principalId"]);
    assert_eq!(names(&raw["requestParameters"]), ["sourceIPAddress"]);
    assert_eq!(names(&raw["responseElements"]), ["x-amz-request-id", "x-amz-id-2"]);
    assert_eq!(names(&raw["s3"]), ["s3SchemaVersion", "configurationId", "bucket", "object"]);
    assert_eq!(names(&raw["s3"]["bucket"]), ["name", "ownerIdentity", "arn"]);
    assert_eq!(names(&raw["s3"]["object"]), ["key", "size", "eTag", "versionId", "sequencer"]);
    let sequencer = raw["s3"]["object"]["sequencer"].as_str().unwrap();
    assert!(sequencer.chars().all(|c| c.is_ascii_digit() || ('A'..='F').contains(&c)), "{sequencer}");
    assert_eq!(sequencer.len(), 18, "as long as those of real commits");

    let (_, plain) = read::<S3Event>("aws/s3/put", &request(&[]));
    assert_eq!(names(&plain["Records"][0]["s3"]["object"]), ["key", "size", "eTag", "sequencer"]);
}

#[test]
fn s3_put_sequencers_order_events() {
    let sequencer = |now: i64, index: usize| {
        let batch = Request { count: 3, now, ..request(&[]) };
        read::<S3Event>("aws/s3/put", &batch).0.records[index].s3.object.sequencer.clone().unwrap()
    };
    assert!(sequencer(NOW, 0) < sequencer(NOW, 1));
    assert!(sequencer(NOW, 2) < sequencer(NOW + 1, 0));
}

#[test]
fn s3_delete() {
    let (event, raw) = read::<S3Event>("aws/s3/delete", &request(&["key=a b"]));
    assert_eq!(event.records[0].event_name.as_deref(), Some("ObjectRemoved:Delete"));
    assert_eq!(names(&raw["Records"][0]["s3"]["object"]), ["key", "sequencer"]);
    assert_eq!(raw["Records"][0]["s3"]["object"]["key"], json!("a+b"));
}

#[test]
fn sqs_message() {
    let asked = request(&["queue=jobs", r#"body={"x":1}"#, "attributes.kind=test", "receive-count=2"]);
    let (event, raw) = read::<SqsEvent>("aws/sqs/message", &Request { count: 2, ..asked });
    assert_eq!(event.records.len(), 2);
    let message = &event.records[0];
    assert_eq!(message.body.as_deref(), Some(r#"{"x":1}"#));
    assert_eq!(message.event_source_arn.as_deref(), Some("arn:aws:sqs:us-east-1:000000000000:jobs"));
    assert_eq!(message.attributes["ApproximateReceiveCount"], "2");
    assert_eq!(message.attributes["SentTimestamp"], "1767225600073");
    assert_eq!(message.message_attributes["kind"].string_value.as_deref(), Some("test"));
    assert_eq!(message.md5_of_message_attributes.as_ref().map(String::len), Some(32));
    // md5 of {"x":1}
    assert_eq!(message.md5_of_body.as_deref(), Some("ac3ef48caa08fa3ed5e025da69edc645"));
    assert_eq!(raw["Records"][0]["awsRegion"], json!("us-east-1"));
}

#[test]
fn sqs_from_s3() {
    let asked = request(&["bucket=pictures", "queue=jobs", "key=a \"b\".jpg"]);
    let (event, _) = read::<SqsEvent>("aws/sqs/from-s3", &asked);
    let inner: S3Event = serde_json::from_str(event.records[0].body.as_deref().unwrap()).unwrap();
    assert_eq!(inner.records[0].s3.bucket.name.as_deref(), Some("pictures"));
    assert_eq!(inner.records[0].s3.object.key.as_deref(), Some("a+%22b%22.jpg"));
    assert!(event.records[0].event_source_arn.as_deref().unwrap().ends_with(":jobs"));
    let params = Library::default().show("aws/sqs/from-s3").unwrap().params;
    assert!(params.iter().any(|param| param.name == "bucket") && params.iter().any(|p| p.name == "queue"));
    assert!(params.iter().all(|param| param.name != "body"));
    let error = Library::default().render("aws/sqs/from-s3", &request(&["bukcet=x"])).unwrap_err();
    assert_eq!(error.hint().unwrap(), "did you mean `bucket`?");
}

#[test]
fn sns_notification() {
    let (event, raw) = read::<SnsEvent>("aws/sns/notification", &request(&["message=m", "attributes.a=b"]));
    let message = &event.records[0].sns;
    assert_eq!((message.message.as_str(), message.subject.as_ref()), ("m", None));
    assert_eq!(message.timestamp.timestamp_micros(), NOW / 1000 * 1000);
    assert_eq!(message.message_attributes["a"].value, "b");
    assert_eq!(event.records[0].event_version, "1.0");
    assert_eq!(raw["Records"][0]["Sns"]["Subject"], Value::Null);
    let subscription = &event.records[0].event_subscription_arn;
    assert!(subscription.starts_with("arn:aws:sns:us-east-1:000000000000:alerts:"), "{subscription}");
    assert!(message.unsubscribe_url.ends_with(subscription));
}

#[test]
fn rest_api() {
    let asked = request(&[
        "method=POST",
        "path=/score/7",
        "resource=/score/{id}",
        "path-params.id=7",
        "query.a=1",
        "query.a=2",
        "headers.X-Two=1",
        "headers.x-two=2",
        "headers.user-agent=mine",
        "body={}",
        "claims.sub=me",
    ]);
    let (event, raw) = read::<ApiGatewayProxyRequest>("aws/apigw/rest", &asked);
    assert_eq!(event.resource.as_deref(), Some("/score/{id}"));
    assert_eq!(event.path_parameters["id"], "7");
    assert_eq!(event.headers["x-two"], "2");
    assert_eq!(event.multi_value_headers.get_all("x-two").iter().count(), 2);
    assert_eq!(event.headers["user-agent"], "mine");
    assert_eq!(event.multi_value_query_string_parameters.all("a").unwrap(), ["1", "2"]);
    assert_eq!(raw["queryStringParameters"], json!({"a": "2"}));
    assert_eq!(raw["requestContext"]["authorizer"]["claims"]["sub"], json!("me"));
    assert_eq!(event.request_context.path.as_deref(), Some("/Prod/score/7"));
    assert_eq!(event.request_context.request_time.as_deref(), Some("01/Jan/2026:00:00:00 +0000"));
    assert_eq!(event.body.as_deref(), Some("{}"));
    assert_eq!(
        names(&raw),
        [
            "resource",
            "path",
            "httpMethod",
            "headers",
            "multiValueHeaders",
            "queryStringParameters",
            "multiValueQueryStringParameters",
            "pathParameters",
            "stageVariables",
            "requestContext",
            "body",
            "isBase64Encoded",
        ]
    );
}

#[test]
fn rest_api_without_query_or_body_has_nulls() {
    let (_, raw) = read::<ApiGatewayProxyRequest>("aws/apigw/rest", &request(&[]));
    for name in [
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "body",
    ] {
        assert_eq!(raw[name], Value::Null, "{name}");
    }
    assert_eq!(raw["isBase64Encoded"], json!(false));
}

#[test]
fn http_api() {
    let asked = request(&[
        "path=/score",
        "query.url=http://x/?a=b c",
        "query.t=1",
        "query.t=2",
        "headers.X-A=1",
        r#"cookies:=["a=1","b=2"]"#,
        "body=hi",
        "route-key=POST /score",
        "method=POST",
    ]);
    let (event, raw) = read::<ApiGatewayV2httpRequest>("aws/apigw/http-v2", &asked);
    assert_eq!(event.version.as_deref(), Some("2.0"));
    assert_eq!(event.raw_query_string.as_deref(), Some("url=http%3A%2F%2Fx%2F%3Fa%3Db%20c&t=1&t=2"));
    assert_eq!(raw["queryStringParameters"], json!({"url": "http://x/?a=b c", "t": "1,2"}));
    assert_eq!(raw["headers"]["x-a"], json!("1"));
    assert_eq!(event.cookies.unwrap(), ["a=1", "b=2"]);
    assert_eq!(event.request_context.http.method.as_str(), "POST");
    assert_eq!(event.request_context.route_key.as_deref(), Some("POST /score"));
    assert_eq!(event.request_context.time_epoch, NOW / 1000);
    let context = [
        "accountId",
        "apiId",
        "domainName",
        "domainPrefix",
        "http",
        "requestId",
        "routeKey",
        "stage",
        "time",
        "timeEpoch",
    ];
    assert_eq!(names(&raw["requestContext"]), context);

    let (_, bare) = read::<ApiGatewayV2httpRequest>("aws/apigw/http-v2", &request(&[]));
    let left_out = ["cookies", "queryStringParameters", "pathParameters", "stageVariables", "body"];
    assert!(left_out.iter().all(|name| bare.get(name).is_none()), "{bare}");
    let (_, empty) = read::<ApiGatewayV2httpRequest>("aws/apigw/http-v2", &request(&["body="]));
    assert_eq!(empty["body"], json!(""));
}

#[test]
fn function_url() {
    let (event, raw) = read::<LambdaFunctionUrlRequest>("aws/function-url", &request(&["query.a=1"]));
    assert_eq!(event.request_context.account_id.as_deref(), Some("anonymous"));
    assert_eq!(event.query_string_parameters["a"], "1");
    assert_eq!(raw["requestContext"].get("authorizer"), None);
    let domain = event.request_context.domain_name.unwrap();
    assert_eq!(domain, "mlemufunctionurl.lambda-url.us-east-1.on.aws");
    let (event, _) = read::<LambdaFunctionUrlRequest>("aws/function-url", &request(&["auth=iam"]));
    let iam = event.request_context.authorizer.unwrap().iam.unwrap();
    assert_eq!(iam.user_arn.as_deref(), Some("arn:aws:iam::000000000000:user/mlemu"));
}

#[test]
fn schedule_and_eventbridge() {
    let (event, raw) = read::<CloudWatchEvent>("aws/schedule", &request(&["rule=nightly"]));
    assert_eq!(event.detail_type.as_deref(), Some("Scheduled Event"));
    assert_eq!(event.resources, ["arn:aws:events:us-east-1:000000000000:rule/nightly"]);
    assert_eq!(raw["time"], json!("2026-01-01T00:00:00Z"));

    let asked = request(&["key=red flower.jpg", "bucket=b"]);
    let (event, raw) = read::<EventBridgeEvent>("aws/eventbridge/s3-object-created", &asked);
    assert_eq!((event.source.as_str(), event.detail_type.as_str()), ("aws.s3", "Object Created"));
    assert_eq!(raw["detail"]["object"]["key"], json!("red flower.jpg"), "not encoded here");
    assert_eq!(raw["detail"]["reason"], json!("PutObject"));
}

#[test]
fn one_payload_in_every_envelope() {
    for (envelope, body) in [
        ("aws/apigw/rest", "/body"),
        ("aws/apigw/http-v2", "/body"),
        ("aws/function-url", "/body"),
        ("aws/sqs/message", "/Records/0/body"),
        ("aws/sns/notification", "/Records/0/Sns/Message"),
    ] {
        let asked = Request { envelope: Some(envelope.into()), ..request(&["bmi=0.5"]) };
        let event: Value =
            serde_json::from_slice(&Library::default().render("ml/tabular", &asked).unwrap()).unwrap();
        let row: Value = serde_json::from_str(event.pointer(body).unwrap().as_str().unwrap()).unwrap();
        assert_eq!(row["features"][2], json!(0.5), "{envelope}");
    }
    let bare = Request { envelope: Some("bare".into()), ..request(&[]) };
    let library = Library::default();
    assert_eq!(library.render("ml/text", &bare), library.render("ml/text", &request(&[])));
    let wrong = Request { envelope: Some("aws/schedule".into()), ..request(&[]) };
    let error = library.render("ml/text", &wrong).unwrap_err();
    assert!(error.hint().unwrap().contains("aws/apigw/rest"), "{error}");
}

#[test]
fn http_envelopes_say_method_type_and_length() {
    let asked = Request { envelope: Some("aws/apigw/rest".into()), ..request(&["path=/score", "text=é"]) };
    let bytes = Library::default().render("ml/text", &asked).unwrap();
    let event: ApiGatewayProxyRequest = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((event.http_method.as_str(), event.path.as_deref()), ("POST", Some("/score")));
    assert_eq!(event.headers["content-type"], "application/json");
    assert_eq!(event.headers["content-length"], event.body.unwrap().len().to_string());
}

#[test]
fn an_address_travels_in_the_query() {
    let url = "http://127.0.0.1:4566/pictures/red flower.jpg?v=1&w=2";
    let given = format!("url={url}");
    let asked =
        Request { envelope: Some("aws/apigw/rest".into()), ..request(&[&given, "path=/which_flower"]) };
    let bytes = Library::default().render("ml/image-url", &asked).unwrap();
    let event: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(event["queryStringParameters"], json!({ "url": url }));
    assert_eq!((&event["httpMethod"], &event["body"]), (&json!("GET"), &Value::Null));
}

#[test]
fn bytes_are_wrapped_as_base64() {
    let library = Library::default();
    let picture = b"\x89PNG\r\n\x1a\n\xff\x00";
    for envelope in ["aws/apigw/rest", "aws/apigw/http-v2", "aws/function-url"] {
        let wrapped = library.wrap(picture, &Envelope::named(envelope), &request(&["path=/p"])).unwrap();
        let event: Value = serde_json::from_slice(&wrapped).unwrap();
        assert_eq!(event["isBase64Encoded"], json!(true));
        assert_eq!(event["body"], json!("iVBORw0KGgr/AA=="));
        assert_eq!(event["headers"]["content-type"], json!("image/png"));
    }
    assert_eq!(library.wrap(picture, &Envelope::Bare, &request(&[])).unwrap(), picture);
    assert!(library.wrap(picture, &Envelope::named("aws/sqs/message"), &request(&[])).is_err());
}

#[test]
fn a_destination_record_says_how_it_ended() {
    let (event, _) = read::<serde_json::Value>("aws/lambda/destination", &request(&["function=f"]));
    assert_eq!(
        event["requestContext"]["functionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"
    );
    assert_eq!(event["responseContext"]["functionError"], "Unhandled");
    assert_eq!(event["responsePayload"]["errorType"], "ValueError");
    let (event, _) = read::<serde_json::Value>("aws/lambda/destination", &request(&["condition=Success"]));
    assert_eq!(event["responseContext"], json!({ "statusCode": 200, "executedVersion": "$LATEST" }));
}

#[test]
fn the_test_event_has_no_records() {
    let (event, _) = read::<serde_json::Value>("aws/s3/test-event", &request(&["bucket=b"]));
    assert_eq!((&event["Event"], &event["Bucket"]), (&json!("s3:TestEvent"), &json!("b")));
    assert!(event.get("Records").is_none());
}
