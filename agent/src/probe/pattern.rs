//! Regular expressions as settings.

use regex::{Regex, RegexBuilder};

use super::Section;

/// The largest program that an expression may become, in bytes.
const LARGEST: usize = 256 * 1024;

/// Reads a regular expression, in the syntax of Rust's `regex`; a mistake where it is none.
pub(crate) fn read(section: &mut Section<'_>, key: &str) -> Option<Regex> {
    let text = section.text(key)?;
    match RegexBuilder::new(&text).size_limit(LARGEST).build() {
        Ok(expression) => Some(expression),
        Err(error) => {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            section.mistake(key, format!("{key} is not a regular expression: {why}"));
            None
        }
    }
}
