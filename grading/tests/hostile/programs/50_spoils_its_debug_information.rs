//! Carries debug and unwind information that makes no sense.
//! verdicts: fail fail skipped fail
//! says: waits
macro_rules! spoilt {
    ($($name:ident $section:literal),*) => { $(
        #[used]
        #[unsafe(link_section = $section)]
        static $name: [u8; 4096] = { let mut bytes = [0; 4096]; let mut i = 0; while i < 4096 { bytes[i] = (i * 37 % 251) as u8; i += 1; } bytes };
    )* };
}
spoilt!(A ".debug_line", B ".debug_info", C ".debug_abbrev", D ".debug_ranges", E ".debug_str", F ".debug_aranges", G ".debug_frame");
fn main() {
    unsafe { libc::pause() };
    relay()
}
