//! A saved file is live for the next request, and no request is lost while it becomes so.

use super::house::{House, is};
use super::http;
use super::plan::Plan;
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: { Runtime: python3.12, Handler: app.handler, Timeout: 30, MemorySize: 256 }
Resources:
  First: { Type: AWS::Serverless::Function, Properties: { CodeUri: first/ } }
  Second: { Type: AWS::Serverless::Function, Properties: { CodeUri: second/ } }
";

fn says(text: &str) -> String {
    format!("import os\n\ndef handler(event, context):\n    return ['{text}', os.getpid()]\n")
}

fn house() -> House {
    Plan::new()
        .file("template.yaml", TEMPLATE)
        .file("first/app.py", &says("one"))
        .file("second/app.py", &says("other"))
        .watching()
        .up()
}

/// Invokes and returns the status, whether it is a function's error, and the document.
fn invoke(house: &House, function: &str) -> (u16, bool, Value) {
    let line = format!("POST /2015-03-31/functions/{function}/invocations");
    let answer = http::send(house.aws(), &line, &[], b"{}");
    (answer.status, answer.header("x-amz-function-error").is_some(), answer.json())
}

#[track_caller]
fn said(house: &House, function: &str) -> (String, u64) {
    let (status, failed, document) = invoke(house, function);
    assert_eq!((status, failed), (200, false), "{document}");
    (document[0].as_str().expect("text").to_owned(), document[1].as_u64().expect("a process"))
}

/// Saves and waits until it is live.
#[track_caller]
fn save(house: &House, function: &str, save: impl FnOnce(&Path)) -> Value {
    let mark = house.mark();
    save(&house.plan.path(""));
    house.wait_published(mark, function)
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("saved");
}

#[test]
fn an_edit_is_live_and_only_its_function_restarts() {
    let house = house();
    let (one, first) = said(&house, "First");
    let (other, second) = said(&house, "Second");
    assert_eq!((one.as_str(), other.as_str()), ("one", "other"));

    let published = save(&house, "First", |root| write(&root.join("first/app.py"), &says("two")));
    assert_eq!(published["reload"], true);
    let (two, changed) = said(&house, "First");
    assert_eq!(two, "two");
    assert_ne!(changed, first, "the new code runs in a process of its own");
    assert_eq!(said(&house, "Second"), ("other".into(), second), "untouched and still warm");
}

#[test]
fn editors_replace_files_by_renaming() {
    let house = house();
    said(&house, "First");
    save(&house, "First", |root| {
        write(&root.join("first/.app.py.swp"), &says("renamed"));
        std::fs::rename(root.join("first/.app.py.swp"), root.join("first/app.py")).expect("renamed");
    });
    assert_eq!(said(&house, "First").0, "renamed");
}

#[test]
fn a_new_module_and_a_new_folder_are_seen() {
    let house = house();
    said(&house, "First");
    save(&house, "First", |root| {
        std::fs::create_dir(root.join("first/model")).expect("a folder");
        write(&root.join("first/model/__init__.py"), "WORD = 'from the package'\n");
        write(&root.join("first/app.py"), "import model\ndef handler(e, c):\n    return [model.WORD, 0]\n");
    });
    assert_eq!(said(&house, "First").0, "from the package");
    save(&house, "First", |root| write(&root.join("first/model/__init__.py"), "WORD = 'changed inside'\n"));
    assert_eq!(said(&house, "First").0, "changed inside");
}

#[test]
fn a_syntax_error_is_answered_as_an_init_error_and_heals() {
    let house = house();
    said(&house, "First");
    save(&house, "First", |root| write(&root.join("first/app.py"), "def handler(event, context)\n"));
    let (status, failed, document) = invoke(&house, "First");
    assert_eq!((status, failed), (200, true));
    assert_eq!(document["errorType"], "Runtime.UserCodeSyntaxError", "{document}");
    assert_eq!(said(&house, "Second").0, "other");
    save(&house, "First", |root| write(&root.join("first/app.py"), &says("healed")));
    assert_eq!(said(&house, "First").0, "healed");
}

#[test]
fn a_running_request_ends_on_the_code_that_it_began_with() {
    let door = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = door.local_addr().expect("bound");
    // It works until the door is shut.
    let slow = "import socket\n\
                def handler(event, context):\n    print('begun')\n    \
                socket.create_connection(('127.0.0.1', PORT)).recv(1)\n    return ['old', 0]\n";
    let house = Plan::new()
        .file("template.yaml", TEMPLATE)
        .file("first/app.py", &slow.replace("PORT", &address.port().to_string()))
        .file("second/app.py", &says("other"))
        .watching()
        .up();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| said(&house, "First"));
        house.wait(0, "the handler has begun", |record| record["what"]["log"]["text"] == "begun");
        save(&house, "First", |root| write(&root.join("first/app.py"), &says("new")));
        assert_eq!(said(&house, "First").0, "new");
        drop(door.accept().expect("it has knocked"));
        assert_eq!(running.join().expect("answered").0, "old");
    });
}

