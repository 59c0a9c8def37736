//! What a lab says about itself, compared with itself; nothing is built for it.

use std::fs;

use harness::handout::{Promise, documented_checks, promises};
use harness::manifest::LabFolder;
use harness::student::hidden;

use crate::artifacts::LAB_DEPENDENCIES;
use crate::prove::report::{LabReport, Problem};

/// Examines handout, doc comments and dependencies.
pub fn examine(lab: &LabFolder, report: &mut LabReport) {
    compare_promises(lab, report);
    compare_hidden(lab, report);
    compare_dependencies(lab, report);
}

fn read(lab: &LabFolder, name: &str, report: &mut LabReport) -> Option<String> {
    fs::read_to_string(lab.path.join(name))
        .map_err(|error| report.problem(Problem::promise(name, "a text file that every lab has", error.to_string(), format!("write {name}"))))
        .ok()
}

fn compare_promises(lab: &LabFolder, report: &mut LabReport) {
    let (Some(readme), Some(checks)) = (read(lab, "README.md", report), read(lab, "checks.rs", report)) else { return };
    let promised = match promises(&readme) {
        Ok(promised) => promised,
        Err(reason) => {
            let next = "write the section as the guide to writing a lab has it";
            return report.problem(Problem::promise("README.md", "one promise for each check", reason, next));
        }
    };
    let names: Vec<&str> = lab.manifest.handed_out().map(|check| &*check.name).collect();
    let promised_names: Vec<&str> = promised.iter().map(|promise| &*promise.check).collect();
    if promised_names != names {
        report.problem(Problem::promise(
            "README.md",
            format!("one promise for each check, in the order of lab.toml: {}", names.join(", ")),
            format!("promises of: {}", promised_names.join(", ")),
            "make the list under *What the program promises* and [[check]] in lab.toml the same",
        ));
    }
    let documented = documented_checks(&checks);
    for Promise { check, text } in &promised {
        match documented.iter().find(|function| function.check == *check) {
            Some(function) if function.text == *text => {}
            Some(function) => report.problem(Problem::promise(
                format!("checks.rs, {check}"),
                format!("the doc comment that README.md promises: {text}"),
                function.text.clone(),
                "make the two the same, word for word",
            )),
            None if names.contains(&&**check) => report.problem(Problem::promise(
                format!("checks.rs, {check}"),
                format!("a function with the doc comment: {text}"),
                "no function of this name with a doc comment",
                "document the check's function with its promise",
            )),
            None => {}
        }
    }
}

/// Hidden checks have a file of their own, which is the source of the check executable, and their promises stand in it alone.
fn compare_hidden(lab: &LabFolder, report: &mut LabReport) {
    let names: Vec<&str> = lab.manifest.checks.iter().filter(|check| check.hidden).map(|check| &*check.name).collect();
    let there = lab.path.join(hidden::FILE).exists();
    if names.is_empty() && !there {
        return;
    }
    let Some(source) = read(lab, hidden::FILE, report) else { return };
    let documented: Vec<String> = documented_checks(&source).into_iter().map(|promise| promise.check).collect();
    for name in &names {
        if !documented.iter().any(|check| check == name) {
            report.problem(Problem::promise(
                format!("{}, {name}", hidden::FILE),
                "a function of this name, with what it demands as its doc comment",
                "none",
                "write it there, or take `hidden = true` out of lab.toml",
            ));
        }
    }
    for check in lab.manifest.handed_out().filter(|check| documented.contains(&check.name)) {
        report.problem(Problem::promise(
            format!("lab.toml, {}", check.name),
            format!("`hidden = true`, as the function is in {}", hidden::FILE),
            "the check is handed out, and its function is not",
            "write `hidden = true` in its [[check]], or move the function to checks.rs",
        ));
    }
    if !read(lab, "Cargo.toml", report).is_some_and(|text| text.contains(&format!("path = \"{}\"", hidden::FILE))) {
        report.problem(Problem::promise(
            "Cargo.toml",
            format!("path = \"{}\" in [[test]], since there are hidden checks", hidden::FILE),
            "another source of the check executable",
            "name it there; in the students' workspace it becomes checks.rs",
        ));
    }
}

