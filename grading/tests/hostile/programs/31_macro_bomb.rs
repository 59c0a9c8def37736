//! A macro that grows without bound.
//! build: compile_error
macro_rules! bomb {
    ($($x:tt)*) => { bomb!($($x)* $($x)*) };
}
fn main() {
    bomb!(a b c d);
}
