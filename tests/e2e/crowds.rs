//! Clients that are slow, and more clients than a listener has places for: each hears something, and soon.

use super::house::House;
use super::http;
use super::plan::Plan;
use rustix::process::{Resource, Rlimit};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

const PLACES: usize = 1024;

fn house() -> House {
    // A test has as many descriptors as the daemon has places, at least.
    let allowed = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: allowed.maximum, ..allowed };
    rustix::process::setrlimit(Resource::Nofile, raised).expect("more descriptors");
    let house = Plan::new().up();
    http::send(house.aws(), "PUT /crowd", &[], b"");
    house
}

fn ask(stream: &mut TcpStream, to: SocketAddr, line: &str, headers: &str) {
    let request = format!("{line} HTTP/1.1\r\nHost: {to}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).expect("written");
}

/// A client that sends a body and has not sent it yet; its request is under way when this returns.
fn at_work(to: SocketAddr, number: usize) -> TcpStream {
    let mut stream = http::connect(to);
    let headers = "Connection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n";
    ask(&mut stream, to, &format!("PUT /crowd/{number}"), headers);
    let mut said = [0; 25];
    stream.read_exact(&mut said).expect("heard");
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[test]
fn a_full_house_tells_newcomers_so_and_serves_those_inside() {
    let house = house();
    let to = house.aws();
    let mut inside: Vec<_> = (0..PLACES).map(|number| at_work(to, number)).collect();
    let s3 = http::send(to, "PUT /crowd/late", &[], b"late");
    assert_eq!((s3.status, s3.header("retry-after")), (503, Some("1")), "{}", s3.text());
    assert!(s3.text().contains("<Code>SlowDown</Code>"), "{}", s3.text());
    let lambda = http::send(to, "GET /2015-03-31/functions", &[], b"");
    assert_eq!(lambda.status, 503);
    assert_eq!(lambda.header("x-amzn-errortype"), Some("ServiceUnavailableException"));
    for stream in &mut inside {
        stream.write_all(b"body").expect("written");
    }
    for stream in inside {
        assert_eq!(http::rest(stream).map(|answer| answer.status), Some(200));
    }
    assert_eq!(http::send(to, "PUT /crowd/late", &[], b"late").status, 200);
}

#[test]
fn connections_that_only_rest_make_room() {
    let house = house();
    let to = house.aws();
    let mut resting = Vec::new();
    for number in 0..PLACES + 100 {
        let mut stream = http::connect(to);
        ask(&mut stream, to, "HEAD /crowd", "");
        let mut status = [0; 15];
        stream.read_exact(&mut status).unwrap_or_else(|error| panic!("client {number}: {error}"));
        assert_eq!(&status, b"HTTP/1.1 200 OK", "client {number}");
        resting.push(stream);
    }
}

#[test]
fn who_stops_sending_hears_it_in_the_vendors_words() {
    let house = house();
    let stuck = |to: SocketAddr, line: &str, headers: &str| {
        let mut stream = http::connect(to);
        ask(&mut stream, to, line, &format!("Content-Length: 10\r\n{headers}"));
        stream.write_all(b"half").expect("written");
        stream
    };
    let bearer = format!("Authorization: Bearer {}\r\n", house.token());
    let s3 = stuck(house.aws(), "PUT /crowd/half", "");
    let lambda = stuck(house.aws(), "POST /2015-03-31/functions", "");
    let control = stuck(house.control(), "POST /_mlemu/reset", &bearer);
    let mut head = http::connect(house.aws());
    head.write_all(b"PUT /crowd/half HTTP/1.1\r\nHost").expect("written");
    for stream in [head, s3] {
        let answer = http::rest(stream).expect("an answer");
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("<Code>RequestTimeout</Code>"), "{}", answer.text());
    }
    let answer = http::rest(lambda).expect("an answer");
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert_eq!(answer.header("x-amzn-errortype"), Some("RequestTimeoutException"));
    let answer = http::rest(control).expect("an answer");
    assert_eq!(answer.status, 408, "{}", answer.text());
    assert_eq!(http::send(house.aws(), "HEAD /crowd/half", &[], b"").status, 404, "half is nothing");
}
