//! Exits 0 and does nothing.
//! verdicts: fail pass skipped fail
fn main() {}
