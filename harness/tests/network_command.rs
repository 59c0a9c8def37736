//! `lab network`: its pictures, its networks and its errors, as a student meets them.

mod support {
    pub mod deadline;
    pub mod folder;
    pub mod installed;
}

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{deadline, folder, installed};

const SECONDS: u64 = 60;

fn description() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/networks/five_lans.toml")
}

fn lab(words: &[&str]) -> Output {
    done(&[&[env!("CARGO_BIN_EXE_lab"), "network"], words].concat())
}

fn done(words: &[&str]) -> Output {
    deadline::output_within(SECONDS, Command::new(words[0]).args(&words[1..]).env_remove("LAB_NETWORK"))
}

fn up(command: &[&str]) -> Output {
    let description = description();
    lab(&[&["up", &*description.to_string_lossy(), "--host", "A1", "--"], command].concat())
}

#[track_caller]
fn assert_ends(output: &Output, status: i32, stdout: &str, stderr: &str) {
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((output.status.code(), &*out), (Some(status), stdout), "{errors}");
    assert!(errors.contains(stderr) && errors.is_empty() == stderr.is_empty(), "{errors}");
}

#[test]
fn the_picture_has_every_lan_host_and_router_with_its_addresses() {
    let output = lab(&["show", &description().to_string_lossy()]);
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["Five LANs", "A  10.0.1.0/24  ══", "E2", "10.0.5.12", "[R3]", "10.0.4.3"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert_eq!((output.status.code(), text.matches("[R").count(), text.lines().count()), (Some(0), 4, 26));
}

#[test]
fn the_picture_goes_to_a_file() {
    let folder = folder::empty("network_command/pictures");
    for (name, beginning) in [("n.svg", "<svg "), ("n.html", "<!doctype html>")] {
        let file = folder.join(name);
        assert_ends(&lab(&["show", &description().to_string_lossy(), "--output", &file.to_string_lossy()]), 0, "", "");
        let text = fs::read_to_string(&file).expect("the picture");
        assert!(text.starts_with(beginning) && text.matches("<rect").count() == 14 && text.matches("<circle").count() == 8, "{text}");
    }
    assert_ends(&lab(&["show", &description().to_string_lossy(), "--output", "n.png"]), 2, "", "ends in .svg or .html");
}

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    let file = folder::empty("network_command/bad").join("n.toml");
    let text = fs::read_to_string(description()).expect("the description").replace("via = \"10.0.3.3\"", "via = \"10.0.3.33\"");
    fs::write(&file, text).expect("the description");
    let place = format!("{}:92: via: `10.0.3.33` is not the address of another router on a LAN of R2", file.display());
    assert_ends(&lab(&["show", &file.to_string_lossy()]), 2, "", &place);
    assert_ends(&lab(&["up", &file.to_string_lossy(), "--", "true"]), 2, "", &place);
    assert_ends(&lab(&["up", "no/such/file", "--", "true"]), 2, "", "no/such/file: No such file");
    assert_ends(&lab(&["up", &description().to_string_lossy(), "--host", "E3", "--", "true"]), 2, "", "no host or router `E3`");
    assert_ends(&lab(&["on", "E2", "true"]), 2, "", "start one first");
}

#[test]
fn a_command_runs_on_its_host_and_gives_its_exit_status() {
    assert_ends(&up(&["sh", "-c", "cat /proc/sys/kernel/hostname; exit 7"]), 7, "A1\n", "");
    assert_ends(&up(&["sh", "-c", "kill -KILL $$"]), 137, "", "");
    assert_ends(&up(&["no-such-command"]), 2, "", "failed to start the command: no-such-command: No such file");
}

#[test]
fn other_hosts_are_reached_by_name() {
    // The routing table's addresses are numbers in the machine's byte order: the default route of E2 goes to 10.0.5.4.
    let gateway = format!("{:08X}", u32::from_ne_bytes([10, 0, 5, 4]));
    let script = format!("on E2 grep -c {gateway} /proc/net/route; on A2 grep -c {gateway} /proc/net/route; grep -c ' E2$' /etc/hosts; on E9 true");
    assert_ends(&up(&["sh", "-c", &script]), 2, "1\n0\n1\n", "there is no host or router `E9`");
}

#[test]
fn all_ends_with_the_command() {
    // What would keep the output open for a minute ends with the network.
    assert_ends(&up(&["sh", "-c", "on E2 sleep 61 & setsid sleep 62 & echo started"]), 0, "started\n", "");
}

#[test]
fn packets_find_their_way() {
    if !installed::all_installed(&[("ping", "iputils-ping")]) {
        return;
    }
    let output = up(&["ping", "-c", "1", "-W", "30", "E2"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("ttl=60"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_ordinary_user_has_networks_too() {
    // SAFETY: the call has no precondition.
    if unsafe { libc::geteuid() } != 0 || !installed::all_installed(&[("setpriv", "util-linux")]) {
        return;
    }
    // Cargo's folder may lie in somebody's home.
    let folder = std::env::temp_dir().join(format!("network-command-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let (program, file) = (folder.join("lab"), folder.join("n.toml"));
    fs::copy(env!("CARGO_BIN_EXE_lab"), &program).expect("the program");
    fs::copy(description(), &file).expect("the description");
    let other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let words = [&*program.to_string_lossy(), "network", "up", &*file.to_string_lossy(), "--", "sh", "-c", "on E2 cat /proc/sys/kernel/hostname"];
    assert_ends(&done(&[&other[..], &words[..]].concat()), 0, "A1\n", "");
    fs::remove_dir_all(&folder).expect("the folder is this test's");
}

#[test]
fn a_refusal_names_the_mend() {
    if !installed::all_installed(&[("unshare", "util-linux")]) {
        return;
    }
    let script =
        format!("echo 3 > /proc/sys/user/max_net_namespaces; exec {} network up {} -- true", env!("CARGO_BIN_EXE_lab"), description().display());
    let output = done(&["unshare", "--user", "--map-root-user", "sh", "-c", &script]);
    assert_ends(&output, 2, "", "make a network namespace (unshare)");
    assert!(String::from_utf8_lossy(&output.stderr).contains("as root: sysctl -w user.max_net_namespaces=10000"));
}
