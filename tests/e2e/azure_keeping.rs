//! What Azure's storage keeps: beyond the end of the daemon where it is told to, and in the moments that a test goes
//! back to.

use super::house::House;
use super::http::{self, Answer};
use super::plan::Plan;
use super::program::Program;
use std::net::SocketAddr;
use std::path::Path;

struct Storage {
    blob: SocketAddr,
    queue: SocketAddr,
}

impl Storage {
    fn of(house: &House) -> Self {
        Self { blob: house.blob(), queue: house.place("azure-queue") }
    }

    fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let (method, path) = line.split_once(' ').expect("a method");
        http::send(self.blob, &format!("{method} /devstoreaccount1{path}"), headers, body.as_bytes())
    }

    fn queue(&self, line: &str, body: &str) -> Answer {
        let (method, path) = line.split_once(' ').expect("a method");
        http::send(self.queue, &format!("{method} /devstoreaccount1{path}"), &[], body.as_bytes())
    }

    #[track_caller]
    fn does(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let answer = self.ask(line, headers, body);
        assert!(answer.status < 300, "{line}: {} {}", answer.status, answer.text());
        answer
    }

    /// Makes something of every kind. Returns the names of a lease and of a snapshot.
    fn fill(&self) -> (String, String) {
        let block = ("x-ms-blob-type", "BlockBlob");
        self.does("PUT /pics?restype=container", &[("x-ms-meta-owner", "me")], "");
        let facts =
            [block, ("x-ms-meta-kind", "rose"), ("x-ms-tags", "colour=red"), ("Content-Type", "text/plain")];
        self.does("PUT /pics/rose", &facts, "first");
        let snapshot = self.does("PUT /pics/rose?comp=snapshot", &[], "");
        self.does("PUT /pics/rose", &facts, "second");
        for (id, text) in [("YQ==", "one,"), ("Yg==", "two,"), ("Yw==", "three")] {
            self.does(&format!("PUT /pics/blocks?comp=block&blockid={}", id.replace('=', "%3D")), &[], text);
        }
        let list = "<BlockList><Latest>YQ==</Latest><Latest>Yg==</Latest></BlockList>";
        self.does("PUT /pics/blocks?comp=blocklist", &[], list);
        self.does("PUT /pics/blocks?comp=block&blockid=ZA%3D%3D", &[], "four");
        self.does("PUT /pics/log", &[("x-ms-blob-type", "AppendBlob")], "");
        self.does("PUT /pics/log?comp=appendblock", &[], "line");
        let leased = [("x-ms-lease-action", "acquire"), ("x-ms-lease-duration", "-1")];
        let lease = self.does("PUT /pics/log?comp=lease", &leased, "");
        let cors = "<StorageServiceProperties><Cors><CorsRule><AllowedOrigins>http://a.example</AllowedOrigins><AllowedMethods>GET</AllowedMethods>\
            <AllowedHeaders/><ExposedHeaders/><MaxAgeInSeconds>1</MaxAgeInSeconds></CorsRule></Cors></StorageServiceProperties>";
        self.does("PUT /?restype=service&comp=properties", &[], cors);
        assert_eq!(self.queue("PUT /jobs", "").status, 201);
        let message = |text: &str| format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
        assert_eq!(self.queue("POST /jobs/messages", &message("seen")).status, 201);
        assert_eq!(self.queue("GET /jobs/messages?visibilitytimeout=3600", "").status, 200);
        assert_eq!(self.queue("POST /jobs/messages", &message("waits")).status, 201);
        let text = |answer: &Answer, name: &str| answer.header(name).expect("it is told").to_owned();
        (text(&lease, "x-ms-lease-id"), text(&snapshot, "x-ms-snapshot"))
    }

    /// That all of it is there; `begun`: with the block that no blob is made of yet, and with what is lent out.
    #[track_caller]
    fn is_whole(&self, lease: &str, snapshot: &str, begun: bool) {
        let got = self.does("GET /pics/rose", &[], "");
        assert_eq!((got.text().as_str(), got.header("x-ms-meta-kind")), ("second", Some("rose")));
        assert_eq!(
            (got.header("content-type"), got.header("x-ms-tag-count")),
            (Some("text/plain"), Some("1"))
        );
        assert_eq!(self.does(&format!("GET /pics/rose?snapshot={snapshot}"), &[], "").text(), "first");
        assert_eq!(self.does("GET /pics?restype=container", &[], "").header("x-ms-meta-owner"), Some("me"));
        assert_eq!(self.does("GET /pics/blocks", &[], "").text(), "one,two,");
        let blocks = self.does("GET /pics/blocks?comp=blocklist&blocklisttype=all", &[], "").text();
        let (committed, open) = blocks.split_once("</CommittedBlocks>").expect("both");
        assert_eq!(committed.matches("<Block>").count(), 2, "{blocks}");
        assert!(!begun || open.matches("<Block>").count() == 1, "{blocks}");
        let closed = self.ask("PUT /pics/log?comp=appendblock", &[], "more");
        assert_eq!(closed.header("x-ms-error-code"), Some("LeaseIdMissing"));
        let page = [("Origin", "http://a.example")];
        assert_eq!(
            self.ask("GET /?comp=list", &page, "").header("access-control-allow-origin"),
            Some(page[0].1)
        );
        let peeked = self.queue("GET /jobs/messages?peekonly=true&numofmessages=32", "").text();
        // What was lent out comes back with a moment: no receipt of before holds it.
        assert!(peeked.contains("waits") && !(begun && peeked.contains("seen")), "{peeked}");
        let count = self.queue("GET /jobs?comp=metadata", "");
        assert_eq!(count.header("x-ms-approximate-messages-count"), Some("2"));
        // The last: what was begun can be gone on with.
        if !begun {
            self.does("PUT /pics/blocks?comp=block&blockid=ZA%3D%3D", &[], "four");
        }
        let list = "<BlockList><Committed>YQ==</Committed><Uncommitted>ZA==</Uncommitted></BlockList>";
        self.does("PUT /pics/blocks?comp=blocklist", &[], list);
        assert_eq!(self.does("GET /pics/blocks", &[], "").text(), "one,four");
        self.does("PUT /pics/log?comp=appendblock", &[("x-ms-lease-id", lease)], "more");
        assert_eq!(self.does("GET /pics/log", &[], "").text(), "linemore");
    }
}

