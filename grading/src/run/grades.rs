//! The table of grades: one row a student, one column a lab, the total.

use crate::escape::csv_cell;
use crate::failure::Failure;
use crate::run::record::Record;

/// The table as RFC 4180 has it. `records` holds, one student after the other, a record for each of `labs`, in this order.
///
/// # Errors
/// A table that the csv crate cannot write.
pub fn table(labs: &[&str], records: &[Record]) -> Result<Vec<u8>, Failure> {
    let failed = |error: csv::Error| Failure::Broken(format!("write the grades: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["student"].into_iter().chain(labs.iter().copied()).chain(["total"]).map(csv_cell)).map_err(failed)?;
    // By position and not by name: names as they are shown need not be different.
    for row in records.chunks(labs.len().max(1)) {
        let Some(first) = row.first() else { continue };
        let points = row.iter().map(|record| record.points.to_string());
        let total: u32 = row.iter().map(|record| record.points).sum();
        writer.write_record([csv_cell(&first.student)].into_iter().chain(points).chain([total.to_string()])).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| Failure::Broken(format!("write the grades: {error}")))
}
