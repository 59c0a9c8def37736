use std::path::{Path, PathBuf};
use std::time::Instant;
fn main() {
    let folder = PathBuf::from("/tmp/phases"); std::fs::create_dir_all(&folder).unwrap(); std::fs::copy("/usr/bin/true", folder.join("true")).ok();
    let m = "title = \"b\"\nsummary = \"b\"\nlevel = 1\ncalls = []\ncheck = []\n[[program]]\nname = \"true\"\nsource = \"s\"\nusage = \"u\"\n";
    let lab = harness::lab::Lab::new(harness::manifest::Manifest::parse(m, Path::new("b")).unwrap(), harness::check::Programs::new(Some(folder), "b"), 1, "b");
    let t = |name: &str, f: &mut dyn FnMut()| { f(); let mut v: Vec<_> = (0..40).map(|_| { let s = Instant::now(); f(); s.elapsed().as_micros() }).collect(); v.sort(); println!("{name}: median {} us min {}", v[20], v[0]); };
    t("fork+exec true", &mut || { std::process::Command::new("/usr/bin/true").status().unwrap(); });
    t("enter only", &mut || { lab.session(|s| s.pass()).unwrap(); });
    t("whole", &mut || { lab.session(|s| { let p = s.program("true").start()?; s.exit(p)?; s.all_end()?; s.pass() }).unwrap(); });
    unsafe { std::env::set_var("X", "1") };
    t("unshare -Urpf --mount true", &mut || { std::process::Command::new("unshare").args(["-Unimup", "--fork", "true"]).status().unwrap(); });
    t("unshare none", &mut || { std::process::Command::new("unshare").args(["-U", "true"]).status().unwrap(); });
    t("unshare net", &mut || { std::process::Command::new("unshare").args(["-Un", "true"]).status().unwrap(); });
    t("unshare ipc", &mut || { std::process::Command::new("unshare").args(["-Ui", "true"]).status().unwrap(); });
    t("unshare mnt", &mut || { std::process::Command::new("unshare").args(["-Um", "true"]).status().unwrap(); });
    t("bwrap", &mut || { std::process::Command::new("bwrap").args(["--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "true"]).status().unwrap(); });
}
