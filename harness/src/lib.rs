//! The harness.
#![deny(unsafe_code)]
pub mod finding;
pub mod handout;
mod kernel;
pub mod manifest;
pub mod record;
pub mod verdict;
