//! S3 from boto3, the AWS CLI and the AWS SDK for JavaScript; uploads that start functions.

use super::clients;
use super::house::{House, is};
use super::http;
use super::plan::Plan;
use super::program::Program;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Uploads: { Type: AWS::S3::Bucket, Properties: { BucketName: uploads } }
  Seen:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.12
      CodeUri: src/
      Handler: app.handler
      Timeout: 30
      Events:
        Csv:
          Type: S3
          Properties:
            Bucket: !Ref Uploads
            Events: s3:ObjectCreated:*
            Filter: { S3Key: { Rules: [{ Name: prefix, Value: in/ }, { Name: suffix, Value: .csv }] } }
";

/// Says the event in its log, as one line.
const APP: &str = "\
import json

def handler(event, context):
    print('EVENT ' + json.dumps(event))
";

fn plan() -> Plan {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP)
}

fn house() -> House {
    plan().up()
}

#[track_caller]
fn case(name: &str) -> Option<House> {
    let python = clients::python()?;
    let house = house();
    python.drive(&house, "s3.py", name);
    Some(house)
}

#[test]
fn objects_and_their_keys() {
    case("objects");
}

#[test]
fn listings_in_pages() {
    case("pages");
}

#[test]
fn large_objects_in_parts() {
    case("large");
}

#[test]
fn links_and_forms() {
    case("presigned");
}

#[test]
fn checksums() {
    case("checksums");
}

#[test]
fn versions_and_their_markers() {
    case("versions");
}

#[test]
fn locked_versions() {
    case("locks");
}

#[test]
fn configurations_of_buckets() {
    case("configurations");
}

#[test]
fn everything_that_happens_is_told() {
    case("told");
}

#[test]
fn conditional_requests() {
    case("conditions");
}

#[test]
fn the_sdk_for_javascript() {
    let Some(node) = clients::node() else { return };
    node.drive(&house(), "s3.mjs", "all");
}

#[test]
fn the_aws_command_line_copies_and_syncs() {
    let Some(python) = clients::python() else { return };
    let house = house();
    let folder = house.plan.path("many");
    std::fs::create_dir_all(folder.join("below")).expect("a folder");
    for number in 0..2000 {
        let name = if number % 2 == 0 { format!("{number}.txt") } else { format!("below/{number} +é.txt") };
        std::fs::write(folder.join(name), format!("file {number}")).expect("written");
    }
    python.aws(&house, &["s3", "mb", "s3://many"]);
    python.aws(&house, &["s3", "sync", "many", "s3://many/all", "--quiet"]);
    let listed = python.aws(&house, &["s3", "ls", "s3://many/all/", "--recursive"]);
    assert_eq!(listed.lines().count(), 2000);
    // Nothing is new: nothing is copied again.
    assert_eq!(python.aws(&house, &["s3", "sync", "many", "s3://many/all"]), "");
    python.aws(&house, &["s3", "cp", "s3://many/all", "back", "--recursive", "--quiet"]);
    let back = std::fs::read_to_string(house.plan.path("back/below/7 +é.txt"));
    assert_eq!(back.expect("copied"), "file 7");
    python.aws(&house, &["s3", "rb", "s3://many", "--force"]);
    assert!(!python.aws(&house, &["s3", "ls"]).contains("many"));
}

/// The memory of the daemon that is its own, in bytes: neither its binary nor what the kernel caches of files.
fn own_memory(house: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).expect("a living daemon");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("its memory");
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kibibytes * 1024
}

const CHUNK: usize = 1024 * 1024;

/// Uploads so many zeros; `seen` is called on the way.
fn put_zeros(house: &House, path: &str, size: u64, seen: impl Fn()) {
    let mut stream = http::connect(house.aws());
    let host = house.aws();
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let chunk = vec![0; CHUNK];
    for _ in 0..size / CHUNK as u64 {
        stream.write_all(&chunk).expect("sent");
        seen();
    }
    assert_eq!(http::rest(stream).expect("an answer").status, 200);
}

/// Reads an object and forgets it; gives how long it was.
fn read_length(house: &House, path: &str, seen: impl Fn()) -> u64 {
    let mut stream = http::connect(house.aws());
    let host = house.aws();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut buffer = vec![0; CHUNK];
    let first = stream.read(&mut buffer).expect("a head");
    let end = buffer[..first].windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head") + 4;
    let mut length = (first - end) as u64;
    loop {
        match stream.read(&mut buffer).expect("a body") {
            0 => return length,
            read => length += read as u64,
        }
        seen();
    }
}

/// Puts an object of so many bytes, reads it back, copies it, and gives what the daemon grew by at most meanwhile.
fn growth(size: u64) -> u64 {
    let house = plan().program();
    http::send(house.aws(), "PUT /large", &[], b"");
    let before = own_memory(&house);
    let most = std::sync::atomic::AtomicU64::new(before);
    let seen = || {
        most.fetch_max(own_memory(&house), std::sync::atomic::Ordering::Relaxed);
    };
    put_zeros(&house, "/large/model", size, seen);
    let copy = [("x-amz-copy-source", "/large/model")];
    assert_eq!(http::send(house.aws(), "PUT /large/copy", &copy, b"").status, 200);
    seen();
    http::send(house.aws(), "DELETE /large/model", &[], b"");
    assert_eq!(read_length(&house, "/large/copy", seen), size);
    most.into_inner() - before
}

