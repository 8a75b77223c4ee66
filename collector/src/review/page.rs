//! The page: Markdown made HTML, charts between.
//!
//! The Markdown is ours and its texts are escaped; beyond that, raw HTML in it is text, and links and pictures lose where
//! they lead, so that not even a mistake in escaping makes the page do anything.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html::push_html};

use super::Part;
use crate::text::html;

/// Light and dark by what the reader's machine prefers; charts follow in `currentColor`.
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
h1{line-height:1.25}\
table{border-collapse:collapse;width:100%;margin:1rem 0;font-size:.9em}\
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid color-mix(in srgb,currentColor 25%,transparent)}\
td{overflow-wrap:break-word}\
svg{display:block;margin:1.5rem 0}\
@media print{body{max-width:none;margin:0}}";

/// A page of these parts.
pub(super) fn page(title: &str, parts: &[Part]) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n",
        html(title)
    );
    for part in parts {
        match part {
            Part::Text(text) => page.push_str(&made_html(text)),
            Part::Chart { chart, .. } => page.push_str(&chart.svg()),
        }
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn made_html(markdown: &str) -> String {
    let events =
        Parser::new_ext(markdown, Options::ENABLE_TABLES).filter_map(|event| match event {
            Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock)
            | Event::End(TagEnd::Link | TagEnd::Image | TagEnd::HtmlBlock) => None,
            event => Some(event),
        });
    let mut made = String::new();
    push_html(&mut made, events);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_escaping_would_miss_does_nothing_all_the_same() {
        let made = made_html(
            "a <script>alert(1)</script> [b](javascript:alert(1)) ![c](http://x.test/)\n\n<b>d</b>\n\n<http://e.test>\n",
        );
        for bad in ["<script", "href", "src", "<b>"] {
            assert!(!made.contains(bad), "{made}");
        }
        assert!(made.contains("&lt;script&gt;") && made.contains("&lt;b&gt;"), "{made}");
    }
}
