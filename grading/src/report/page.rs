//! What all pages have: the head with its content security policy, the style, the script.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::escape;

/// The style of every page.
const STYLE: &str = include_str!("style.css");

/// A page: its title, its script if it has one, and what stands in its body.
#[must_use]
pub fn page(title: &str, script: Option<&str>, body: &Markup) -> String {
    let scripts = script.map_or("'none'".to_owned(), source);
    // Images are the page's own, as data; everything else would have to be fetched.
    let policy = format!("default-src 'none'; style-src {}; script-src {scripts}; img-src data:; base-uri 'none'; form-action 'none'", source(STYLE));
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (text(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                @if let Some(script) = script {
                    script { (PreEscaped(script)) }
                }
            }
        }
    };
    page.into_string() + "\n"
}

/// A style or script as a content security policy names it.
fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

/// Text as a page shows it: nothing in it can turn the direction of writing, or hide. Maud escapes it for HTML.
#[must_use]
pub fn text(text: &str) -> String {
    escape::shown(text)
}

/// The course's own text, in which backquotes stand around code.
#[must_use]
pub fn prose(prose: &str) -> Markup {
    html! {
        @for (place, part) in prose.split('`').enumerate() {
            @if place % 2 == 1 { code { (text(part)) } } @else { (text(part)) }
        }
    }
}

/// The name of a student: on one line, and without influence on what stands beside it.
#[must_use]
pub fn name(name: &str) -> Markup {
    html! { bdi { (text(name).replace('\n', "\\n").replace('\t', "\\t")) } }
}

/// A link's target for a file name that [`crate::run::names`] made: the percent sign is all that an address would take for something else.
#[must_use]
pub fn address(file: &str) -> String {
    file.replace('%', "%25")
}

/// A number and its noun.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_digests_of_what_the_page_holds() {
        let page = page("<t>", Some("1;"), &html! { p { (text("<&\u{202e}")) } });
        let digest = STANDARD.encode(Sha256::digest(b"1;"));
        assert!(page.contains(&format!("script-src 'sha256-{digest}'")) && page.contains("<script>1;</script>"));
        assert!(page.contains("<title>&lt;t&gt;</title>") && page.contains("&lt;&amp;\\u{202e}"));
    }

    #[test]
    fn style_and_script_cannot_end_early() {
        assert!(!STYLE.contains("</"));
        assert_eq!(address("a%20b"), "a%2520b");
    }
}
