//! How the marks are distributed: a chart and the figures that go with it.

use maud::{Markup, html};

use crate::report::page::counted;

/// The width of a bar with its gap, the height of the tallest, the place for labels below and above; in units of the picture.
const BAR: usize = 22;
const TALLEST: usize = 70;
const BELOW: usize = 14;
const ABOVE: usize = 12;

/// What each bar stands for, in percent of the points.
const BINS: [&str; 11] = ["0–9", "10–19", "20–29", "30–39", "40–49", "50–59", "60–69", "70–79", "80–89", "90–99", "100"];

/// The chart of these points out of `of`, under a caption.
#[must_use]
pub fn chart(caption: &Markup, points: &[u32], of: u32) -> Markup {
    let mut bins = [0_usize; 11];
    for &points in points {
        let percent = if of == 0 { 100 } else { u64::from(points) * 100 / u64::from(of) };
        bins[usize::try_from(percent / 10).unwrap_or(10).min(10)] += 1;
    }
    let most = bins.iter().copied().max().unwrap_or(0).max(1);
    let (width, floor) = (BAR * bins.len(), ABOVE + TALLEST);
    let described: Vec<String> =
        bins.iter().zip(BINS).filter(|(count, _)| **count > 0).map(|(count, bin)| format!("{} with {bin} %", counted(*count, "student"))).collect();
    html! {
        figure.chart {
            figcaption { (caption) div.faint.number { (figures(points, of)) } }
            svg viewBox=(format!("0 0 {width} {}", floor + BELOW)) role="img" aria-label=(described.join(", ")) {
                @for (place, count) in bins.iter().enumerate() {
                    @if *count > 0 {
                        @let height = (count * TALLEST).div_ceil(most);
                        rect.bar x=(place * BAR + 2) y=(floor - height) width=(BAR - 4) height=(height) {}
                        text.value x=(place * BAR + BAR / 2) y=(floor - height - 3) text-anchor="middle" { (count) }
                    }
                }
                line.axis x1="0" y1=(floor) x2=(width) y2=(floor) {}
                text x="2" y=(floor + 11) { "0 %" }
                text x=(BAR * 5 + 2) y=(floor + 11) { "50" }
                text x=(width - 2) y=(floor + 11) text-anchor="end" { "100" }
            }
        }
    }
}

/// Median and quartiles, in words.
fn figures(points: &[u32], of: u32) -> String {
    let mut sorted = points.to_vec();
    sorted.sort_unstable();
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return "nobody".to_owned() };
    let at = |quarter: usize| sorted[(sorted.len() - 1) * quarter / 4];
    if sorted.len() < 4 {
        return format!("from {least} to {most} of {of} points");
    }
    format!("median {} of {of} points, half of the class between {} and {}", median(&sorted), at(1), at(3))
}

/// The middle of sorted points, between two if their number is even.
fn median(sorted: &[u32]) -> String {
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    let doubled = low + high;
    if doubled % 2 == 0 { (doubled / 2).to_string() } else { format!("{}.5", doubled / 2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_student_is_in_one_bar() {
        let chart = chart(&html! { "c" }, &[0, 1, 9, 10, 10, 5], 10).into_string();
        assert!(
            chart.contains(
                "aria-label=\"1 student with 0–9 %, 1 student with 10–19 %, 1 student with 50–59 %, 1 student with 90–99 %, 2 students with 100 %\""
            ),
            "{chart}"
        );
        assert!(chart.contains("median 7 of 10 points"), "{chart}");
    }

    #[test]
    fn a_lab_without_points_and_a_class_without_students_are_no_error() {
        assert!(chart(&html! {}, &[0], 0).into_string().contains("1 student with 100 %"));
        assert!(chart(&html! {}, &[], 10).into_string().contains("nobody"));
    }

    #[test]
    fn a_median_may_lie_between_two() {
        assert_eq!((median(&[1, 2]), median(&[1, 2, 9]), median(&[1, 3])), ("1.5".into(), "2".into(), "2".into()));
    }
}
