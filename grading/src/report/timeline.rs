//! The run that a check failed in, drawn by the harness.
//!
//! The picture is an image, and so a document of its own: its style is not the page's business, nor its policy's, and what it names cannot meet what the page names. The same
//! stands below it in words, for whoever does not see it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::timeline::{Timeline, picture, text};
use maud::{Markup, html};

use crate::report::page::counted;

/// Characters in a line of the run in words.
const WIDTH: usize = 100;

/// The run, folded away.
#[must_use]
pub fn drawn(timeline: &Timeline, title: &str) -> Markup {
    let image = format!("data:image/svg+xml;base64,{}", STANDARD.encode(picture::svg(timeline, title)));
    let steps = counted(timeline.steps.len(), "step");
    html! {
        details.run {
            summary { "The run, step by step" }
            div.timeline tabindex="0" role="group" aria-label="timeline" {
                img src=(image) alt=(format!("a lane for each process, {steps} from top to bottom; the same is below in words"));
            }
            details { summary { "In words" } pre tabindex="0" { (text::draw(timeline, WIDTH)) } }
        }
    }
}
