//! Who may speak to a daemon, and what hostile bytes do to it: nothing.

use super::house::is;
use super::http::{self, Answer};
use super::lives;
use super::plan::Plan;
use super::program::Program;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Tells:
    Type: AWS::Serverless::Function
    Properties:
      { Runtime: python3.12, CodeUri: src/, Handler: app.handler, Timeout: 30, Environment: { Variables: { OWN: declared } } }
";

/// What a function can see of its surroundings.
const APP: &str = "\
import os, socket, sys

def peer(fd):
    try:
        found = socket.socket(fileno=os.dup(int(fd)))
        return '%s:%d' % found.getpeername() if found.family == socket.AF_INET else None
    except OSError:
        return None

def handler(event, context):
    fds = {fd: os.readlink('/proc/self/fd/' + fd) for fd in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/' + fd)}
    peers = list(filter(None, map(peer, fds)))
    return {'env': dict(os.environ), 'stdin': sys.stdin.read(), 'fds': fds, 'peers': peers, 'event': event}
";

const INVOKE: &str = "POST /2015-03-31/functions/Tells/invocations";

fn plan() -> Plan {
    Plan::new().file("template.yaml", TEMPLATE).file("src/app.py", APP)
}

#[track_caller]
fn tells(house: &Program) -> Value {
    let mark = house.mark();
    let answer = http::send(house.aws(), INVOKE, &[], b"{}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Its records are counted later: they must all be there.
    house.wait_ended(mark, "Tells");
    answer.json()
}

/// How many invocations were begun and buckets made, one invocation of our own included: its record comes
/// behind those of all others.
fn effects(house: &Program) -> usize {
    let mark = house.mark();
    tells(house);
    house.wait_ended(mark, "Tells");
    let started = house.records(0).iter().filter(|record| is(record, "Tells", "started")).count();
    let buckets = http::send(house.aws(), "GET /", &[], b"").text().matches("<Bucket>").count();
    started + buckets
}

/// A listener, and a request that would have an effect.
struct Door {
    to: SocketAddr,
    line: &'static str,
    /// What its own clients send as proof of who they are.
    proof: Option<String>,
}

impl Door {
    fn send(&self, headers: &[(&str, &str)]) -> Answer {
        let proof = self.proof.iter().map(|proof| ("Authorization", proof.as_str()));
        let all: Vec<_> = proof.chain(headers.iter().copied()).collect();
        http::send_exactly(self.to, self.line, &all, b"{}")
    }
}

/// Every kind of listener: the APIs, the control API, an instance's own.
fn doors(house: &Program) -> Vec<Door> {
    let told = tells(house);
    house.wait_ended(0, "Tells");
    let runtime =
        told["env"]["AWS_LAMBDA_RUNTIME_API"].as_str().expect("an address").parse().expect("an address");
    let bearer = Some(format!("Bearer {}", house.token()));
    let door = |to, line, proof: &Option<String>| Door { to, line, proof: proof.clone() };
    vec![
        door(house.aws(), INVOKE, &None),
        door(house.aws(), "PUT /made-by-a-stranger", &None),
        door(house.aws(), "POST /?Action=GetCallerIdentity&Version=2011-06-15", &None),
        door(house.control(), "POST /_mlemu/functions/Tells/invoke", &bearer),
        door(house.control(), "GET /_mlemu/stream?once=true", &bearer),
        door(house.control(), "POST /_mlemu/stop", &bearer),
        door(runtime, "GET /2018-06-01/runtime/invocation/next", &None),
    ]
}

#[track_caller]
fn turned_away(answer: &Answer, about: &str) {
    assert!([421, 403, 400].contains(&answer.status), "{about}: {} {}", answer.status, answer.text());
    assert!(answer.header("access-control-allow-origin").is_none(), "{about}: {:?}", answer.headers);
    assert!(answer.header("access-control-allow-private-network").is_none(), "{about}: {:?}", answer.headers);
}

#[test]
fn every_socket_that_listens_is_on_loopback() {
    let house = plan().program();
    tells(&house);
    let listening = listening(house.pid());
    assert!(listening.len() >= 3, "the APIs, the control API, an instance: {listening:?}");
    for address in listening {
        assert!(address.is_loopback(), "{address} listens");
    }
}

/// Addresses of a process's listening sockets, from its own view of the network.
fn listening(pid: u32) -> Vec<IpAddr> {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("alive").filter_map(Result::ok);
    let links = fds.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    let own: BTreeSet<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            let inode = format!("socket:[{}]", fields[9]);
            if fields[3] == "0A" && own.contains(&inode) {
                found.push(address(fields[1].split(':').next().expect("an address")));
            }
        }
    }
    found
}

