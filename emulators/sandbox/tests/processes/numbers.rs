//! What it costs. Not a test: numbers depend on the machine.

use crate::stage::{MIB, Stage, block_on, soon, spec};
use mlemu_core::{Ending, Enforcement, Sandbox};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

pub fn print() -> ExitCode {
    block_on(async {
        let old = Stage::restricted(Enforcement::Cgroup1);
        let none = Stage::restricted(Enforcement::Watchdog);
        for (name, stage) in
            [("as detected", Stage::new()), ("old control groups", old), ("no control groups", none)]
        {
            println!("{name}: {}", stage.processes.enforcement());
            starts(&stage).await;
            looks(&stage, &["hold", "60"], "held").await;
            looks(&stage, &["workers", "60", "4"], "forked").await;
            freezes(&stage).await;
            overshoots(&stage).await;
        }
    });
    ExitCode::SUCCESS
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("  {what}: p50 {:?}, p95 {:?}, max {:?}", at(50), at(95), at(100));
}

async fn starts(stage: &Stage) {
    let (mut started, mut ended) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let before = Instant::now();
        let running = stage.start(spec(&["pause"]).0).await;
        started.push(before.elapsed());
        let before = Instant::now();
        running.kill();
        soon(running.ended()).await;
        ended.push(before.elapsed());
    }
    show("start to running program", started);
    show("kill to nothing left", ended);
}

async fn looks(stage: &Stage, args: &[&str], ready: &str) {
    let (spec, said) = spec(args);
    let running = stage.start(spec).await;
    said.wait_for(ready).await;
    let mut times = Vec::new();
    for _ in 0..1000 {
        let before = Instant::now();
        std::hint::black_box(running.measure());
        times.push(before.elapsed());
    }
    show(&format!("measure `{}`", args.join(" ")), times);
}

async fn freezes(stage: &Stage) {
    let (spec, said) = spec(&["hold", "10"]);
    let running = stage.start(spec).await;
    said.wait_for("held").await;
    let (mut frozen, mut thawed) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let before = Instant::now();
        running.freeze().await;
        frozen.push(before.elapsed());
        let before = Instant::now();
        running.thaw().await;
        thawed.push(before.elapsed());
    }
    show("freeze", frozen);
    show("thaw", thawed);
}

async fn overshoots(stage: &Stage) {
    let mut peaks = Vec::new();
    for _ in 0..20 {
        let (mut spec, _) = spec(&["grow"]);
        (spec.memory, spec.tmp) = (128 * MIB, 512 * MIB);
        let running = stage.start(spec).await;
        assert_eq!(soon(running.ended()).await, Ending::OutOfMemory);
        peaks.push(running.measure().peak_memory * 1000 / (128 * MIB));
    }
    peaks.sort_unstable();
    println!("  peak at a limit of 128 MiB, in thousandths: median {}, worst {}", peaks[10], peaks[19]);
}
