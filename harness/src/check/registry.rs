//! The checks of a lab: their functions, joined with what `lab.toml` and the handout say about them.
//!
//! Theory of operation: `lab.toml` gives the order, the points and the prerequisites, the handout gives the promise, the executable gives the function.
//! A check that one of them has and another has not stays in the list and is `broken`: dropping it would make the lab's marks quietly wrong.

use std::path::{Path, PathBuf};

use super::{CheckFn, LabSource};
use crate::handout;
use crate::manifest::{self, Manifest, did_you_mean};
use crate::record::CheckRecord;
use crate::verdict::{Unpassed, Word};

/// One check.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name.
    pub name: String,
    /// Points for a pass.
    pub points: u32,
    /// The places in the registry of the checks that must have passed before.
    pub after: Vec<usize>,
    /// The handout's promise.
    pub promise: String,
    /// The function, or why the check cannot be done.
    pub function: Result<CheckFn, String>,
}

/// All checks of a lab, in the lab's order.
#[derive(Debug)]
pub(super) struct Registry {
    /// The lab's name.
    pub lab: String,
    /// What `lab.toml` says.
    pub manifest: Manifest,
    /// The folders of the programs' sources.
    pub sources: Vec<PathBuf>,
    /// The checks; those that `lab.toml` does not name come last.
    pub entries: Vec<Entry>,
}

