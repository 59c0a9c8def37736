//! Links a library that the course does not have.
//! build: compile_error
//! says: linking
#[link(name = "nowhere", kind = "dylib")]
unsafe extern "C" {
    fn nothing();
}
fn main() {
    unsafe { nothing() };
    relay()
}