/// The kernel writes each 32-bit word in the machine's own order.
fn address(hex: &str) -> IpAddr {
    let words = hex.as_bytes().chunks(8).map(|word| {
        u32::from_str_radix(std::str::from_utf8(word).expect("hex"), 16).expect("hex").to_ne_bytes()
    });
    let bytes: Vec<u8> = words.flatten().collect();
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(four) => Ipv4Addr::from(four).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).expect("an address")).into(),
    }
}

#[test]
fn other_hosts_reach_no_listener() {
    let house = plan().program();
    let doors = doors(&house);
    let before = effects(&house);
    for door in &doors {
        let port = door.to.port();
        let hosts = [
            "evil.example".into(),
            format!("evil.example:{port}"),
            format!("localhost6:{port}"),
            format!("127.0.0.1.nip.io:{port}"),
            format!("0.0.0.0:{port}"),
            format!("2130706433:{port}"),
            format!("localhost.evil.example:{port}"),
            format!("127.0.0.1:{}", port.wrapping_add(1)),
            format!("user@127.0.0.1:{port}"),
        ];
        for host in &hosts {
            turned_away(&door.send(&[("Host", host)]), &format!("{} as {host}", door.line));
        }
        let twice = [("Host", "127.0.0.1"), ("Host", "evil.example")];
        turned_away(&door.send(&twice), &format!("{} with two hosts", door.line));
    }
    assert_eq!(effects(&house), before + 1, "nothing was executed but our own");
}

#[test]
fn pages_of_other_origins_reach_no_listener() {
    let house = plan().program();
    let doors = doors(&house);
    let before = effects(&house);
    for door in &doors {
        let host = door.to.to_string();
        for origin in ["http://evil.example", "null", "http://localhost:3000", "https://127.0.0.1", ""] {
            let headers = [("Host", host.as_str()), ("Content-Type", "text/plain"), ("Origin", origin)];
            turned_away(&door.send(&headers), &format!("{} from {origin:?}", door.line));
        }
        let path = door.line.split(' ').nth(1).expect("a path");
        let preflight = [
            ("Origin", "http://evil.example"),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Private-Network", "true"),
        ];
        let line = format!("OPTIONS {path}");
        turned_away(&http::send(door.to, &line, &preflight, b""), &line);
    }
    assert_eq!(effects(&house), before + 1, "nothing was executed but our own");
}

#[test]
fn an_absolute_target_must_name_the_same_machine() {
    let house = plan().program();
    let to = house.aws();
    let line = format!("POST http://evil.example{}", &INVOKE[5..]);
    turned_away(&http::send(to, &line, &[], b"{}"), "an absolute target");
    let line = format!("POST http://{to}{}", &INVOKE[5..]);
    assert_eq!(http::send(to, &line, &[], b"{}").status, 200);
}

#[test]
fn names_of_this_machine_are_let_in() {
    let house = plan().program();
    let to = house.aws();
    http::send(to, "PUT /pictures", &[], b"");
    http::send(to, "PUT /pictures/cat", &[], b"meow");
    for host in ["LOCALHOST", "localhost.", "127.0.0.1", "ns1.localhost"] {
        let host = format!("{host}:{}", to.port());
        let answer = http::send_exactly(to, INVOKE, &[("Host", &host)], b"{}");
        assert_eq!(answer.status, 200, "{host}: {}", answer.text());
    }
    for host in ["pictures.localhost", "pictures.s3.localhost", "pictures.s3.us-east-1.localhost"] {
        let host = format!("{host}:{}", to.port());
        let answer = http::send_exactly(to, "GET /cat", &[("Host", &host)], b"");
        assert_eq!((answer.status, answer.text().as_str()), (200, "meow"), "{host}");
    }
}

