//! Memory, CPU, processes and `/tmp`: measured truthfully and held.

use crate::runner::Test;
use crate::stage::{MIB, Stage, block_on, everywhere, soon, spec};
use mlemu_core::{Ending, Enforcement, Sandbox};
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("memory_in_use_is_what_the_function_holds", memory_in_use_is_what_the_function_holds),
    ("a_peak_between_two_looks_is_not_missed", a_peak_between_two_looks_is_not_missed),
    ("past_the_limit_is_out_of_memory", past_the_limit_is_out_of_memory),
    ("a_short_peak_past_the_limit_is_out_of_memory", a_short_peak_past_the_limit_is_out_of_memory),
    ("a_child_past_the_limit_ends_all", a_child_past_the_limit_ends_all),
    ("shared_memory_counts_once", shared_memory_counts_once),
    ("borrowed_memory_counts_once", borrowed_memory_counts_once),
    ("files_in_tmp_are_no_memory_and_have_a_limit", files_in_tmp_are_no_memory_and_have_a_limit),
    (
        "files_in_tmp_are_memory_where_a_cloud_has_them_there",
        files_in_tmp_are_memory_where_a_cloud_has_them_there,
    ),
    (
        "a_full_tmp_refuses_every_byte_until_it_has_room_again",
        a_full_tmp_refuses_every_byte_until_it_has_room_again,
    ),
    ("cpu_time_is_counted", cpu_time_is_counted),
    ("a_cpu_share_is_held", a_cpu_share_is_held),
    ("a_cpu_share_is_met_within_three_percent", a_cpu_share_is_met_within_three_percent),
    (
        "a_share_can_be_changed_and_frozen_processes_stay_frozen",
        a_share_can_be_changed_and_frozen_processes_stay_frozen,
    ),
    ("a_fork_bomb_is_held", a_fork_bomb_is_held),
];

fn near(value: u64, expected: u64, percent: u64) -> bool {
    value.abs_diff(expected) * 100 <= expected * percent
}

fn memory_in_use_is_what_the_function_holds() {
    everywhere(|stage| async move {
        let (spec, said) = spec(&["hold", "100"]);
        let running = stage.start(spec).await;
        said.wait_for("held").await;
        let reading = running.measure();
        assert!(near(reading.memory, 102 * MIB, 5), "{reading:?}");
        assert!(reading.peak_memory >= reading.memory);
    });
}

fn a_peak_between_two_looks_is_not_missed() {
    everywhere(|stage| async move {
        let (spec, said) = spec(&["peak", "80"]);
        let running = stage.start(spec).await;
        let text = said.wait_for("high=").await;
        let high: u64 = text.trim().strip_prefix("high=").unwrap().parse().unwrap();
        let reading = running.measure();
        assert!(near(reading.peak_memory, high, 5), "{reading:?}, by its own account {high}");
        assert!(reading.memory < 30 * MIB, "{reading:?}");
        running.kill();
        soon(running.ended()).await;
        assert!(near(running.measure().peak_memory, high, 5));
    });
}

fn past_the_limit_is_out_of_memory() {
    everywhere(|stage| async move {
        let (mut spec, _) = spec(&["grow"]);
        (spec.memory, spec.tmp) = (128 * MIB, 512 * MIB);
        let running = stage.start(spec).await;
        assert_eq!(soon(running.ended()).await, Ending::OutOfMemory);
        let peak = running.measure().peak_memory;
        assert!(peak > 120 * MIB, "{peak}");
    });
}

fn a_short_peak_past_the_limit_is_out_of_memory() {
    everywhere(|stage| async move {
        // Gone before anybody can look, and without fault by its own account.
        let (mut spec, _) = spec(&["burst", "30"]);
        spec.memory = 24 * MIB;
        let running = stage.start(spec).await;
        assert_eq!(soon(running.ended()).await, Ending::OutOfMemory);
    });
}

fn a_child_past_the_limit_ends_all() {
    everywhere(|stage| async move {
        let (mut spec, said) = spec(&["hog"]);
        spec.memory = 64 * MIB;
        let running = stage.start(spec).await;
        assert_eq!(soon(running.ended()).await, Ending::OutOfMemory);
        soon(running.drain()).await;
        assert!(running.measure().peak_memory > 60 * MIB, "{:?} {}", running.measure(), said.stdout());
    });
}

