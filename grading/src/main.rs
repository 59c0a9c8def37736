//! `grade`, the instructor's command; everything is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    grading::command::main()
}
