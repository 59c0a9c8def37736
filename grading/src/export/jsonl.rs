//! JSON Lines: one record a line, as it is; `docs/src/schemas/record-1.json` is its JSON Schema.

use crate::failure::Failure;
use crate::records::Records;

/// The JSON Schema of a line (draft 2020-12).
pub const SCHEMA: &str = include_str!("../../../docs/src/schemas/record-1.json");

/// The lines, in the order of students and labs.
///
/// # Errors
/// A record that cannot be written as JSON.
pub fn lines(records: &Records) -> Result<String, Failure> {
    let mut text = String::new();
    for (_, record) in records.all() {
        text.push_str(&serde_json::to_string(record).map_err(|error| Failure::Broken(format!("write a record: {error}")))?);
        text.push('\n');
    }
    Ok(text)
}
