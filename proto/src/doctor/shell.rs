//! Commands to be copied: a path in them is one word for a shell, whatever somebody called the file.
//!
//! Invariant: what stands in a command survives the page, which puts texts on one line and takes out what steers a
//! terminal. So a name that the page would change is told by its bytes.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path as one word of a POSIX shell.
pub fn quoted(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    // a name that begins so would be an option
    let ahead = if bytes.starts_with(b"-") { "./" } else { "" };
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._/-".contains(byte);
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && bytes.iter().all(is_plain) => format!("{ahead}{text}"),
        Ok(text) if is_kept(text) => format!("'{ahead}{}'", text.replace('\'', r"'\''")),
        _ => by_bytes(ahead, bytes),
    }
}

/// Several paths, each a word.
pub fn all_quoted<P: AsRef<Path>>(paths: &[P]) -> String {
    paths.iter().map(|path| quoted(path.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Whether the page shows it as it is.
fn is_kept(text: &str) -> bool {
    let is_shown = |letter: char| {
        letter.is_alphanumeric() || letter == ' ' || (letter.is_ascii_graphic() && letter != '`')
    };
    text.chars().all(is_shown) && !text.contains("  ")
}

/// What printf(1) makes of it; a shell takes away newlines at its end, so that a folder's slash stands behind those: no
/// file is meant by that, and none other either.
fn by_bytes(ahead: &str, bytes: &[u8]) -> String {
    let mut told = ahead.to_owned();
    for byte in bytes {
        match byte {
            b'%' => told.push_str("%%"),
            byte if byte.is_ascii_alphanumeric() || b"._/-".contains(byte) => {
                told.push(char::from(*byte));
            }
            // writing to a String does not fail
            byte => write!(told, "\\{byte:03o}").unwrap_or_default(),
        }
    }
    let behind = if bytes.ends_with(b"\n") { "/" } else { "" };
    format!("\"$(printf '{told}{behind}')\"")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::process::Command;

    use super::*;

    #[test]
    fn what_is_harmless_stays_as_it_is() {
        for (path, text) in [
            ("/var/lib/mailsonde-agent/token.key", "/var/lib/mailsonde-agent/token.key"),
            ("-rf", "./-rf"),
            ("/a b", "'/a b'"),
            ("/it's", r"'/it'\''s'"),
            ("/a`b", r#""$(printf '/a\140b')""#),
            ("/a  b", r#""$(printf '/a\040\040b')""#),
            ("", "''"),
        ] {
            assert_eq!(quoted(Path::new(path)), text);
        }
    }

    #[test]
    fn a_shell_gets_the_name_and_carries_out_nothing() {
        let names: [&[u8]; 9] = [
            b"a $(touch pwn);b.toml",
            b"it's \"so\"",
            b"back`tick`",
            b"two  spaces",
            b"line\nbreak",
            b"tab\tand \x1b[2J",
            b"\xff\xfe not utf-8 100%",
            b"- -x",
            "\u{e4}\u{202e}".as_bytes(),
        ];
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let command = format!("printf '%s' {}", quoted(Path::new(OsStr::from_bytes(name))));
            // as the page shows it
            let shown = command.split_whitespace().collect::<Vec<_>>().join(" ");
            let mut shell = Command::new("sh");
            let output = shell.args(["-c", &shown]).current_dir(&folder).output().unwrap();
            let got = output.stdout.strip_prefix(b"./").unwrap_or(&output.stdout);
            assert_eq!(got, name, "{shown}");
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{shown}");
        }
    }
}
