//! The `mlemu` program. Hidden subcommands come before everything else: they must start in a millisecond.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|verb| verb == "shim") {
        return mlemu_sandbox::shim_main(args);
    }
    mlemu::cli::main()
}
