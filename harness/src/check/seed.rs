//! The seed that a check's inputs are drawn from.
//!
//! Theory of operation: whoever is asked first chooses the seed, prints it and hands it down, so that one number stands for a whole run.

use std::time::{SystemTime, UNIX_EPOCH};

/// The variable that gives a seed to executables whose command line somebody else writes, such as nextest.
pub const VARIABLE: &str = "LAB_SEED";

/// The seed: `given`, else the environment's, else one drawn from the clock.
///
/// # Errors
/// A variable `LAB_SEED` that is not a number.
pub fn choose(given: Option<u64>) -> Result<u64, String> {
    match (given, std::env::var_os(VARIABLE)) {
        (Some(seed), _) => Ok(seed),
        (None, Some(text)) => from_text(&text.to_string_lossy()),
        (None, None) => Ok(from_clock()),
    }
}

fn from_text(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{VARIABLE} is `{text}`; expected a number from 0 to {}", u64::MAX))
}

/// Short, since people copy it: the nanoseconds modulo a million, stirred, as some clocks only tick in whole microseconds.
fn from_clock() -> u64 {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64);
    nanoseconds.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 & 0xF_FFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_seed_is_taken() {
        assert_eq!(choose(Some(u64::MAX)), Ok(u64::MAX));
    }

    #[test]
    fn a_seed_that_is_no_number_is_an_error_that_shows_it() {
        assert_eq!(from_text("42"), Ok(42));
        assert!(from_text("4x").unwrap_err().contains("`4x`"));
        assert!(from_text("-1").is_err());
    }
}
