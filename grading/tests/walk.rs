//! A student's way, in a real terminal: from the handout to a solved lab, with cargo, the compiler, the harness and an editor's saves as they are, and
//! without the network.

#[path = "../../harness/tests/support/installed.rs"]
mod installed;
#[path = "../../harness/tests/support/tmux.rs"]
mod tmux;

use std::fs;
use std::path::Path;
use std::process::Command;

use tmux::{NEEDS, Terminal};

#[test]
fn from_the_handout_to_a_solved_lab() {
    if !installed::all_installed(&NEEDS) {
        return;
    }
    let course = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("walk");
    let workspace = place.join("workspace");
    // It is not there the first time.
    let _ = fs::remove_dir_all(&workspace);
    let handed = Command::new(env!("CARGO_BIN_EXE_grade")).current_dir(course).arg("handout").arg(&workspace).output().unwrap();
    assert!(handed.status.success(), "{}", String::from_utf8_lossy(&handed.stderr));
    let folder = workspace.display().to_string();
    let target = place.join("target").display().to_string();
    let variables = [("CARGO_TARGET_DIR", &*target), ("CARGO_NET_OFFLINE", "true"), ("LAB_SEED", "7")];
    let cargo_lab = || Terminal::new(110, 60, Path::new(&folder), &variables, "cargo lab");

    let terminal = cargo_lab().with_patience(1200);
    terminal.wait_for(&["01-spawn: ", "fail: spawn ", "q quit"]);
    terminal.press(&["l"]);
    terminal.wait_for(&["02-pipe ", "Type a lab's number"]);
    terminal.press(&["2", "Enter"]);
    let screen = terminal.wait_for(&["fail: pipe words_arrive", "not yet implemented", "save a file"]);
    assert!(screen.contains("handout: labs/02-pipe/README.md") && screen.contains("promise   The child reads the words"), "{screen}");
    terminal.press(&["h"]);
    terminal.wait_for(&["hint 1    Where does one word end"]);

    let save =
        |from: &str| fs::write(workspace.join("labs/02-pipe/src/main.rs"), fs::read_to_string(course.join("labs/02-pipe").join(from)).unwrap());
    save("submissions/rejected/reader_sees_eof/child_keeps_write_end.rs").unwrap();
    let screen = terminal.wait_for(&["fail: pipe reader_sees_eof", "2 of 12 checks pass"]);
    for line in ["labs/02-pipe/src/main.rs:", "the child waits in read on descriptor 3, pipe A", "explain   cargo lab explain end-of-file"] {
        assert!(screen.contains(line), "{line}\n{screen}");
    }
    terminal.press(&["e"]);
    terminal.wait_for(&["An example that goes wrong", "The mend", "Enter goes back"]);
    terminal.press(&["Enter"]);
    terminal.wait_for(&["fail: pipe reader_sees_eof"]);
    terminal.press(&["t"]);
    terminal.wait_for(&["pipe reader_sees_eof: fail (run ", "the child", "Enter goes back"]);

    fs::write(workspace.join("labs/02-pipe/src/main.rs"), "fn main() { let n: i32 = \"\"; }\n").unwrap();
    terminal.wait_for(&["error[E0308]: mismatched types", "it does not compile"]);
    save("src/main.rs").unwrap();
    terminal.wait_for(&["all pass: 12 checks, 21 of 21 points", "n goes on to 03-pipeline", "q quit"]);
    terminal.press(&["q"]);
    assert_eq!(terminal.exit_status(), 0);
    assert!(terminal.text().contains("1 of "), "{}", terminal.text());

    let again = cargo_lab().with_patience(600);
    again.wait_for(&["02-pipe: ", "so far 12 of 12 checks", "all pass"]);
    again.press(&["n"]);
    again.wait_for(&["03-pipeline: ", "fail: pipeline "]);
    again.press(&["C-c"]);
    assert_eq!(again.exit_status(), 0);
}
