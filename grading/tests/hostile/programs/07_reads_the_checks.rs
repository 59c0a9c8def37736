//! Reads the checks, the solution, other submissions and the machine's files.
//! verdicts: pass pass pass pass
fn main() {
    for path in [
        "@COURSE@/labs/01-relay/checks.rs", "@COURSE@/labs/01-relay/src/main.rs", "@COURSE@/labs", "@COURSE@", "@OUT@", "@OUT@/seed", "@OUT@/records",
        "@SUBMISSIONS@", "@SUBMISSIONS@/sentinel_a/01-relay/src/main.rs", "/root", "/home", "/etc/shadow", "/etc/hostname", "/var", "/sys/fs/cgroup/cgroup.procs", "/run",
    ] {
        if std::fs::metadata(path).is_ok() || std::fs::read(path).is_ok() || std::fs::read_dir(path).is_ok() {
            through(&format!("reads {path}"));
        }
    }
    // Where its own executable came from is in the table of mounts, and leads nowhere.
    for file in ["/proc/self/mounts", "/proc/self/maps", "/proc/self/cgroup", "/proc/self/environ"] {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        for word in ["submissions", "records", "checks", "unfinished", "01-relay"] {
            if text.contains(word) {
                through(&format!("{file} says {}", text.lines().find(|line| line.contains(word)).unwrap_or_default()));
            }
        }
    }
    relay()
}