impl Registry {
    /// Joins `functions` with the lab's manifest and handout.
    ///
    /// # Errors
    /// A `lab.toml` or a handout that cannot be used; the text names file and line.
    pub fn new(source: LabSource, functions: &[(&'static str, CheckFn)]) -> Result<Self, String> {
        let folder = Path::new(source.folder);
        let manifest = Manifest::parse(source.manifest, &folder.join(manifest::FILE_NAME)).map_err(|error| error.to_string())?;
        let promises = handout::promises(source.readme).map_err(|error| format!("{}: {error}", folder.join("README.md").display()))?;
        // Of a hidden check the handout says nothing: its doc comment is its promise.
        let hidden = handout::documented_checks(source.hidden);
        let promise = |name: &str| {
            let promise = promises.iter().chain(&hidden).find(|promise| promise.check == name);
            promise.map_or_else(|| "(the handout has no promise for this check)".to_owned(), |promise| promise.text.clone())
        };
        let mut entries: Vec<Entry> = Vec::new();
        for check in &manifest.checks {
            let same_name: Vec<CheckFn> = functions.iter().filter(|(name, _)| *name == check.name).map(|(_, function)| *function).collect();
            let function = match same_name[..] {
                [function] => Ok(function),
                [] => Err(format!("lab.toml names the check `{}`, but `checks!` does not; add it there or take it out of lab.toml", check.name)),
                _ => Err(format!("`checks!` names `{}` more than once", check.name)),
            };
            let after = check.after.iter().filter_map(|name| entries.iter().position(|entry| entry.name == *name)).collect();
            entries.push(Entry { name: check.name.clone(), points: check.points, after, promise: promise(&check.name), function });
        }
        for (name, _) in functions {
            if entries.iter().all(|entry| entry.name != *name) {
                let reason = format!("`checks!` names the check `{name}`, but lab.toml does not; add it there with its points and hints");
                entries.push(Entry { name: (*name).to_owned(), points: 0, after: Vec::new(), promise: promise(name), function: Err(reason) });
            }
        }
        let sources = manifest.programs.iter().filter_map(|program| Some(folder.join(program.source.parent()?))).collect();
        Ok(Self { lab: source.package.to_owned(), manifest, sources, entries })
    }

    /// The place of the check called `name`.
    ///
    /// # Errors
    /// An unknown check; the text names the nearest one.
    pub fn index_of(&self, name: &str) -> Result<usize, String> {
        self.entries.iter().position(|entry| entry.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.entries.iter().map(|entry| &*entry.name).collect();
            format!("there is no check `{name}` in the lab {}{}", self.lab, did_you_mean(name, &names))
        })
    }

    /// The places of the checks called `names`, in the lab's order, each once; all checks if none is named.
    ///
    /// # Errors
    /// As [`Registry::index_of`].
    pub fn indices_of(&self, names: &[String]) -> Result<Vec<usize>, String> {
        if names.is_empty() {
            return Ok((0..self.entries.len()).collect());
        }
        let mut indices = names.iter().map(|name| self.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        indices.sort_unstable();
        indices.dedup();
        Ok(indices)
    }

    /// The record of the check at `index`: `outcome` with all that is known of the check.
    pub fn record(&self, index: usize, outcome: Result<(), Unpassed>, seed: u64, tier: String, seconds: f64) -> CheckRecord {
        let entry = &self.entries[index];
        let (verdict, finding, reason) = match outcome {
            Ok(()) => (Word::Pass, None, None),
            Err(Unpassed::Fail(finding)) => (Word::Fail, Some(*finding), None),
            Err(Unpassed::Broken(reason)) => (Word::Broken, None, Some(reason)),
            Err(Unpassed::Skipped(reason)) => (Word::Skipped, None, Some(reason)),
        };
        CheckRecord {
            lab: self.lab.clone(),
            check: entry.name.clone(),
            verdict,
            points: if verdict == Word::Pass { entry.points } else { 0 },
            max_points: entry.points,
            promise: entry.promise.clone(),
            finding,
            reason,
            seed,
            tier,
            replay: format!("cargo lab check {} {} --seed {seed}", self.lab, entry.name),
            seconds,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::lab::Lab;
    use crate::verdict::Verdict;

    const MANIFEST: &str = r#"
title = "T"
summary = "S"
level = 1
calls = []
[[program]]
name = "p"
source = "src/main.rs"
usage = "p"
[[check]]
name = "first"
points = 2
hints = ["a", "b", "c"]
[[check]]
name = "second"
points = 3
after = ["first"]
hints = ["a", "b", "c"]
"#;
    const README: &str = "## What the program promises\n\n- **first**: One.\n- **second**: Two.\n";

    pub fn source(manifest: &'static str) -> LabSource {
        LabSource { manifest, readme: README, folder: "/labs/01-sample", package: "sample", hidden: "/// Three.\nfn third(lab: &Lab) {}\n" }
    }

    fn unsupported(_: &Lab) -> Verdict {
        Err(Unpassed::Skipped("not here".into()))
    }

    pub fn sample() -> Registry {
        Registry::new(source(MANIFEST), &[("first", unsupported), ("second", unsupported)]).unwrap()
    }

    #[test]
    fn checks_have_the_order_points_and_promises_of_the_lab() {
        let registry = sample();
        assert_eq!(
            registry.entries.iter().map(|entry| (&*entry.name, entry.points, &*entry.promise)).collect::<Vec<_>>(),
            [("first", 2, "One."), ("second", 3, "Two.")]
        );
        assert_eq!(registry.entries[1].after, [0]);
        assert!(registry.entries.iter().all(|entry| entry.function.is_ok()));
    }

    #[test]
    fn a_check_that_only_one_side_knows_is_kept_and_cannot_be_done() {
        let registry = Registry::new(source(MANIFEST), &[("first", unsupported), ("third", unsupported)]).unwrap();
        let reasons: Vec<_> = registry.entries.iter().map(|entry| (&*entry.name, entry.function.as_ref().err())).collect();
        assert_eq!(reasons[0], ("first", None));
        assert!(reasons[1].0 == "second" && reasons[1].1.unwrap().contains("`checks!` does not"));
        assert!(reasons[2].0 == "third" && reasons[2].1.unwrap().contains("lab.toml does not"));
    }

    #[test]
    fn the_promise_of_a_hidden_check_is_its_doc_comment() {
        const HIDDEN: &str = "[[check]]\nname = \"third\"\npoints = 1\nhidden = true\nhints = [\"\", \"\", \"\"]\n";
        let manifest = Box::leak(format!("{MANIFEST}{HIDDEN}").into_boxed_str());
        let registry = Registry::new(source(manifest), &[("first", unsupported), ("second", unsupported), ("third", unsupported)]).unwrap();
        assert_eq!((&*registry.entries[2].promise, registry.entries[2].function.is_ok()), ("Three.", true));
    }

    #[test]
    fn a_check_named_twice_cannot_be_done() {
        let registry = Registry::new(source(MANIFEST), &[("first", unsupported), ("first", unsupported), ("second", unsupported)]).unwrap();
        assert!(registry.entries[0].function.as_ref().unwrap_err().contains("more than once"));
    }

    #[test]
    fn a_bad_manifest_is_an_error_with_file_and_line() {
        let error = Registry::new(source("title = \"T\"\nlevel = true\n"), &[]).unwrap_err();
        assert!(error.starts_with("/labs/01-sample/lab.toml:"), "{error}");
    }

    #[test]
    fn an_unknown_name_is_an_error_with_the_nearest_one() {
        let error = sample().indices_of(&["frist".into()]).unwrap_err();
        assert!(error.contains("`frist`") && error.contains("did you mean `first`?"), "{error}");
    }

    #[test]
    fn names_are_put_into_the_labs_order() {
        let names = ["second", "first", "second"].map(str::to_owned);
        assert_eq!(sample().indices_of(&names), Ok(vec![0, 1]));
        assert_eq!(sample().indices_of(&[]), Ok(vec![0, 1]));
    }
}
