//! The `mlemu` program. Hidden subcommands come before everything else: they must start in a millisecond.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        Some(verb) if verb == "shim" => mlemu_sandbox::shim_main(args),
        Some(verb) if verb == mlemu_bundle::MODEL_WORKER => mlemu::worker::main(args),
        _ => mlemu::cli::main(),
    }
}
