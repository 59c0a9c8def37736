//! What the letter of a sandbox's tier means to a student.

use crate::sandbox;

/// The tier of a check that was done without a run.
const NO_RUN: &str = "none";

/// What a run of that tier is not protected from; nothing for the tiers in which runs cannot disturb each other.
fn weakness(tier: &str) -> Option<&'static str> {
    match tier {
        "A" | "B" => None,
        "C" if sandbox::files_not_confined().is_none() => {
            Some("no namespaces: programs share the network and the IPC objects of this machine, so that other work on it can disturb a check")
        }
        "C" => Some(
            "no namespaces: programs share the network, the IPC objects and the files of this machine, so that other work on it can disturb a check",
        ),
        "D" => Some("no sandbox: programs can do here all that you can"),
        _ => Some("a tier that this version of the command does not know"),
    }
}

/// The weakest of the tiers that were met: it decides what the verdicts are worth. Tiers are named from A, the strongest, on.
pub fn weakest<'tier>(tiers: impl Iterator<Item = &'tier str>) -> Option<&'tier str> {
    tiers.filter(|tier| !["", NO_RUN].contains(tier)).max()
}

/// Why runs of this tier had no memory group, with the mend; nothing where they had one, or lack more than that.
pub fn what_is_missing(tier: &str) -> Option<String> {
    (tier == "B").then(sandbox::no_group).flatten()
}

/// The line for all `tiers` that were met, or nothing where no check came to a run.
pub fn line<'tier>(tiers: impl Iterator<Item = &'tier str>) -> Option<String> {
    let weakest = weakest(tiers)?;
    Some(match weakness(weakest) {
        None => format!("sandbox: tier {weakest}"),
        Some(weakness) => format!("sandbox: tier {weakest} ({weakness})"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_tier_is_the_one_that_is_told() {
        assert!(line(["A", "C", "", "none"].into_iter()).unwrap().contains("tier C (no namespaces"));
        assert_eq!(line(["A"].into_iter()), Some("sandbox: tier A".into()));
        assert_eq!(line(["", "none"].into_iter()), None);
        assert_eq!(weakest(["A", "none", "B"].into_iter()), Some("B"));
        assert_eq!(what_is_missing("A"), None);
    }
}
