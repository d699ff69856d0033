//! What runs inside the walls: small programs, well-behaved and hostile.
#![expect(unsafe_code, reason = "functions do what they like: fork, setsid")]

use crate::stage::MIB;
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

pub fn play(args: Vec<String>) -> ExitCode {
    let number = |index: usize| args.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    match args[0].as_str() {
        "exit" => return ExitCode::from(number(1) as u8),
        "abort" => std::process::abort(),
        "print" => {
            println!("to stdout");
            eprintln!("to stderr");
        }
        "show" => show(),
        "hold" => hold(number(1)),
        "burst" => drop(filled(number(1))),
        "peak" => peak(number(1)),
        "grow" => grow(),
        "flood" => flood(),
        "spin" => spin(number(1)),
        "count" => count(),
        "tree" => {
            tree();
            pause();
        }
        "stopping-tree" => {
            tree();
            keep_stopping(rustix::process::getppid().unwrap());
        }
        "orphan" => orphan(),
        "bomb" => bomb(),
        "workers" => workers(number(1), number(2)),
        "borrow" => borrow(number(1)),
        "hog" => hog(),
        "stop-shim" => stop_shim(&args[1]),
        "keep" => keep(&args[1]),
        "fill" => fill(&args[1], number(2)),
        _ => pause(),
    }
    ExitCode::SUCCESS
}

fn pause() {
    loop {
        std::thread::park();
    }
}

fn say(text: &str) {
    println!("{text}");
    std::io::stdout().flush().unwrap();
}

/// Everything that a function can see of its walls.
fn show() {
    for (key, value) in std::env::vars() {
        println!("env {key}={value}");
    }
    for entry in fs::read_dir("/proc/self/fd").unwrap().flatten() {
        println!(
            "fd {} {}",
            entry.file_name().display(),
            fs::read_link(entry.path()).unwrap_or_default().display()
        );
    }
    for entry in fs::read_dir("/tmp").unwrap().flatten() {
        println!("tmp {}", entry.file_name().display());
    }
    print!("{}", fs::read_to_string("/proc/self/limits").unwrap());
    print!("{}", fs::read_to_string("/proc/self/status").unwrap());
    println!("oom {}", fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim());
    println!("cwd {}", std::env::current_dir().unwrap().display());
    say("shown");
}

/// Stops whoever started us, as often as it takes, and leaves a descendant beyond our session.
#[expect(clippy::exit, clippy::zombie_processes, reason = "bad behaviour is what is wanted here")]
fn stop_shim(then: &str) {
    let shim = rustix::process::getppid().unwrap();
    rustix::process::kill_process(shim, rustix::process::Signal::STOP).unwrap();
    if then == "exit" {
        std::process::exit(5);
    }
    let escaped = Command::new(std::env::current_exe().unwrap()).args(["function", "pause"]).spawn().unwrap();
    say(&format!("stopped={} {} {}", shim.as_raw_nonzero(), std::process::id(), escaped.id()));
    if then == "pause" {
        pause();
    }
    keep_stopping(shim);
}

fn keep_stopping(process: rustix::process::Pid) {
    loop {
        let _ = rustix::process::kill_process(process, rustix::process::Signal::STOP);
    }
}

fn filled(mib: u64) -> Vec<u8> {
    let mut memory = vec![0_u8; (mib * MIB) as usize];
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    black_box(memory)
}

fn hold(mib: u64) {
    let _memory = filled(mib);
    say("held");
    pause();
}

/// Uses memory and gives it back before anybody looks.
fn peak(mib: u64) {
    drop(filled(mib));
    say(&format!("high={}", high_water()));
    pause();
}

/// Our own peak as the kernel tells it, in bytes.
fn high_water() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Fills memory as fast as it can.
fn grow() {
    let mut all = Vec::new();
    loop {
        all.push(filled(1));
    }
}

fn flood() {
    let line = [b'x'; 8192];
    loop {
        let _ = std::io::stdout().write_all(&line);
    }
}

