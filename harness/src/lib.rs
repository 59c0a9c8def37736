//! The harness of the interprocess-communication labs: it runs a lab's programs in a sandbox, watches their system calls, and judges what it saw.
//!
//! Start with [`prelude`] to write checks, with [`session`] to see how a run is driven, and with [`trace`] to see how it is watched.
#![deny(unsafe_code)]

pub mod call;
pub mod check;
pub mod command;
pub mod doctor;
pub mod explore;
pub mod failure;
pub mod fault;
pub mod finding;
pub mod handout;
pub mod ipc;
mod kernel;
pub mod lab;
pub mod manifest;
pub mod network;
pub mod prelude;
pub mod procfs;
mod random;
pub mod record;
pub mod run;
pub mod sandbox;
pub mod session;
pub mod source;
pub mod starter;
pub mod student;
pub mod timeline;
pub mod trace;
pub mod verdict;
