//! The process back end, with real processes.
//!
//! This binary plays every part: the test runner, the shim, the functions, and a daemon that is killed. The
//! usual test harness cannot, since a shim must be alone in its process from the first moment; `runner` is
//! the little of it that is needed, and `functions` are what runs inside the walls.
//! `processes-… numbers` prints what starting, measuring and freezing cost.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test, though not in the usual harness"
)]

mod functions;
mod limits;
mod lives;
mod numbers;
mod runner;
mod stage;
mod survivors;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let part = args.next().unwrap_or_default();
    match part.to_str() {
        Some("shim") => mlemu_sandbox::shim_main(args),
        Some("function") => functions::play(std::env::args().skip(2).collect()),
        Some("daemon") => survivors::daemon(std::env::args().skip(2).collect()),
        Some("numbers") => numbers::print(),
        _ => runner::run(&[lives::TESTS, limits::TESTS, survivors::TESTS]),
    }
}
