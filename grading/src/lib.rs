//! The instructor's command, `grade`: proves the labs, hands them out, and grades what comes back.
//!
//! Grading meets labs as folders and names none of them. All subcommands rest on the same few pieces:
//!
//! - [`workspace`] finds the course and its labs; the harness's [`student`](harness::student) writes the student's workspace;
//! - [`artifacts`] has cargo build what is built once (check executables, the libraries that programs link), [`compile`] builds one program with rustc;
//! - [`intake`] takes in what a class handed in, whatever it comes packed in;
//! - [`ready`] joins them: a lab that can compile a set of sources and check the result in the lab's own check executable, another process;
//! - [`records`] reads what a batch has written, [`whole`] writes files that are whole or not there;
//! - [`export`] turns records into the forms that other programs read, [`report`] into pages for people;
//! - [`prove`] holds a lab to what its author promises, [`mutants`] looks for mistakes that its checks do not see, [`run`] grades a folder of submissions.
//!
//! Nothing that a student wrote is ever run by this crate: programs are compiled here, and run by the harness in its sandbox.
#![forbid(unsafe_code)]

pub use harness::{failure, starter};

pub mod artifacts;
pub mod command;
pub mod compile;
pub mod enclosed;
pub mod escape;
pub mod export;
pub mod intake;
pub mod late;
pub mod mutants;
pub mod parallel;
pub mod prove;
pub mod ready;
pub mod records;
pub mod report;
pub mod run;
pub mod sources;
pub mod supervise;
pub mod whole;
pub mod workspace;