#[test]
fn no_request_fails_or_is_lost_during_thirty_edits() {
    let house = house();
    said(&house, "First");
    let over = AtomicBool::new(false);
    let (asked, live) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let ask = || {
                let published = live.load(Ordering::SeqCst);
                let word = said(&house, "First").0;
                let number: usize =
                    word.strip_prefix("edit ").map_or(0, |number| number.parse().expect("a number"));
                assert!(number >= published, "edit {number} answered after edit {published} was live");
                asked.fetch_add(1, Ordering::SeqCst);
            };
            std::iter::repeat_with(ask).take_while(|()| !over.load(Ordering::SeqCst)).for_each(drop);
        });
        for number in 1..=30 {
            save(&house, "First", |root| write(&root.join("first/app.py"), &says(&format!("edit {number}"))));
            live.store(number, Ordering::SeqCst);
            assert_eq!(
                said(&house, "First").0,
                format!("edit {number}"),
                "the next request has the new code"
            );
        }
        over.store(true, Ordering::SeqCst);
        asking.join().expect("no request failed");
    });
    assert!(asked.load(Ordering::SeqCst) > 10, "only {asked:?} requests");
}

#[test]
fn a_function_whose_init_writes_beside_its_code_runs_and_rests() {
    // The init computes before and after it writes, as one that loads a model does.
    let writes = "import pathlib, time\nsum(range(10_000_000))\n\
                  pathlib.Path(__file__).with_name('cache.txt').write_text(str(time.time()))\nsum(range(10_000_000))\n\
                  def handler(event, context):\n    return ['ran', 0]\n";
    let house = Plan::new()
        .file("template.yaml", TEMPLATE)
        .file("first/app.py", writes)
        .file("second/app.py", &says("other"))
        .watching()
        .up();
    for _ in 0..2 {
        assert_eq!(said(&house, "First").0, "ran");
    }
    let inits = house.records(0).iter().filter(|record| is(record, "First", "init-started")).count();
    assert!(inits <= 4, "{inits} inits for two calls");
}

#[test]
fn fifty_saves_in_a_row_end_on_the_last() {
    let house = house();
    said(&house, "First");
    let mark = house.mark();
    for number in 0..50 {
        let text = says(&format!("save {number}")) + &format!("print('loaded {number}')\n");
        write(&house.plan.path("first/app.py"), &text);
    }
    // What is published meanwhile may be an earlier save; an instance of the last one starts by itself.
    house.wait(mark, "the last save is loaded", |record| record["what"]["log"]["text"] == "loaded 49");
    assert_eq!(said(&house, "First").0, "save 49");
    let published = house.records(mark).iter().filter(|record| is(record, "First", "published")).count();
    assert!(published <= 10, "{published} revisions for one burst of saves");
}

#[test]
fn the_template_is_followed_as_well() {
    let house = house();
    let (_, second) = said(&house, "Second");
    let more = TEMPLATE.replace("MemorySize: 256", "MemorySize: 512")
        + "  Third: { Type: AWS::Serverless::Function, Properties: { CodeUri: second/ } }\n";
    let mark = house.mark();
    write(&house.plan.path("template.yaml"), &more);
    house.wait(mark, "Third is declared", |record| is(record, "Third", "declared"));
    assert_eq!(said(&house, "Third").0, "other");
    let configuration =
        http::send(house.aws(), "GET /2015-03-31/functions/Second/configuration", &[], b"").json();
    assert_eq!(configuration["MemorySize"], 512);
    assert_ne!(said(&house, "Second").1, second, "another limit is another process");

    let mark = house.mark();
    write(&house.plan.path("template.yaml"), "Resources: [");
    let warned = house.wait(mark, "a warning", |record| record["what"].get("warning").is_some());
    assert!(
        warned["what"]["warning"]["text"].as_str().is_some_and(|text| text.contains("last good")),
        "{warned}"
    );
    assert_eq!(said(&house, "First").0, "one");

    let mark = house.mark();
    write(&house.plan.path("template.yaml"), TEMPLATE);
    house.wait(mark, "Third is withdrawn", |record| is(record, "Third", "deleted"));
    assert_eq!(invoke(&house, "Third").0, 404);
}
