//! `lab check --json`: the records as one object, for scripts.

use serde_json::json;

use super::check::LabResult;

/// The object, with a line end: the seed, and for each lab its points and records.
pub fn object(results: &[LabResult<'_>], seed: u64) -> String {
    let labs: Vec<_> = results.iter().map(described).collect();
    format!("{:#}\n", json!({ "seed": seed, "labs": labs }))
}

fn described(result: &LabResult<'_>) -> serde_json::Value {
    let manifest = &result.lab.manifest;
    json!({
        "name": result.lab.name,
        "folder": result.lab.folder,
        "title": manifest.title,
        "compiles": result.compiles,
        "points": result.records.iter().map(|record| record.points).sum::<u32>(),
        "max_points": if result.compiles { result.records.iter().map(|record| record.max_points).sum() } else { manifest.points() },
        "checks": result.records,
    })
}
