//! Replaces and rewrites its own executable, so that the next run would be another program.
//! verdicts: pass pass pass pass
fn main() {
    let own = std::env::current_exe().unwrap();
    if std::fs::OpenOptions::new().write(true).open(&own).is_ok() || std::fs::write(&own, "x").is_ok() {
        through("writes its executable");
    }
    let other = own.with_file_name("other");
    if std::fs::remove_file(&own).is_ok() || std::fs::rename(&own, &other).is_ok() || std::fs::copy("/bin/true", &other).is_ok() {
        through("replaces its executable");
    }
    let own = std::ffi::CString::new(own.to_str().unwrap()).unwrap();
    if unsafe { libc::chmod(own.as_ptr(), 0o777) } == 0 || unsafe { libc::truncate(own.as_ptr(), 0) } == 0 {
        through("changes its executable");
    }
    relay()
}
