//! Writes files until there is no room, then makes empty ones until there are no more names.
//! verdicts: fail fail skipped fail
fn main() {
    let block = vec![1u8; 1 << 20];
    let mut written = 0usize;
    for folder in ["/tmp", "/dev/shm", "/lab", "/", "/var/tmp", "/run"] {
        for number in 0..8 {
            let Ok(mut file) = std::fs::File::create(format!("{folder}/big{number}")) else { continue };
            while written < 2 << 30 && std::io::Write::write_all(&mut file, &block).is_ok() {
                written += block.len();
            }
        }
    }
    if written >= 2 << 30 {
        through(&format!("{written} bytes of files"));
    }
    let names = (0..40_000).take_while(|number| std::fs::create_dir(format!("/dev/shm/d{number}")).is_ok()).count();
    if names > 20_000 {
        through(&format!("{names} names"));
    }
    std::process::exit(3)
}
