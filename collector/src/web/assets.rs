//! The files that pages load: in the binary, under names that say what is in them, so that browsers keep them for ever.

use std::sync::LazyLock;

use ring::digest::{SHA256, digest};

const STYLE: &str = include_str!("../../assets/style.css");
const SCRIPT: &str = include_str!("../../assets/app.js");
const STATUS_SCRIPT: &str = include_str!("../../assets/status.js");
const ICON: &str = include_str!("../../assets/icon.svg");

static STYLE_NAME: LazyLock<String> =
    LazyLock::new(|| format!("style.{}.css", hash(STYLE.as_bytes())));
static SCRIPT_NAME: LazyLock<String> =
    LazyLock::new(|| format!("app.{}.js", hash(SCRIPT.as_bytes())));

static STATUS_SCRIPT_NAME: LazyLock<String> =
    LazyLock::new(|| format!("status.{}.js", hash(STATUS_SCRIPT.as_bytes())));

/// A file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its media type.
    pub kind: &'static str,
    /// What is in it.
    pub text: &'static str,
    /// Whether its name tells what is in it.
    pub is_for_ever: bool,
}

/// The style sheet's name.
pub fn style() -> &'static str {
    &STYLE_NAME
}

/// The script's name.
pub fn script() -> &'static str {
    &SCRIPT_NAME
}

/// The name of the script of the page for users.
pub fn status_script() -> &'static str {
    &STATUS_SCRIPT_NAME
}

/// The file of a name.
pub fn asset(name: &str) -> Option<Asset> {
    let found = |kind, text, is_for_ever| Some(Asset { kind, text, is_for_ever });
    match name {
        name if name == style() => found("text/css; charset=utf-8", STYLE, true),
        name if name == script() => found("text/javascript; charset=utf-8", SCRIPT, true),
        name if name == status_script() => {
            found("text/javascript; charset=utf-8", STATUS_SCRIPT, true)
        }
        "icon.svg" => found("image/svg+xml", ICON, false),
        _ => None,
    }
}

/// The first 64 bits of SHA-256, as 16 hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    hex::encode(digest.as_ref().get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_names_that_say_what_is_in_them() {
        for name in [style(), script(), status_script(), "icon.svg"] {
            assert!(asset(name).is_some(), "{name}");
        }
        assert!(style().contains(&hash(STYLE.as_bytes())));
        assert!(asset("style.css").is_none() && asset("../style.css").is_none());
    }
}
