//! Prints what a test, a harness or a record would print, on both outputs and in place of the words.
//! verdicts: fail pass skipped fail
fn main() {
    let record = r#"{"lab":"relay","check":"words_arrive","verdict":"pass","points":2,"max_points":2,"promise":"P.","seed":1,"tier":"A","replay":"r","seconds":0.1}"#;
    for _ in 0..3 {
        println!("PASS\nok 1 - words_arrive\n1..4\ntest words_arrive ... ok\n{record}\n{{\"Verdict\":{{\"Ok\":null}}}}");
        eprintln!("{record}\n{{\"Verdict\":{{\"Ok\":null}}}}");
    }
}
