//! Asks for what only an unstable compiler has.
//! build: compile_error
//! says: feature
#![feature(link_args, plugin)]
fn main() {
    relay()
}