fn compare_dependencies(lab: &LabFolder, report: &mut LabReport) {
    let Some(text) = read(lab, "Cargo.toml", report) else { return };
    let table = match toml::from_str::<toml::Table>(&text) {
        Ok(table) => table,
        Err(error) => return report.problem(Problem::promise("Cargo.toml", "a manifest that cargo can read", error.to_string(), "mend it")),
    };
    let mut extra: Vec<String> = Vec::new();
    let keys = |key: &str| table.get(key).and_then(toml::Value::as_table).into_iter().flat_map(|table| table.keys().cloned()).collect::<Vec<_>>();
    extra.extend(keys("dependencies").into_iter().filter(|name| !LAB_DEPENDENCIES.contains(&&**name)));
    extra.extend(keys("dev-dependencies").into_iter().filter(|name| name != "harness"));
    // A build script would run code that no submission has; dependencies by platform are dependencies too.
    extra.extend(["build-dependencies", "target", "patch"].into_iter().filter(|key| table.contains_key(*key)).map(|key| format!("[{key}]")));
    if !extra.is_empty() {
        report.problem(Problem::promise(
            "Cargo.toml",
            format!("dependencies on {} alone, and the harness as a dev-dependency", LAB_DEPENDENCIES.join(" and ")),
            format!("also: {}", extra.join(", ")),
            "take these out",
        ));
    }
    let package = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str).unwrap_or_default();
    if package != lab.name {
        let expected = format!("a package called `{}`, as the folder without its number", lab.name);
        report.problem(Problem::promise("Cargo.toml", expected, format!("`{package}`"), "rename the package or the folder"));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const MANIFEST: &str = "title='t'\nsummary='s'\nlevel=1\ncalls=[]\n[[program]]\nname='p'\nsource='src/main.rs'\nusage='p'\n\
        [[check]]\nname='a'\npoints=1\nhints=['','','']\n[[check]]\nname='b'\npoints=1\nhints=['','','']\n";
    const CARGO: &str = "[package]\nname='x'\n[dependencies]\nlibc='0.2'\nmemoffset='0.9'\n[dev-dependencies]\nharness={path='h'}\n";
    const README: &str = "## What the program promises\n\n- **a**: One.\n- **b**: Two.\n";
    const CHECKS: &str = "/// One.\nfn a(lab: &Lab) -> Verdict {}\n/// Two.\nfn b(lab: &Lab) -> Verdict {}\n";

    /// The problems of a lab of these files.
    fn problems(cargo: &str, readme: &str, checks: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("01-x");
        fs::create_dir(&path).unwrap();
        for (name, text) in [("lab.toml", MANIFEST), ("Cargo.toml", cargo), ("README.md", readme), ("checks.rs", checks)] {
            fs::write(path.join(name), text).unwrap();
        }
        let lab = LabFolder::load(Path::new(&path)).unwrap();
        let mut report = LabReport::new(&lab);
        examine(&lab, &mut report);
        report.problems.iter().map(|problem| format!("{}: {}", problem.place, problem.observed)).collect()
    }

    #[test]
    fn a_lab_that_agrees_with_itself_has_no_problems() {
        assert_eq!(problems(CARGO, README, CHECKS), [] as [&str; 0]);
    }

    #[test]
    fn a_promise_in_other_words_is_a_problem() {
        assert_eq!(problems(CARGO, README, &CHECKS.replace("Two.", "Too.")), ["checks.rs, b: Too."]);
    }

    #[test]
    fn a_check_without_a_doc_comment_or_a_promise_is_a_problem() {
        assert_eq!(problems(CARGO, README, &CHECKS.replace("/// Two.\n", "")).len(), 1);
        assert_eq!(problems(CARGO, &README.replace("- **b**: Two.\n", ""), CHECKS), ["README.md: promises of: a"]);
    }

    #[test]
    fn hidden_checks_need_their_file_their_mark_and_their_executable() {
        let with = |toml: &str, hidden: &str, cargo: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("01-x");
            fs::create_dir_all(path.join("checks")).unwrap();
            for (name, text) in
                [("lab.toml", toml), ("Cargo.toml", cargo), ("README.md", README), ("checks.rs", CHECKS), ("checks/hidden.rs", hidden)]
            {
                fs::write(path.join(name), text).unwrap();
            }
            let mut report = LabReport::new(&LabFolder::load(&path).unwrap());
            examine(&LabFolder::load(&path).unwrap(), &mut report);
            report.problems.iter().map(|problem| format!("{}: {}", problem.place, problem.observed)).collect::<Vec<_>>()
        };
        let toml = format!("{MANIFEST}[[check]]\nname='c'\npoints=1\nhidden=true\nhints=['','','']\n");
        let (hidden, cargo) = ("/// Three.\nfn c(lab: &Lab) -> Verdict {}\n", format!("{CARGO}[[test]]\npath = \"checks/hidden.rs\"\n"));
        assert_eq!(with(&toml, hidden, &cargo), [] as [&str; 0]);
        assert_eq!(with(&toml, hidden, CARGO), ["Cargo.toml: another source of the check executable"]);
        assert_eq!(with(&toml, "", &cargo), ["checks/hidden.rs, c: none"]);
        let shown = toml.replace("hidden=true\n", "");
        assert!(with(&shown, hidden, &cargo).contains(&"lab.toml, c: the check is handed out, and its function is not".to_owned()));
    }

    #[test]
    fn a_dependency_too_many_is_a_problem() {
        assert_eq!(problems(&CARGO.replace("libc", "nix"), README, CHECKS), ["Cargo.toml: also: nix"]);
        assert_eq!(problems(&format!("{CARGO}[build-dependencies]\ncc='1'\n"), README, CHECKS), ["Cargo.toml: also: [build-dependencies]"]);
    }
}