fn shared_memory_counts_once() {
    everywhere(|stage| async move {
        // Five processes with the same 60 MiB: 300 MiB by resident sizes.
        let (mut spec, said) = spec(&["workers", "60", "4"]);
        spec.memory = 128 * MIB;
        let running = stage.start(spec).await;
        said.wait_for("forked").await;
        let reading = running.measure();
        assert!((58 * MIB..80 * MIB).contains(&reading.memory), "{reading:?}");
        running.kill();
        assert_eq!(soon(running.ended()).await, Ending::Killed);
    });
}

fn borrowed_memory_counts_once() {
    everywhere(|stage| async move {
        // As every program does for a moment that starts another one.
        let (mut spec, said) = spec(&["borrow", "60"]);
        spec.memory = 100 * MIB;
        let running = stage.start(spec).await;
        said.wait_for("borrowed").await;
        let reading = running.measure();
        assert!(near(reading.memory, 62 * MIB, 8), "{reading:?}");
        running.kill();
        assert_eq!(soon(running.ended()).await, Ending::Killed);
    });
}

fn files_in_tmp_are_no_memory_and_have_a_limit() {
    block_on(async {
        let stage = Stage::new();
        if !stage.processes.limits_tmp() {
            eprintln!("skipped: mounting is not allowed here");
            return;
        }
        let (mut spec, said) = spec(&["fill", "large", "40"]);
        (spec.memory, spec.tmp) = (32 * MIB, 64 * MIB);
        spec.memory += 50 * MIB;
        let running = stage.start(spec).await;
        said.wait_for("filled").await;
        let reading = running.measure();
        assert!(reading.memory < 20 * MIB, "files count as memory: {reading:?}");
        let (mut spec, said) = crate::stage::spec(&["fill", "larger", "40"]);
        (spec.tmp, spec.tmp_name) = (16 * MIB, "small".into());
        let _small = stage.start(spec).await;
        said.wait_for("refused StorageFull").await;
    });
}

fn files_in_tmp_are_memory_where_a_cloud_has_them_there() {
    everywhere(|stage| async move {
        if !stage.processes.limits_tmp() {
            eprintln!("skipped: mounting is not allowed here");
            return;
        }
        let (mut spec, _) = spec(&["fill", "large", "30"]);
        (spec.memory, spec.tmp, spec.tmp_is_memory) = (48 * MIB, 64 * MIB, true);
        let running = stage.start(spec).await;
        assert_eq!(soon(running.ended()).await, Ending::OutOfMemory);
        let (mut spec, said) = crate::stage::spec(&["fill", "small", "20"]);
        (spec.memory, spec.tmp, spec.tmp_is_memory) = (64 * MIB, 64 * MIB, true);
        spec.tmp_name = "counted".into();
        let running = stage.start(spec).await;
        said.wait_for("filled").await;
        let reading = running.measure();
        assert!((20 * MIB..50 * MIB).contains(&reading.memory), "{reading:?}");
    });
}

fn a_full_tmp_refuses_every_byte_until_it_has_room_again() {
    block_on(async {
        let stage = Stage::new();
        let (mut spec, said) = spec(&["fill", "before", "1"]);
        (spec.tmp, spec.tmp_name) = (16 * MIB, "filled".into());
        let _running = stage.start(spec).await;
        said.wait_for("filled").await;
        let filled = Sandbox::fill(&stage.processes, "filled", None).await;
        assert_eq!(filled, stage.processes.limits_tmp());
        if !filled {
            eprintln!("skipped: mounting is not allowed here");
            return;
        }
        let again = async |name: &str, expected: &str| {
            let (mut spec, said) = crate::stage::spec(&["fill", name, "1"]);
            (spec.tmp, spec.tmp_name) = (16 * MIB, "filled".into());
            let _running = stage.start(spec).await;
            said.wait_for(expected).await;
        };
        again("now", "refused StorageFull").await;
        assert!(Sandbox::fill(&stage.processes, "filled", Some(16 * MIB)).await);
        again("later", "filled").await;
        assert!(!Sandbox::fill(&stage.processes, "unknown", None).await);
    });
}

fn cpu_time_is_counted() {
    everywhere(|stage| async move {
        let (spec, said) = spec(&["spin", "200"]);
        let running = stage.start(spec).await;
        said.wait_for("spun").await;
        let cpu = running.measure().cpu;
        assert!((Duration::from_millis(190)..Duration::from_millis(400)).contains(&cpu), "{cpu:?}");
        running.kill();
        soon(running.ended()).await;
        assert!(running.measure().cpu >= cpu);
    });
}

