//! The command: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    evenkeel::cli::main()
}
