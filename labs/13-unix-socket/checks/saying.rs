//! What the programs say, where the words are not the same in every run.

use harness::prelude::*;

/// What `fdget` says must name this error, in one way or another.
pub fn names_error(session: &Session, client: Program, number: i32) -> Result<(), Unpassed> {
    let said = String::from_utf8_lossy(session.stderr(client)).into_owned();
    let text = std::io::Error::from_raw_os_error(number).to_string();
    // What std prints is the message and then the number.
    let message = text.split(" (os error").next().unwrap_or_default();
    if [&*errno_name(number), &format!("os error {number}"), message].iter().any(|way| said.contains(way)) {
        return Ok(());
    }
    let expected = format!("a line on standard error with the message of {}", errno_name(number));
    let observed = format!("standard error: {}", excerpt(said.as_bytes(), 0));
    Err(Finding::new("error-report", expected, observed, "the four bytes are an i32 in the machine's own byte order; errno(3)").into())
}

/// The line must be `served` and these numbers.
pub fn says(line: &str, fields: &[(&str, i64)]) -> Result<(), Unpassed> {
    let finding = |observed: String| {
        let next = "ask the kernel who has connected, and print PID, user and the answer's number; unix(7), SO_PEERCRED";
        Unpassed::from(Finding::new("output", "the line `served PID UID NUMBER` with the client's process and user", observed, next))
    };
    let words: Vec<&str> = line.split(' ').collect();
    let shape = words.len() == 4 && words[0] == "served" && words[1..].iter().all(|word| word.parse::<i64>().is_ok());
    if !shape {
        // Other numbers than the form allows may be process ids, which differ from run to run.
        let shown: String = line.chars().map(|letter| if letter.is_ascii_digit() { '9' } else { letter }).collect();
        return Err(finding(format!("a line of another form (with each digit as 9): {}", excerpt(shown.as_bytes(), 0))));
    }
    for ((name, value), word) in fields.iter().zip(&words[1..]) {
        if word.parse() != Ok(*value) {
            return Err(finding(format!("the line has another {name}")));
        }
    }
    Ok(())
}