fn a_cpu_share_is_held() {
    everywhere(|stage| async move {
        let (mut spec, said) = spec(&["spin", "200"]);
        spec.cpu = Some(0.2);
        let running = stage.start(spec).await;
        said.wait_for("spinning").await;
        let start = tokio::time::Instant::now();
        said.wait_for("spun").await;
        // 200 ms of work at a fifth of a CPU; the first period's share comes at once.
        assert!(start.elapsed() > Duration::from_millis(700), "{:?}", start.elapsed());
        drop(running);
    });
}

/// How long the work of a race takes at its share.
const LONG: Duration = Duration::from_secs(20);

/// The smallest instance of a cloud and a larger one (of which few cores have room for several), by what this machine has and without it.
fn a_cpu_share_is_met_within_three_percent() {
    block_on(async {
        let stages = [Stage::new(), Stage::restricted(Enforcement::Watchdog)];
        let races = stages.iter().flat_map(|stage| [0.0724, 0.2].map(|share| race(stage, share)));
        futures_util::future::join_all(races).await;
    });
}

/// Where the machine is busy nobody gets his whole share: what is met once is met. More is never had.
async fn race(stage: &Stage, share: f64) {
    for _ in 0..3 {
        let got = raced(stage, share).await;
        assert!(got < share * 1.03, "{got} of {share} with {}", stage.processes.enforcement());
        if got > share * 0.97 {
            return;
        }
    }
    panic!("less than {share} with {}", stage.processes.enforcement());
}

async fn raced(stage: &Stage, share: f64) -> f64 {
    let work = LONG.mul_f64(share).as_millis().to_string();
    let (mut spec, said) = spec(&["spin", &work]);
    (spec.cpu, spec.tmp_name) = (Some(share), format!("race-{share}"));
    let running = stage.start(spec).await;
    said.wait_for("spinning").await;
    let (start, before) = (tokio::time::Instant::now(), running.measure().cpu);
    said.waits_for("spun", LONG * 2).await;
    let (cpu, passed) = (running.measure().cpu.saturating_sub(before), start.elapsed());
    let got = cpu.as_secs_f64() / passed.as_secs_f64();
    println!("share {share}: got {got:.4} over {passed:.1?} ({})", stage.processes.enforcement());
    running.kill();
    soon(running.ended()).await;
    got
}

fn a_share_can_be_changed_and_frozen_processes_stay_frozen() {
    everywhere(|stage| async move {
        let (mut spec, said) = spec(&["spin", "1000000"]);
        spec.cpu = Some(0.1);
        let running = stage.start(spec).await;
        said.wait_for("spinning").await;
        let takes = async || {
            let before = running.measure().cpu;
            // It spins for much longer than anybody waits here.
            let spun = tokio::time::timeout(Duration::from_millis(600), said.waits_for("spun", LONG));
            assert!(spun.await.is_err());
            running.measure().cpu.saturating_sub(before)
        };
        let slow = takes().await;
        assert!(slow < Duration::from_millis(150), "{slow:?}");
        running.grant(None);
        let free = takes().await;
        assert!(free > slow + slow / 2, "{free:?} after {slow:?}");
        running.grant(Some(0.1));
        running.freeze().await;
        let frozen = takes().await;
        assert!(frozen < Duration::from_millis(25), "{frozen:?}");
        running.thaw().await;
        assert!(takes().await > Duration::from_millis(20), "it goes on");
        running.kill();
        assert_eq!(soon(running.ended()).await, Ending::Killed);
    });
}

fn a_fork_bomb_is_held() {
    block_on(async {
        let stage = Stage::new();
        let held =
            mlemu_sandbox::findings().iter().any(|finding| finding.name == "process limit" && finding.ok);
        if !held {
            eprintln!("skipped: no process controller may be written here");
            return;
        }
        let (spec, said) = spec(&["bomb"]);
        let running = stage.start(spec).await;
        let text = said.wait_for("bombs=").await;
        let count: u32 = text.trim().strip_prefix("bombs=").unwrap().parse().unwrap();
        assert!(count < 1024, "{count}");
        running.kill();
        assert_eq!(soon(running.ended()).await, Ending::Killed);
    });
}
