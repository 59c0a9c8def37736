//! The protocol as the handout has it, texts to send, and what to say when something else comes.

use harness::prelude::*;

/// What a client gives its question.
pub type Id = [u8; 4];

/// Most bytes of a text.
pub const TEXT_MAX: usize = 512;

/// A question on the network.
pub fn question(id: Id, text: &[u8]) -> Vec<u8> {
    [&id, text].concat()
}

/// An answer on the network, with its text as it is printed.
pub fn answer(id: Id, number: u32, text: &[u8]) -> Vec<u8> {
    [&id, &number.to_be_bytes(), text].concat()
}

/// An id for a question of the check's.
pub fn id(lab: &Lab) -> Id {
    std::array::from_fn(|_| lab.number(0..256) as u8)
}

/// Bytes that are no text: a byte that UTF-8 never has, and where there is room for them a newline and a NUL.
pub fn binary(lab: &Lab, length: usize) -> Vec<u8> {
    let mut bytes = lab.bytes(length);
    for (place, byte) in bytes.iter_mut().zip([0xff, b'\n', 0]) {
        *place = byte;
    }
    bytes
}

/// The same without a NUL: an argument holds none.
pub fn argument(lab: &Lab, length: usize) -> Vec<u8> {
    binary(lab, length).into_iter().map(|byte| byte.max(1)).collect()
}

/// Fails if a datagram has come.
pub fn nothing_came(session: &mut Session, mailbox: &Mailbox, expected: &str, next: &str) -> Result<(), Unpassed> {
    match session.datagrams(mailbox)?.first() {
        None => Ok(()),
        Some(came) => {
            let observed = format!("a datagram of {} bytes comes: {}", came.bytes.len(), excerpt(&came.bytes[came.bytes.len().min(4)..], 0));
            Err(Finding::new("datagram", expected, observed, next).into())
        }
    }
}

/// The number in an answer.
pub fn number_of(answer: &[u8]) -> Option<u32> {
    answer.get(4..8)?.try_into().map(u32::from_be_bytes).ok()
}

/// Fails unless the answer is the one expected; says which of its parts is not.
pub fn compare_answers(expected: &[u8], observed: &[u8]) -> Result<(), Unpassed> {
    if expected == observed {
        return Ok(());
    }
    let (Some((id, rest)), Some((other_id, other_rest))) = (expected.split_first_chunk::<4>(), observed.split_first_chunk::<4>()) else {
        return Err(too_short(observed));
    };
    let (Some((number, text)), Some((other_number, other_text))) = (rest.split_first_chunk::<4>(), other_rest.split_first_chunk::<4>()) else {
        return Err(too_short(observed));
    };
    if id != other_id {
        let next = "give the id back as it came: four bytes at the beginning";
        return Err(differs_from("the answer's id, which is the question's", id, other_id, next));
    }
    if number != other_number {
        let (number, other) = (u32::from_be_bytes(*number), u32::from_be_bytes(*other_number));
        let observed =
            if other == number.swap_bytes() { format!("the bytes of {number} in the opposite order") } else { format!("the number {other}") };
        let next = "count each question once, whoever asks it, and write the number in network byte order; byteorder(3)";
        return Err(Finding::new("answer", format!("the answer has the number {number}"), observed, next).into());
    }
    Err(difference("the answer's text", text, other_text).into())
}

fn too_short(observed: &[u8]) -> Unpassed {
    let next = "id, number and text go into one datagram: one call sends all of them; sendto(2)";
    Finding::new("answer", "an answer has at least 8 bytes: id and number", format!("a datagram of {} bytes", observed.len()), next).into()
}

/// Bytes that are not as expected, with where to look.
pub fn differs_from(what: &str, expected: &[u8], observed: &[u8], next: &str) -> Unpassed {
    Finding { next: next.to_owned(), ..difference(what, expected, observed) }.into()
}

/// Says in a failure what was expected, and where to look, in the words of this lab.
pub fn expecting<T>(expected: &str, next: &str, result: Result<T, Unpassed>) -> Result<T, Unpassed> {
    result.map_err(|unpassed| match unpassed {
        Unpassed::Fail(finding) => Finding { expected: expected.to_owned(), next: next.to_owned(), ..*finding }.into(),
        other => other,
    })
}
