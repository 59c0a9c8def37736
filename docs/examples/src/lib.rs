//! The programs of the book, and what its pages are made of.
//!
//! `src/bin` holds the programs in Rust, `c` the same in C, `output` what each of them prints, `src/signatures.rs` and `signatures.c` how the calls are declared. The book
//! includes these files and no other code, and the tests compile and run them all. [`picture`] draws the book's pictures.

pub mod picture;
mod signatures;
