//! What files say, where they are wrong, and how values are compared.

use super::matching::{at, matches};
use super::model::{Step, Subject};
use super::read::of_text;
use crate::config::SourceText;
use serde_json::json;
use std::path::Path;

fn read(text: &str) -> Result<super::model::Suite, String> {
    let text = SourceText::new(Path::new("a.mlemu.yaml"), text);
    of_text(text).map_err(|error| error.to_string())
}

#[test]
fn a_file_is_steps_and_expectations_in_their_order() {
    let suite = read(
        "seed: 7\n\
         tests:\n\
         \x20 - name: upload\n\
         \x20   faults: [{ match: { fn: resize }, effect: oom, nth: [1] }]\n\
         \x20   steps:\n\
         \x20     - put: { bucket: uploads, key: \"a b.png\", body: x }\n\
         \x20     - wait: idle\n\
         \x20     - advance: 5m\n\
         \x20     - expect: { queue: { name: jobs, depth: 0 } }\n\
         \x20   expect:\n\
         \x20     - last: { function: resize, status: ok, result.statusCode: 200 }\n",
    )
    .expect("a suite");
    let test = &suite.tests[0];
    assert_eq!((test.seed, test.steps.len(), test.at.line), (Some(7), 6, 3));
    assert!(matches!(&test.steps[0].what, Step::Fault(fault) if fault.effect == "oom"));
    let Step::Expect(last) = &test.steps[5].what else { panic!("{test:?}") };
    assert_eq!(last[0].subject, Subject::Last { function: Some("resize".into()) });
    assert_eq!(last[0].facts[1].what, ("result.statusCode".into(), json!(200)));
    assert_eq!((last[0].facts[1].at.line, last[0].facts[1].at.column), (11, 47));
}

#[test]
fn a_matrix_is_a_test_for_each_choice() {
    let suite = read(
        "tests:\n\
         \x20 - name: runs\n\
         \x20   matrix: { function: [A, B], memory: [512MB, 1GB] }\n\
         \x20   steps: [{ invoke: { function: \"${function}\" } }]\n",
    );
    let tests = suite.expect("a suite").tests;
    let names: Vec<_> = tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names[1], "runs [function=A, memory=1GB]");
    assert_eq!(names.len(), 4);
    assert_eq!(tests[2].memory["B"], "512MB");
    let Step::Invoke(invoke) = &tests[2].steps[0].what else { panic!() };
    assert_eq!(invoke.function, "B");
}

#[test]
fn what_is_wrong_is_shown_where_it_stands() {
    let cases = [
        ("tests:\n  - name: a\n    step: []\n", "a.mlemu.yaml:3:5", "did you mean `steps`?"),
        ("tests:\n  - steps: []\n", "a.mlemu.yaml:2:5", "`name`"),
        ("tests:\n  - name: a\n    steps: [{ put: { bucket: b, keey: k } }]\n", ":3:33", "keey"),
        ("tests:\n  - name: a\n    steps: [{ fault: { effect: oom, often: 1 } }]\n", ":3:37", "often"),
        ("tests:\n  - name: a\n    expect: [{ lust: { status: ok } }]\n", ":3:16", "did you mean `last`?"),
        ("tests:\n  - name: a\n    expect: [{ queue: { depth: 0 } }]\n", ":3:23", "`name` is missing"),
        ("tests:\n  - name: a\n    expect: [{ last: { statsu: ok } }]\n", ":3:24", "did you mean `status`?"),
        (
            "tests:\n  - name: a\n    expect: [{ last: { resutl.a: 1 } }]\n",
            ":3:24",
            "did you mean `result.a`?",
        ),
        (
            "tests:\n  - name: a\n    expect: [{ last: { cold: { nto: true } } }]\n",
            ":3:24",
            "did you mean `not`?",
        ),
        ("tests: 3\n", ":1:8", "is a list"),
        ("nothing\n", ":1:1", "is a mapping"),
    ];
    for (text, place, words) in cases {
        let said = read(text).expect_err(text);
        assert!(said.contains(place) && said.contains(words), "{text}\n{said}");
    }
}

#[test]
fn paths_go_into_json_that_is_text() {
    let document = json!({ "result": { "body": "{\"label\": [\"rose\"]}" } });
    assert_eq!(at(&document, "result.body.label.0"), Some(json!("rose")));
    assert_eq!(at(&document, "result.body.none"), None);
    assert_eq!(at(&document, "result.body.label.x"), None);
}

#[test]
fn values_and_operators() {
    let good = [
        (json!(2), json!(2.0)),
        (json!({ "lt": "2s" }), json!(1999.5)),
        (json!({ "lt": "400MB", "gt": "1MB" }), json!(5_000_000)),
        (json!({ "in": ["rose", "tulip"] }), json!("tulip")),
        (json!({ "contains": "b" }), json!(["a", "b"])),
        (json!({ "not_contains": "Traceback" }), json!("fine")),
        (json!({ "like": "a*c" }), json!("abbc")),
        (json!({ "not": 3 }), json!(4)),
        (json!({ "exists": true }), json!(0)),
        (json!({ "a": 1 }), json!("{\"a\": 1}")),
    ];
    for (wanted, found) in good {
        assert_eq!(matches(&wanted, Some(&found)), Ok(()), "{wanted} {found}");
    }
    let bad = [
        (json!("ok"), json!("error"), "expected \"ok\", got \"error\""),
        (json!({ "lt": 2 }), json!(2), "expected lt 2, got 2"),
        (json!({ "lt": "soon" }), json!(2), "cannot be compared"),
        (json!({ "a": [1, 2] }), json!({ "a": [1, 3] }), "-     2\n  +     3"),
    ];
    for (wanted, found, words) in bad {
        let said = matches(&wanted, Some(&found)).expect_err("it differs");
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(matches(&json!({ "exists": false }), None), Ok(()));
    assert!(matches(&json!(1), None).is_err());
}
