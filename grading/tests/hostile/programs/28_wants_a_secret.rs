//! Asks for the grader's environment.
//! build: compile_error
//! says: HOME
fn main() {
    println!("{:?} {}", option_env!("PATH"), env!("HOME"));
}