/// Works for so many milliseconds of CPU time.
fn spin(millis: u64) {
    say("spinning");
    let used = || {
        // SAFETY: the pointer is to a local; zero is a valid timespec.
        unsafe {
            let mut time: libc::timespec = std::mem::zeroed();
            libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time);
            time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
        }
    };
    while used() < millis {
        black_box((0..1000_u64).sum::<u64>());
    }
    say("spun");
    pause();
}

/// Writes a number for every line it could write: its own clock.
fn count() {
    for number in 0_u64.. {
        say(&number.to_string());
        black_box((0..20_000_u64).sum::<u64>());
    }
}

fn myself(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("function").args(args);
    command
}

/// A child, a child in another session, and one whose parent has gone.
fn tree() {
    let child = myself(&["pause"]).spawn().unwrap().id();
    let escaped = escape(myself(&["pause"])).spawn().unwrap().id();
    let mut orphan = myself(&["orphan"]);
    let text = String::from_utf8(orphan.stderr(Stdio::inherit()).output().unwrap().stdout).unwrap();
    say(&format!("pids={} {child} {escaped} {}", std::process::id(), text.trim()));
    // From a thread, whose children the kernel lists apart.
    std::thread::spawn(|| myself(&["pause"]).spawn().unwrap().id())
        .join()
        .map(|pid| say(&format!("thread={pid}")))
        .unwrap();
}

/// Lets the command start in a session of its own.
fn escape(mut command: Command) -> Command {
    let leave = || rustix::process::setsid().map(drop).map_err(Into::into);
    // SAFETY: setsid is async-signal-safe.
    unsafe { command.pre_exec(leave) };
    command
}

#[expect(clippy::zombie_processes, reason = "leaving a child behind is the point")]
fn orphan() {
    let child = escape(myself(&["pause"])).stdout(Stdio::null()).spawn().unwrap();
    say(&child.id().to_string());
}

fn bomb() {
    let mut count = 0;
    // SAFETY: the child does nothing but wait.
    while unsafe { libc::fork() } > 0 {
        count += 1;
        if count == 5000 {
            break;
        }
    }
    if std::io::Error::last_os_error().raw_os_error() == Some(libc::EAGAIN) && count > 0 {
        say(&format!("bombs={count}"));
    }
    pause();
}

/// Forked workers that share what their parent has loaded.
fn workers(mib: u64, count: u64) {
    let _model = filled(mib);
    for _ in 0..count {
        // SAFETY: the child does nothing but wait.
        if unsafe { libc::fork() } == 0 {
            pause();
        }
    }
    say("forked");
    pause();
}

/// A child that never gets from `vfork` to `exec`.
fn borrow(mib: u64) {
    let _memory = filled(mib);
    let text = "borrowed\n";
    // SAFETY: the child only makes system calls, on memory that its parent, which waits, keeps alive.
    unsafe {
        if libc::syscall(libc::SYS_vfork) == 0 {
            libc::write(1, text.as_ptr().cast(), text.len());
            loop {
                libc::pause();
            }
        }
    }
}

/// A child that fills memory; the parent would live.
fn hog() {
    let mut child = myself(&["grow"]).spawn().unwrap();
    let _ = child.wait();
    say("my child is gone");
    pause();
}

/// Counts its own starts in a file of its `/tmp`.
fn keep(name: &str) {
    let folder = std::env::var("TMPDIR").unwrap_or_else(|_| "/tmp".into());
    let file = format!("{folder}/{name}");
    let starts = fs::read_to_string(&file).map_or(0, |text| text.len()) + 1;
    fs::write(&file, "x".repeat(starts)).unwrap();
    say(&format!("starts={starts}"));
}

/// Writes a file of so many MiB to its `/tmp`.
fn fill(name: &str, mib: u64) {
    match fs::write(format!("/tmp/{name}"), vec![1; (mib * MIB) as usize]) {
        Ok(()) => say("filled"),
        Err(error) => say(&format!("refused {:?}", error.kind())),
    }
    pause();
}