fn program(folder: &Path) -> Program {
    let plan = Plan::new().arg("--persist").arg(&folder.to_string_lossy());
    plan.arg("--blob-port").arg("0").arg("--queue-port").arg("0").program()
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = program(folder.path());
    let (lease, snapshot) = Storage::of(&first).fill();
    first.signal(rustix::process::Signal::KILL);
    first.ended();
    let second = program(folder.path());
    Storage::of(&second).is_whole(&lease, &snapshot, true);
}

#[test]
fn a_test_goes_back_to_a_moment() {
    let house = Plan::new().up();
    let storage = Storage::of(&house);
    let (lease, snapshot) = storage.fill();
    house.does(house.client.snapshot("full"));
    // What is begun is no part of a moment.
    for round in ["once", "and again"] {
        storage.is_whole(&lease, &snapshot, false);
        storage.does(
            "PUT /pics/log?comp=lease",
            &[("x-ms-lease-action", "break"), ("x-ms-lease-break-period", "0")],
            "",
        );
        let all = [("x-ms-delete-snapshots", "include")];
        storage.does("DELETE /pics/rose", &all, "");
        storage.does("DELETE /pics?restype=container", &[], "");
        storage.does(
            "PUT /?restype=service&comp=properties",
            &[],
            "<StorageServiceProperties><Cors/></StorageServiceProperties>",
        );
        assert_eq!(storage.queue("DELETE /jobs", "").status, 204, "{round}");
        house.does(house.client.restore("full"));
    }
    storage.is_whole(&lease, &snapshot, false);
    house.reset();
    assert_eq!(storage.ask("GET /pics/rose", &[], "").header("x-ms-error-code"), Some("ContainerNotFound"));
    assert_eq!(storage.queue("GET /jobs?comp=metadata", "").status, 404);
    assert_eq!(
        storage.ask("GET /?comp=list", &[("Origin", "http://a.example")], "").status,
        403,
        "rules are gone too"
    );
}
