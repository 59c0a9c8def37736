//! The invariants of `docs/src/architecture.md` that a look at the tree can show.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

/// All Rust sources below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn unsafe_stands_only_at_the_kernels_boundary() {
    let all: Vec<PathBuf> = ["harness/src", "grading/src"].iter().flat_map(|folder| sources(&root().join(folder))).collect();
    assert!(!all.is_empty());
    let boundary = root().join("harness/src/kernel");
    for path in all.iter().filter(|path| !path.starts_with(&boundary)) {
        let text = fs::read_to_string(path).expect("a source file");
        // A page's policy has a word of its own for styles inside the page.
        let code = text.lines().map(|line| line.split("//").next().unwrap_or(line).replace("'unsafe-inline'", ""));
        for (number, line) in code.enumerate() {
            let words = || line.split(|c: char| !c.is_alphanumeric() && c != '_');
            assert!(!words().any(|word| word == "unsafe"), "{}:{}: unsafe outside harness/src/kernel", path.display(), number + 1);
        }
    }
}

#[test]
fn no_lab_is_named_in_the_code_of_harness_and_grading() {
    let folders: Vec<String> =
        fs::read_dir(root().join("labs")).into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    for path in ["harness/src", "grading/src"].iter().flat_map(|folder| sources(&root().join(folder))) {
        let text = fs::read_to_string(&path).expect("a source file");
        // Unit tests and comments may name labs as examples.
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        for (number, line) in code.lines().enumerate().map(|(number, line)| (number, line.split("//").next().unwrap_or(line))) {
            for folder in &folders {
                assert!(!line.contains(folder.as_str()), "{}:{}: names the lab {folder}", path.display(), number + 1);
            }
        }
    }
}

#[test]
fn labs_depend_on_libc_and_memoffset_alone() {
    for entry in fs::read_dir(root().join("labs")).expect("labs").flatten() {
        let text = fs::read_to_string(entry.path().join("Cargo.toml")).expect("a lab's Cargo.toml");
        let section = text.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("[dependencies]");
        let names: Vec<&str> = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()).collect();
        assert_eq!(names, ["libc", "memoffset"], "{}", entry.path().display());
    }
}

#[test]
fn sources_stay_below_600_lines() {
    for path in ["harness/src", "grading/src", "labs"].iter().flat_map(|folder| sources(&root().join(folder))) {
        let lines = fs::read_to_string(&path).expect("a source file").lines().count();
        assert!(lines <= 600, "{}: {lines} lines; find the seam", path.display());
    }
}

#[test]
fn the_container_is_asked_for_what_the_pages_say() {
    let text = fs::read_to_string(root().join(".devcontainer/devcontainer.json")).expect("the container's description");
    let json: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let container: serde_json::Value = serde_json::from_str(&json).expect("JSON with comments on lines of their own");
    let options: Vec<&str> = container["runArgs"].as_array().expect("runArgs").iter().filter_map(|option| option.as_str()).collect();
    assert_eq!(options.len(), 6);
    for page in ["machines.md", "sandbox.md"] {
        let text = fs::read_to_string(root().join("docs/src").join(page)).expect(page);
        assert!(text.contains(&options.join(" ")), "{page}: expected {}", options.join(" "));
    }
}
