//! The memory alone, filled by hand.

use super::*;
use mlemu_core::Scope;
use mlemu_core::outcome::Stream;

fn history(invocations: usize, bytes: usize) -> History {
    History::new(Limits { invocations, bytes }, Arc::default())
}

fn arrive(history: &History, id: &str, event: &str) -> Arc<Past> {
    let scope = Arc::new(Scope::new("cloud", "one", "here"));
    let (id, target) = (InvocationId(id.into()), FunctionId::new(scope, "f"));
    let call = Invoke::of(id, target, event.to_owned(), Cause::Request("t".into()));
    let invoke = Invoke { mode: Mode::Queue, ..call };
    history.arrive(&invoke, Timestamp(1))
}

fn end(history: &History, past: &Past, body: &str) {
    let result = Ok(Answer { body: body.to_owned().into(), ..Answer::default() });
    history.end(past, Ended { at: Timestamp(2), status: Status::of(&result), result, usage: None });
}

fn ids(past: &[Arc<Past>]) -> Vec<&str> {
    past.iter().map(|past| &*past.id.0).collect()
}

#[test]
fn arrivals_and_ends_have_cursors_of_their_own() {
    let history = history(10, 1000);
    let (a, b) = (arrive(&history, "a", ""), arrive(&history, "b", ""));
    end(&history, &b, "");
    assert_eq!(ids(&history.after(0)), ["a", "b"]);
    assert_eq!(ids(&history.after(1)), ["b"]);
    let (ended, seen) = history.ended_after(0);
    assert_eq!((ids(&ended), seen), (vec!["b"], 1));
    end(&history, &a, "");
    end(&history, &a, "again");
    let (ended, seen) = history.ended_after(seen);
    assert_eq!((ids(&ended), seen), (vec!["a"], 2));
    assert!(a.course().ended.unwrap().result.unwrap().body.is_empty(), "only the first end counts");
}

#[test]
fn the_oldest_go_when_there_are_too_many_or_too_much() {
    let history = history(3, 100);
    for id in ["a", "b", "c", "d"] {
        let past = arrive(&history, id, "0123456789");
        end(&history, &past, "");
    }
    assert_eq!(ids(&history.after(0)), ["b", "c", "d"]);
    assert_eq!(ids(&history.ended_after(0).0), ["b", "c", "d"]);
    assert!(history.get("a").is_none());
    let fat = arrive(&history, "e", "");
    end(&history, &fat, &"x".repeat(85));
    assert_eq!(ids(&history.after(0)), ["d", "e"]);
    assert_eq!(history.kept().bytes, 95);
}

#[test]
fn what_was_forgotten_is_not_counted_when_it_ends() {
    let history = history(10, 1000);
    let (old, kept) = (arrive(&history, "old", "12345"), arrive(&history, "kept", "123"));
    history.forget(|past| *past.id.0 == *"old");
    end(&history, &old, "late");
    end(&history, &kept, "");
    assert_eq!(ids(&history.ended_after(0).0), ["kept"]);
    assert_eq!(history.kept().bytes, 3);
    assert_eq!(arrive(&history, "new", "").number, 3, "numbers are not used again");
}

#[test]
fn of_a_long_log_the_newest_lines_stay() {
    let history = history(10, usize::MAX);
    let past = arrive(&history, "a", "");
    let line = |text: String| LogLine { at: Timestamp(0), stream: Stream::Stdout, text };
    for _ in 0..3 {
        past.line(&line("x".repeat(LOG / 2)));
    }
    past.line(&line("last".into()));
    let course = past.course();
    assert_eq!((course.log.len(), course.log_lost), (2, 2));
    assert_eq!(course.log.back().unwrap().text, "last");
}