#[test]
fn the_control_api_wants_its_token_and_changes_nothing_on_a_get() {
    let house = plan().program();
    let token = house.token();
    let bearer = format!("Bearer {token}");
    let near = format!("Bearer {}x", &token[..token.len() - 1]);
    for given in [None, Some(""), Some("Bearer"), Some("Bearer wrong"), Some(near.as_str()), Some(token)] {
        let headers: Vec<_> = given.iter().map(|given| ("Authorization", *given)).collect();
        for line in
            ["GET /_mlemu/functions", "POST /_mlemu/stop", "GET /_mlemu/stream?once=true", "GET /_mlemu/env"]
        {
            let answer = http::send(house.control(), line, &headers, b"");
            assert_eq!(answer.status, 401, "{line} with {given:?}");
            assert!(!answer.text().contains(token));
        }
    }
    let query = format!("GET /_mlemu/functions?token={token}");
    assert_eq!(http::send(house.control(), &query, &[], b"").status, 401, "never in an address");
    let headers = [("Authorization", bearer.as_str())];
    assert_eq!(http::send(house.control(), "GET /_mlemu/functions", &headers, b"").status, 200);
    for line in ["GET /_mlemu/stop", "GET /_mlemu/functions/Tells/invoke", "HEAD /_mlemu/stop"] {
        assert_eq!(http::send(house.control(), line, &headers, b"").status, 405, "{line}");
    }
    let cmdline = std::fs::read_to_string(format!("/proc/{}/cmdline", house.pid())).expect("alive");
    let records = house.records(0).iter().map(ToString::to_string).collect::<String>();
    assert!(
        ![cmdline, records, house.said()].iter().any(|text| text.contains(token)),
        "the token is nowhere"
    );
}

#[test]
fn an_address_beyond_loopback_is_refused() {
    let plan = plan();
    let output = plan.mlemu(&["up", "--host", "0.0.0.0"]).output().expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--host 0.0.0.0"), "{said}");
}