#[test]
fn a_large_object_is_streamed() {
    let grown = growth(300 * 1024 * 1024);
    assert!(grown < 100 * 1024 * 1024, "300 MiB in and out took {grown} bytes of memory");
}

/// Opt in: it writes 5 GiB to the disk.
#[test]
#[ignore = "writes 5 GiB"]
fn an_object_of_five_gibibytes_is_streamed() {
    let grown = growth(5 * 1024 * 1024 * 1024);
    assert!(grown < 100 * 1024 * 1024, "5 GiB in and out took {grown} bytes of memory");
}

/// The event in a log line of `function`, if the record is one.
fn event(record: &Value) -> Option<Value> {
    let text = record["what"]["log"]["text"].as_str()?;
    let event: Value = serde_json::from_str(text.strip_prefix("EVENT ")?).expect("an event");
    Some(event["Records"][0].clone())
}

#[test]
fn an_upload_starts_a_function_with_s3s_own_event() {
    let Some(python) = clients::python() else { return };
    let house = house();
    python.drive(&house, "s3.py", "tells");
    let keyed = |key: &'static str| {
        move |record: &Value| event(record).is_some_and(|event| event["s3"]["object"]["key"] == key)
    };
    let first = house.wait(0, "the first upload", keyed("in/a+b%2Bc+%C3%A9.csv"));
    house.wait(0, "the upload by link", keyed("in/by+link.csv"));
    let events: Vec<_> = house.records(0).iter().filter_map(event).collect();
    assert_eq!(events.len(), 2, "only what the filters let through: {events:?}");

    let event = event(&first).expect("the event");
    assert_eq!(event["eventName"], "ObjectCreated:Put");
    assert_eq!(event["s3"]["bucket"]["arn"], "arn:aws:s3:::uploads");
    assert_eq!(event["s3"]["object"]["size"], 4);
    assert_eq!(event["s3"]["object"]["eTag"], "3ecfad755fa825f7a17c5526ec44e651", "the MD5 of the body");
    let fixture =
        house.mlemu(&["events", "gen", "aws/s3/put", "-p", "key=in/a b+c é.csv", "-p", "bucket=uploads"]);
    let fixture: Value = serde_json::from_slice(&fixture.stdout).expect("a fixture");
    let fixture = &fixture["Records"][0];
    assert_eq!(shape(&event), shape(fixture));
    assert_eq!(event["s3"]["object"]["key"], fixture["s3"]["object"]["key"]);
}

/// Every path of a document with the kind of what is there.
fn shape(document: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, member)| walk(member, &format!("{path}.{name}"), into));
            }
            Value::Array(entries) => entries.iter().for_each(|entry| walk(entry, &format!("{path}[]"), into)),
            Value::String(_) => drop(into.insert(format!("{path}: text"))),
            Value::Number(_) => drop(into.insert(format!("{path}: number"))),
            other => drop(into.insert(format!("{path}: {other}"))),
        }
    }
    let mut paths = BTreeSet::new();
    walk(document, "", &mut paths);
    paths
}

#[test]
fn a_template_that_is_read_again_triggers_once() {
    let house = plan().watching().up();
    let put = |key: &str| {
        let answer = http::send(house.aws(), &format!("PUT /uploads/{key}"), &[], b"1");
        assert_eq!(answer.status, 200, "{}", answer.text());
    };
    let mark = house.mark();
    let more = TEMPLATE.replace("Timeout: 30", "Timeout: 20").replace("Value: in/", "Value: other/")
        + "  Zinnia: { Type: AWS::Serverless::Function, Properties: { Runtime: python3.12, CodeUri: src/, Handler: app.handler } }\n";
    std::fs::write(house.plan.path("template.yaml"), more).expect("saved");
    // One function after the other is declared, each with its triggers.
    house.wait(mark, "the function after it is declared", |record| is(record, "Zinnia", "declared"));
    let configuration = || http::send(house.aws(), "GET /uploads?notification", &[], b"").text();
    assert!(configuration().contains("other/"), "{}", configuration());
    assert_eq!(configuration().matches("<CloudFunctionConfiguration>").count(), 1, "{}", configuration());
    put("in/a.csv");
    put("other/b.csv");
    house.wait_ended(mark, "Seen");
    let keys: Vec<_> =
        house.records(0).iter().filter_map(event).map(|event| event["s3"]["object"]["key"].clone()).collect();
    assert_eq!(keys, ["other/b.csv"]);
}

#[test]
fn a_removal_tells_the_function_that_a_script_configured() {
    let Some(house) = case("configures") else { return };
    let told = house.wait(0, "the removal", |record| event(record).is_some());
    assert!(is(&told, "Seen", "log"));
    let event = event(&told).expect("the event");
    assert_eq!(event["eventName"], "ObjectRemoved:Delete");
    assert_eq!(event["s3"]["configurationId"], "mine");
    assert_eq!(event["s3"]["object"]["key"], "gone");
}

#[test]
fn a_body_that_is_held_back_and_not_wanted_ends_its_connection() {
    let house = Plan::new().file("mlemu.toml", "[buckets.held]\n").up();
    let mut stream = http::connect(house.aws());
    let head = format!(
        "PUT /held/key HTTP/1.1\r\nHost: {}\r\nIf-Match: \"00\"\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        house.aws()
    );
    std::io::Write::write_all(&mut stream, head.as_bytes()).expect("sent");
    // Without the announcement the client would send its next request here, and lose its first letter.
    let answer = http::rest(stream).expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (404, Some("close")));
}
