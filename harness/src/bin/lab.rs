//! The student's command: `cargo lab`.

fn main() -> std::process::ExitCode {
    harness::command::main()
}
