//! A timeline as one self-contained picture: SVG, by itself or in a page that follows the reader's light or dark setting.

use std::fmt::Write;

use super::{Step, Timeline};

/// Pixels of a row, of a character, and of the margins.
const ROW: usize = 22;
const CHARACTER: usize = 7;
const MARGIN: usize = 24;
const HEAD: usize = 48;
const NARROWEST: usize = 150;
const WIDEST: usize = 420;

/// The font and the colours that all pictures have, for a light and a dark page.
pub(crate) const COLOURS: &str = "\
svg{font:12px ui-monospace,monospace;background:var(--paper);--paper:#fff;--ink:#1b1f24;--faint:#8a929c;--line:#c9ced6;--arrow:#2464b4;--loud:#b3261e}\
@media(prefers-color-scheme:dark){svg{--paper:#15181c;--ink:#e6e9ed;--faint:#8d97a3;--line:#3a414a;--arrow:#7fb2f0;--loud:#ff8a80}}";

const STYLE: &str = "\
text{fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:4px}.n{fill:var(--faint)}.h{font-weight:bold}.l{stroke:var(--line)}.b{stroke:var(--faint);stroke-width:4;opacity:.45}\
.a{stroke:var(--arrow);fill:none}.t{fill:var(--arrow)}.d{fill:var(--ink)}.x{fill:var(--loud)}text.x{fill:var(--loud);font-weight:bold}";

/// The picture as an SVG file.
#[must_use]
pub fn svg(timeline: &Timeline, title: &str) -> String {
    let places = lane_places(timeline);
    let width = places.last().map_or(0, |(start, width)| start + width) + MARGIN;
    let height = HEAD + timeline.steps.len() * ROW + MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<style>{COLOURS}{STYLE}</style>\n",
        escaped(title)
    );
    out.push_str("<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path class=\"t\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n");
    for (lane, (start, _)) in timeline.lanes.iter().zip(&places) {
        let _ = writeln!(out, "<text class=\"h\" x=\"{start}\" y=\"{}\">{}</text>", HEAD - 20, escaped(lane));
        let _ = writeln!(out, "<line class=\"l\" x1=\"{start}\" y1=\"{}\" x2=\"{start}\" y2=\"{}\"/>", HEAD - 10, height - MARGIN / 2);
    }
    let y = |number: usize| HEAD + number * ROW + ROW / 2;
    for (number, step) in timeline.steps.iter().enumerate() {
        let x = places[step.lane].0;
        if let Some(since) = step.since {
            let _ = writeln!(out, "<line class=\"b\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{}\"/>", y(since) - ROW / 2, y(number));
        }
        if let Some(from) = step.from.filter(|from| *from < number) {
            let other = places[timeline.steps[from].lane].0;
            let bend = (x + other) / 2;
            let _ = writeln!(out, "<path class=\"a\" marker-end=\"url(#tip)\" d=\"M{other} {}C{bend} {0} {bend} {1} {x} {1}\"/>", y(from), y(number));
        }
    }
    for (number, step) in timeline.steps.iter().enumerate() {
        let (x, y) = (places[step.lane].0, y(number));
        let _ = writeln!(out, "<text class=\"n\" x=\"4\" y=\"{}\">{}</text>", y + 4, number + 1);
        let loud = if step.stands_out { "x" } else { "d" };
        let _ = writeln!(
            out,
            "<circle class=\"{loud}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/><text class=\"{loud}\" x=\"{}\" y=\"{}\">{}</text>",
            x + 9,
            y + 4,
            escaped(&words(step))
        );
    }
    out.push_str("</svg>\n");
    out
}

/// The picture in a page of its own, which loads nothing from anywhere.
#[must_use]
pub fn html(timeline: &Timeline, title: &str) -> String {
    page(title, &svg(timeline, title))
}

/// A page with one picture.
pub(crate) fn page(title: &str, svg: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{0}</title>\n\
         <style>body{{margin:1rem;font:15px system-ui,sans-serif;color-scheme:light dark}}div{{overflow-x:auto}}</style>\n<h1>{0}</h1>\n<div>\n{1}</div>\n</html>\n",
        escaped(title),
        svg
    )
}

fn words(step: &Step) -> String {
    if step.times > 1 { format!("{}, {} times", step.text, step.times) } else { step.text.clone() }
}

/// Where each lane begins, and how wide it is: as its longest step wants, within bounds.
fn lane_places(timeline: &Timeline) -> Vec<(usize, usize)> {
    let mut start = MARGIN + 24;
    (0..timeline.lanes.len())
        .map(|lane| {
            let texts = timeline.steps.iter().filter(|step| step.lane == lane).map(words);
            let longest = texts.chain([timeline.lanes[lane].clone()]).map(|text| text.chars().count()).max().unwrap_or(0);
            let width = (longest * CHARACTER + MARGIN).clamp(NARROWEST, WIDEST);
            let place = (start, width);
            start += width;
            place
        })
        .collect()
}

/// Text as XML has it. Controls, which XML does not have, are replaced.
pub(crate) fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            c if c.is_control() => "\u{fffd}".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{sample, step};
    use super::*;

    #[test]
    fn the_picture_has_lanes_steps_and_arrows() {
        let svg = svg(&sample(), "02-pipe words_arrive");
        assert_eq!(svg.matches("class=\"h\"").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 5);
        assert_eq!(svg.matches("marker-end").count(), 1);
        assert!(svg.contains("class=\"x\""), "the call that never comes back stands out");
    }

    #[test]
    fn what_a_program_says_is_text_and_no_markup() {
        let mut timeline = sample();
        timeline.steps.push(step(0, "open \"<script>alert(1)</script>\"\u{1b}[31m", None));
        let page = html(&timeline, "a & b");
        assert!(!page.contains("<script") && !page.contains('\u{1b}') && page.contains("a &amp; b"));
    }
}
