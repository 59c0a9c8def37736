//! Takes memory until there is none.
//! verdicts: fail fail skipped fail
fn main() {
    let mut all: Vec<Vec<u8>> = Vec::new();
    for megabytes in 0.. {
        if megabytes > 3000 {
            through("3 GB of memory");
        }
        all.push(vec![1; 1 << 20]);
    }
}
