//! The programs below `tests/programs`, each compiled once: again only when its source is newer.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use super::{deadline, folder};

static DONE: LazyLock<Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>> = LazyLock::new(Mutex::default);

/// The executable of `tests/programs/NAME.c`, made by the C compiler that every Rust installation links with.
pub fn c_program(name: &str) -> PathBuf {
    let cell = Arc::clone(DONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).entry(name.to_owned()).or_default());
    cell.get_or_init(|| compile(name)).clone()
}

fn compile(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name).with_extension("c");
    let programs = folder::of_executable().join("programs");
    std::fs::create_dir_all(&programs).unwrap_or_else(|error| panic!("{}: {error}", programs.display()));
    let executable = programs.join(name);
    if is_newer(&executable, &source) {
        return executable;
    }
    // Under another name first: a test process beside this one may be using the executable.
    let fresh = programs.join(format!("{name}.{}", std::process::id()));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let mut command = Command::new(compiler);
    command.args(["-std=gnu11", "-g", "-O1", "-Wall", "-Werror", "-pthread", "-o"]).arg(&fresh).arg(&source);
    let output = deadline::output_within(60, &mut command);
    assert!(output.status.success(), "{}: {}", source.display(), String::from_utf8_lossy(&output.stderr));
    std::fs::rename(&fresh, &executable).unwrap_or_else(|error| panic!("{}: {error}", executable.display()));
    executable
}

/// Whether another process of this run, or an earlier run, has compiled the source as it is.
fn is_newer(executable: &Path, source: &Path) -> bool {
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    changed(executable).is_some_and(|made| changed(source).is_some_and(|written| made > written))
}
