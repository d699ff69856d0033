//! What the record stream tells of an invocation, and what its caller gets of it.

use crate::fake::{Lab, cap, millis, text};
use mlemu_core::{Invoke, Outcome, Stream, What};

/// Runs one invocation; gives its outcome and its records in words.
async fn told(script: &str, wants_log: bool) -> (Outcome, Vec<String>) {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("print loading");
    let outcome = crate::fake::done(lab.invoke(Invoke { wants_log, ..lab.invocation(script) }).await);
    lab.until_recorded(1, |what| matches!(what, What::Ended { .. })).await;
    let story = lab.story(&outcome.id);
    lab.finish().await;
    (outcome, story)
}

#[tokio::test(start_paused = true)]
async fn lines_stand_between_the_start_and_the_end() {
    let (_, story) = told("print one; sleep 5; print two; ok", false).await;
    assert_eq!(story, ["started", "log: one", "log: two", "ended: ok"]);
}

#[tokio::test(start_paused = true)]
async fn the_last_words_of_a_crash_are_kept() {
    let (_, story) = told("print one; write no line end; exit 1", false).await;
    assert_eq!(story, ["started", "log: one", "log: no line end", "ended: failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_line_in_pieces_is_one_line_and_streams_do_not_mix() {
    let (_, story) = told("write on; complain oh; sleep 3; write e\\n; complain  no\\n; ok", false).await;
    assert_eq!(story, ["started", "log: one", "log: oh no", "ended: ok"]);
}

#[tokio::test(start_paused = true)]
async fn carriage_returns_part_the_lines_of_one_message() {
    let (_, story) =
        told("write Traceback\\r  File\\rError\\n; write windows\\r\\n; write \\n; ok", false).await;
    let lines = ["started", "log: Traceback\n  File\nError", "log: windows", "log: ", "ended: ok"];
    assert_eq!(story, lines);
}

#[tokio::test(start_paused = true)]
async fn an_endless_line_is_cut_and_loses_nothing() {
    const LIMIT: usize = 256 * 1024;
    for size in [LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT + 7] {
        let (_, story) = told(&format!("fill {size}; write \\n; print next; ok"), false).await;
        let lines = &story[1..story.len() - 1];
        let lengths: Vec<_> = lines.iter().map(|line| line.len() - "log: ".len()).collect();
        assert!(lengths.iter().all(|length| *length <= LIMIT), "{lengths:?}");
        assert_eq!(lengths.len(), size.div_ceil(LIMIT) + 1, "no empty line more: {lengths:?}");
        assert_eq!(lengths.iter().sum::<usize>(), size + "next".len());
        assert_eq!(lines.last().map(String::as_str), Some("log: next"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_spares_letters_of_several_bytes() {
    let wide = "ö".repeat(10);
    // 256 KiB falls between the two bytes of a letter.
    let (_, story) = told(&format!("fill {}; write {wide}\\n; ok", 256 * 1024 - 1), false).await;
    assert!(story.iter().all(|line| !line.contains('\u{fffd}')), "a letter was cut");
    assert_eq!(story.iter().map(|line| line.matches('ö').count()).sum::<usize>(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_log_goes_to_the_caller_who_asked_for_it() {
    let (outcome, _) = told("print one; ok", true).await;
    assert_eq!(outcome.log, ["start", "one", "end"]);
    let (outcome, _) = told("print one; exit 1", true).await;
    assert_eq!(outcome.log, ["start", "one", "end"]);
    let (outcome, _) = told("print one; ok", false).await;
    assert!(outcome.log.is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_caller_gets_its_own_log() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("");
    for name in ["one", "two"] {
        let invoke = Invoke { wants_log: true, ..lab.invocation(&format!("print {name}; ok")) };
        assert_eq!(crate::fake::done(lab.invoke(invoke).await).log, ["start", name, "end"]);
    }
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_line_says_its_stream_its_function_and_its_instance() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("");
    let outcome = lab.call("complain oh\\n; ok").await;
    lab.until_recorded(1, |what| matches!(what, What::Ended { .. })).await;
    let records = lab.records();
    let line = records.iter().find(|record| matches!(record.what, What::Log(_))).expect("a line");
    let What::Log(log) = &line.what else { unreachable!() };
    assert_eq!((log.stream, log.text.as_str()), (Stream::Stderr, "oh"));
    assert_eq!(line.subject.invocation, Some(outcome.id));
    assert_eq!(line.subject.function, Some(crate::fake::id()));
    assert!(line.subject.instance.is_some() && line.subject.cause.is_some());
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_tells_the_peak_of_memory_and_the_time() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("memory 5000");
    lab.call("memory 7000; sleep 30; ok").await;
    lab.call("ok").await;
    lab.call("memory 9000; exit 1").await;
    lab.call("ok").await;
    lab.until_recorded(4, |what| matches!(what, What::Ended { .. })).await;
    let ends: Vec<_> = lab
        .records()
        .iter()
        .filter_map(|record| match &record.what {
            What::Ended { usage, .. } => Some((usage.peak_memory, usage.handler >= millis(30))),
            _ => None,
        })
        .collect();
    assert_eq!(ends, [(7000, true), (7000, false), (9000, false), (5000, false)]);
    lab.finish().await;
}

#[tokio::test(start_paused = true)]
async fn sequences_grow_by_one_and_a_follower_goes_on_where_the_past_ends() {
    let lab = Lab::with(cap(Some(1)));
    lab.publish("");
    lab.call("print one; ok").await;
    let mut live = lab.journal.follow(3);
    assert_eq!(text(&lab.call("print two; ok").await), "1");
    crate::fake::pass(millis(1)).await;
    let mut sequences = Vec::new();
    while let Ok(record) = live.try_recv() {
        sequences.push(record.sequence);
    }
    assert!(sequences.len() > 6);
    assert!(sequences.iter().copied().eq(4..4 + sequences.len() as u64), "{sequences:?}");
    lab.finish().await;
}