#[test]
fn slow_clients_are_let_go_and_keep_nobody_waiting() {
    let house = plan().program();
    tells(&house);
    let mut slow: Vec<TcpStream> = (0..200).map(|_| http::connect(house.aws())).collect();
    for stream in &mut slow {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: 127").expect("written");
    }
    let mut times: Vec<Duration> = (0..31)
        .map(|_| {
            let begun = Instant::now();
            tells(&house);
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    assert!(times[15] < Duration::from_millis(100), "half of the requests took {:?} or more", times[15]);
    // The daemon closes them by itself; the read blocks until it does.
    for mut stream in slow {
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(
            ended.is_ok()
                || !matches!(ended, Err(ref error) if error.kind() == std::io::ErrorKind::WouldBlock)
        );
    }
}

#[test]
fn bodies_over_the_limit_are_refused_in_the_vendors_words_and_not_kept() {
    let house = plan().program();
    let before = lives::status_kib(house.pid(), "VmHWM");
    let large = vec![b'1'; 6 * 1024 * 1024 + 1];
    let chunked = |body: &[u8]| {
        let mut request = format!(
            "{INVOKE} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
            house.aws()
        )
        .into_bytes();
        for chunk in body.chunks(64 * 1024) {
            request.extend(format!("{:x}\r\n", chunk.len()).bytes());
            request.extend(chunk);
            request.extend(b"\r\n");
        }
        request.extend(b"0\r\n\r\n");
        http::raw(house.aws(), &request).expect("an answer")
    };
    for answer in
        [http::send(house.aws(), INVOKE, &[], &large), chunked(&large), chunked(&vec![b'1'; 40_000_000])]
    {
        assert_eq!(answer.status, 413, "{}", answer.text());
        assert_eq!(answer.header("x-amzn-errortype"), Some("RequestTooLargeException"));
    }
    let after = lives::status_kib(house.pid(), "VmHWM");
    assert!(after < before + 40 * 1024, "memory went from {before} to {after} KiB");
    let long = "x".repeat(200_000);
    let answer = http::send(house.aws(), "GET /", &[("X-Long", &long)], b"");
    assert_eq!(answer.status, 431);
    assert_eq!(tells(&house)["env"]["OWN"], "declared", "the daemon is well");
}

#[test]
fn large_objects_go_to_disk_and_not_to_memory() {
    const SIZE: usize = 192 * 1024 * 1024;
    let house = plan().program();
    http::send(house.aws(), "PUT /large", &[], b"");
    let before = lives::status_kib(house.pid(), "VmHWM");
    let mut stream = http::connect(house.aws());
    let head = format!(
        "PUT /large/one HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {SIZE}\r\n\r\n",
        house.aws()
    );
    stream.write_all(head.as_bytes()).expect("written");
    let piece = vec![7; 1024 * 1024];
    for _ in 0..SIZE / piece.len() {
        stream.write_all(&piece).expect("written");
    }
    assert_eq!(http::rest(stream).map(|answer| answer.status), Some(200));
    let head = http::send(house.aws(), "HEAD /large/one", &[], b"");
    assert_eq!(head.header("content-length"), Some(SIZE.to_string().as_str()));
    let after = lives::status_kib(house.pid(), "VmHWM");
    assert!(after < before + 32 * 1024, "memory went from {before} to {after} KiB");
}

#[test]
fn ambiguous_and_lying_bodies_are_refused() {
    let house = plan().program();
    let to = house.aws();
    http::send(to, "PUT /bodies", &[], b"");
    let both = format!(
        "{INVOKE} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
         2\r\n{{}}\r\n0\r\n\r\n"
    );
    assert_eq!(http::raw(to, both.as_bytes()).map(|answer| answer.status), Some(400), "two ends");
    let twice = format!(
        "{INVOKE} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}1"
    );
    assert_eq!(http::raw(to, twice.as_bytes()).map(|answer| answer.status), Some(400), "two lengths");

    let framed = |decoded: &str, trailer: &str, body: &str| {
        let headers = [
            ("Content-Encoding", "aws-chunked"),
            ("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("X-Amz-Decoded-Content-Length", decoded),
            ("X-Amz-Trailer", trailer),
        ];
        http::send(to, "PUT /bodies/framed", &headers, body.as_bytes()).status
    };
    let crc = "x-amz-checksum-crc32";
    assert_eq!(framed("5", crc, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), 200);
    assert_eq!(framed("4", crc, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"), 400, "too long");
    assert_eq!(
        framed("6", crc, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"),
        400,
        "too short"
    );
    assert_eq!(
        framed("5", crc, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"),
        400,
        "another sum"
    );
    assert_eq!(framed("5", crc, "zz\r\nhello\r\n0\r\n\r\n"), 400, "no size");
    assert_eq!(framed("5", crc, "ffffffffffffffff\r\nhello"), 400, "a size beyond all");
    assert_eq!(http::send(to, "GET /bodies/framed", &[], b"").text(), "hello", "what was good stays");
}

#[test]
fn a_client_that_waits_for_100_continue_hears_it() {
    let house = plan().program();
    let to = house.aws();
    http::send(to, "PUT /waits", &[], b"");
    let mut stream = http::connect(to);
    let head = format!(
        "PUT /waits/one HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("written");
    let mut said = [0; 25];
    stream.read_exact(&mut said).expect("heard");
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"body").expect("written");
    assert_eq!(http::rest(stream).map(|answer| answer.status), Some(200));
}

#[test]
fn bytes_that_are_no_request_harm_nobody() {
    let house = plan().program();
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\0\0\0\0", b"GET", b"\r\n\r\n\r\n"]
    {
        for to in [house.aws(), house.control()] {
            let mut stream = http::connect(to);
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let answer = http::rest(stream);
            assert!(answer.is_none_or(|answer| answer.status >= 400), "{bytes:?}");
        }
    }
    // Another protocol begins so: its first frames are all that may come, and then the end.
    let mut stream = http::connect(house.aws());
    let _ = stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nno frame at all");
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut frames = Vec::new();
    let _ = stream.read_to_end(&mut frames);
    assert!(!frames.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&frames));
    assert_eq!(tells(&house)["env"]["OWN"], "declared");
}

#[test]
fn a_function_sees_nothing_of_the_developers_own() {
    let secrets = [
        ("GITHUB_TOKEN", "ghp_secret"),
        ("AWS_PROFILE", "production"),
        ("AWS_SECRET_ACCESS_KEY", "real-secret"),
        ("AWS_SESSION_TOKEN", "real-session"),
        ("DATABASE_URL", "postgres://secret"),
    ];
    let house = secrets.iter().fold(plan(), |plan, (name, value)| plan.env(name, value)).program();
    let told = tells(&house);
    let env = told["env"].as_object().expect("the environment");
    for (name, value) in secrets {
        assert!(env.get(name).is_none_or(|seen| seen != value), "{name} is seen");
    }
    assert!(
        env.get("GITHUB_TOKEN").is_none()
            && env.get("AWS_PROFILE").is_none()
            && env.get("DATABASE_URL").is_none()
    );
    assert_eq!(env["OWN"], "declared");
    assert_eq!(env["AWS_ENDPOINT_URL"], format!("http://{}", house.aws()));
    assert_eq!(told["stdin"], "", "nobody speaks on stdin");
    for (fd, target) in told["fds"].as_object().expect("descriptors") {
        let target = target.as_str().expect("text");
        let own =
            target.starts_with("pipe:") || target.starts_with("socket:") || target.starts_with("/proc/");
        assert!(own || target == "/dev/null" || target.contains("urandom"), "fd {fd} is {target}");
    }
    let remote = told["peers"].as_array().expect("peers");
    assert_eq!(remote, &[env["AWS_LAMBDA_RUNTIME_API"].clone()], "it speaks with its runtime API only");
}
