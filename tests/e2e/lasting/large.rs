//! Large objects pass through: what the daemon needs of memory does not grow with them. And a disk without room.

use super::house;
use super::talk::attempt;
use crate::plan::Plan;
use crate::program::Program;
use std::io::{Read, Write};
use std::process::Command;

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// `MLEMU_LARGE_MIB`, or enough to be seen.
fn mebibytes() -> u64 {
    std::env::var("MLEMU_LARGE_MIB").ok().and_then(|size| size.parse().ok()).unwrap_or(256)
}

/// The most memory that the daemon ever had, in MiB.
fn peak(house: &Program) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

fn in_and_out(house: &Program) {
    let to = house.aws();
    assert_eq!(attempt(to, "PUT /large", &[], b"").expect("an answer").status, 200);
    let chunk: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 251) as u8).collect();
    let before = peak(house);
    let mut stream = crate::http::connect(to);
    let length = mebibytes() << 20;
    let head = format!(
        "PUT /large/model HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("written");
    (0..mebibytes()).for_each(|_| stream.write_all(&chunk).expect("written"));
    let answer = crate::http::rest(stream).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut stream = crate::http::connect(to);
    let head = format!("GET /large/model HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("written");
    let (mut buffer, mut read) = (vec![0; 1 << 20], 0);
    while let Ok(some @ 1..) = stream.read(&mut buffer) {
        read += some as u64;
    }
    assert!(read > length && read < length + 4096, "{read} bytes came back");
    let grown = peak(house) - before;
    eprintln!("{} MiB in and out: the daemon grew by {grown} MiB", mebibytes());
    assert!(grown < 100, "the daemon grew by {grown} MiB");
}

#[test]
fn through_memory() {
    in_and_out(&Plan::new().program());
}

#[test]
fn through_a_store() {
    let folder = tempfile::tempdir().expect("a folder");
    in_and_out(&house(folder.path(), "durable"));
}

/// A disk of its own, for as long as this lives.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None`: this machine gives us none.
    fn of(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={mebibytes}m");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        if mount.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: a small disk cannot be mounted here");
        None
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What cannot be unmounted goes with the machine.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

/// The client writes far more than there is room for, and still reads why.
#[test]
fn a_large_upload_to_a_full_disk_hears_why() {
    let Some(disk) = Disk::of(12) else { return };
    let folder = disk.0.path().to_string_lossy().into_owned();
    let plan = Plan::new().arg("--persist").arg(&folder).arg("--gcp-port").arg("0");
    let house = plan.program();
    assert_eq!(attempt(house.aws(), "PUT /large", &[], b"").expect("an answer").status, 200);
    let gcp = house.gcp();
    let made = attempt(gcp, "POST /storage/v1/b?project=p", &[JSON], br#"{"name": "large"}"#);
    assert_eq!(made.expect("an answer").status, 200);
    let body = vec![7; 40 << 20];
    let upload = "POST /upload/storage/v1/b/large/o?uploadType=media&name=k";
    for (to, line) in [(house.aws(), "PUT /large/k"), (gcp, upload)] {
        let answer = attempt(to, line, &[], &body).expect("an answer, not a broken pipe");
        let text = answer.text();
        assert!((500..=599).contains(&answer.status), "{} {text}", answer.status);
        for said in [&*folder, "No space left on device", "make room on that disk"] {
            assert!(text.contains(said), "{text}");
        }
    }
}

#[test]
fn a_full_disk_is_the_vendors_fault_and_the_daemon_lives() {
    let Some(disk) = Disk::of(12) else { return };
    let mut first = house(disk.0.path(), "durable");
    let send = |house: &Program, line: &str, body: &[u8]| {
        let answer = attempt(house.aws(), line, &[], body).expect("an answer");
        (answer.status, answer.text())
    };
    assert_eq!(send(&first, "PUT /small", b"").0, 200);
    assert_eq!(send(&first, "PUT /small/before", b"kept").0, 200);
    let body = vec![7; 30_000];
    let full = (0..2000).find_map(|number| {
        let (status, text) = send(&first, &format!("PUT /small/k{number}"), &body);
        (status != 200).then_some((number, status, text))
    });
    let (number, status, text) = full.expect("it is full at last");
    assert!(number > 5 && (500..=599).contains(&status), "{number}: {status} {text}");
    let place = std::fs::canonicalize(disk.0.path()).expect("a folder");
    for said in [&*place.to_string_lossy(), "No space left on device", "make room on that disk"] {
        assert!(text.contains(said), "{text}");
    }
    // Nothing more is begun, and what is there can be read.
    assert!(send(&first, "PUT /small/another", &body).0 >= 500);
    assert_eq!(send(&first, "GET /small/before", b""), (200, "kept".into()));
    assert_eq!(send(&first, "GET /small/another", b"").0, 404);
    for gone in 0..number {
        send(&first, &format!("DELETE /small/k{gone}"), b"");
    }
    let is_kept = send(&first, "PUT /small/after", b"room").0 == 200;
    super::kill(&mut first);
    let second = house(disk.0.path(), "durable");
    assert_eq!(send(&second, "GET /small/before", b""), (200, "kept".into()));
    assert!(!is_kept || send(&second, "GET /small/after", b"").0 == 200);
}
