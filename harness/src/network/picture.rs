//! A network as one self-contained picture in the style of [`crate::timeline::picture`]: SVG, by itself or in a page.

use std::fmt::Write;

use super::Plan;
use crate::timeline::picture::{COLOURS, escaped, page};

/// Pixels: the margin, the height of a LAN with its hosts, the width of a host, a router and a LAN's label.
const MARGIN: usize = 24;
const HEAD: usize = 56;
const LAN: usize = 110;
const HOST: usize = 110;
const ROUTER: usize = 130;
const LABEL: usize = 150;

/// What the parts look like, in the colours that all pictures have.
const STYLE: &str = "text{fill:var(--ink)}.n{fill:var(--faint)}.h{font-weight:bold}.m{text-anchor:middle}.w{stroke:var(--arrow);stroke-width:3}.c{stroke:var(--faint)}\
.o{fill:var(--paper);stroke:var(--ink)}.p{fill:var(--paper);stroke:var(--loud);stroke-dasharray:4 2}.d{fill:var(--ink)}";

/// The picture as an SVG file.
#[must_use]
pub fn svg(plan: &Plan) -> String {
    let routers = MARGIN + LABEL + plan.widest * HOST;
    let width = routers + plan.routers.len() * ROUTER + MARGIN;
    let height = HEAD + plan.lans.len() * LAN;
    let title = escaped(&plan.title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{COLOURS}{STYLE}</style>\n<text class=\"h\" x=\"{MARGIN}\" y=\"{MARGIN}\">{title}</text>\n"
    );
    let y = |lan: usize| HEAD + lan * LAN;
    for (number, router) in plan.routers.iter().enumerate() {
        let (x, (first, last)) = (routers + number * ROUTER + ROUTER / 3, router.ends());
        // A router on one LAN hangs below it, as a host does.
        let end = if first == last { y(first) + LAN / 3 } else { y(last) };
        let _ = writeln!(out, "<line class=\"c\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{end}\"/>", y(first));
    }
    for (number, lan) in plan.lans.iter().enumerate() {
        let y = y(number);
        let _ = writeln!(out, "<text class=\"h\" x=\"{MARGIN}\" y=\"{}\">{}</text>", y - 2, escaped(&lan.name));
        let _ = writeln!(out, "<text class=\"n\" x=\"{MARGIN}\" y=\"{}\">{}</text>", y + 13, escaped(&lan.range));
        let _ = writeln!(out, "<line class=\"w\" x1=\"{}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>", MARGIN + LABEL - 20, width - MARGIN);
        for (place, (name, address)) in lan.hosts.iter().enumerate() {
            let x = MARGIN + LABEL + place * HOST + HOST / 2;
            let _ = writeln!(out, "<line class=\"c\" x1=\"{x}\" y1=\"{y}\" x2=\"{x}\" y2=\"{}\"/>", y + 26);
            let _ = writeln!(out, "<rect class=\"o\" x=\"{}\" y=\"{}\" width=\"96\" height=\"40\"/>", x - 48, y + 26);
            let _ = writeln!(out, "<text class=\"h m\" x=\"{x}\" y=\"{}\">{}</text>", y + 42, escaped(name));
            let _ = writeln!(out, "<text class=\"n m\" x=\"{x}\" y=\"{}\">{}</text>", y + 58, escaped(address));
        }
    }
    for (number, router) in plan.routers.iter().enumerate() {
        let (x, (first, last)) = (routers + number * ROUTER + ROUTER / 3, router.ends());
        for (lan, address) in &router.lans {
            let below = if *lan == last && first != last { y(*lan) - 8 } else { y(*lan) + 15 };
            let _ = writeln!(out, "<circle class=\"d\" cx=\"{x}\" cy=\"{}\" r=\"4\"/>", y(*lan));
            let _ = writeln!(out, "<text class=\"n\" x=\"{}\" y=\"{below}\">{}</text>", x + 8, escaped(address));
        }
        let (shape, middle) = (if router.is_program { "p" } else { "o" }, y(first) + LAN / 2);
        let _ = writeln!(out, "<rect class=\"{shape}\" x=\"{}\" y=\"{}\" width=\"60\" height=\"28\" rx=\"14\"/>", x - 30, middle - 14);
        let _ = writeln!(out, "<text class=\"h m\" x=\"{x}\" y=\"{}\">{}</text>", middle + 4, escaped(&router.name));
    }
    out.push_str("</svg>\n");
    out
}

/// The picture in a page of its own, which loads nothing from anywhere.
#[must_use]
pub fn html(plan: &Plan) -> String {
    page(&plan.title, &svg(plan))
}
