//! `lab check --json`: the records as one object, for scripts.

use serde_json::json;

use super::check::LabResult;
use super::tier;

/// The object, with a line end: the seed, the sandbox, and for each lab its points and records.
pub fn object(results: &[LabResult<'_>], seed: u64) -> String {
    let labs: Vec<_> = results.iter().map(described).collect();
    let tier = tier::weakest(results.iter().flat_map(|result| &result.records).map(|record| &*record.tier));
    let sandbox = json!({ "tier": tier, "for_tier_a": tier.and_then(tier::what_is_missing) });
    format!("{:#}\n", json!({ "seed": seed, "sandbox": sandbox, "labs": labs }))
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
