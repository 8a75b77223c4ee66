//! The terms of everything that is linked in: each library with its licence, and every text once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::linked::{Key, Library, Linked};

/// What files with terms are called, in small letters.
const NAMES: [&str; 7] =
    ["license", "licence", "copying", "copyright", "notice", "unlicense", "ofl"];
/// Larger ones hold something else.
const LARGEST: u64 = 256 << 10;

/// For libraries that name this licence and bring no file with it.
const MIT: &str = "\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the \"Software\"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";

/// The list, then the texts; `apache` is the text of the Apache License 2.0.
///
/// # Errors
/// When a library has no terms that are known here.
pub(crate) fn texts(linked: &Linked, rustc: &str, apache: &str) -> anyhow::Result<String> {
    let mut by_text: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = format!("rust-std {rustc}: MIT OR Apache-2.0\n");
    by_text.entry(tidy(apache)).or_default().push(format!("rust-std {rustc}"));
    for (key, library) in &linked.libraries {
        let (name, version) = key;
        let own = own_texts(&library.folder)
            .with_context(|| format!("the files of {name} {version} cannot be read"))?;
        let texts = if own.is_empty() { vec![standard(key, library, apache)?] } else { own };
        for text in texts {
            by_text.entry(text).or_default().push(format!("{name} {version}"));
        }
        let home = library.repository.as_deref().unwrap_or("no address");
        list.push_str(&format!("{name} {version}: {} ({home})\n", library.licence));
    }
    let mut told = format!(
        "What is linked into this program beside its own code, and under which licence. The texts follow, each\n\
         with those whose it is.\n\n{list}"
    );
    for (text, whose) in by_text {
        let rule = "-".repeat(100);
        told.push_str(&format!("\n{rule}\n{}\n{rule}\n\n{text}", whose.join(", ")));
    }
    Ok(told)
}

/// Debian's own file, machine-readable (copyright format 1.0), with the year of what was committed.
pub(crate) fn copyright(linked: &Linked, maintainer: &str, at: Timestamp) -> String {
    let libraries = linked.libraries.len();
    let year = at.to_zoned(TimeZone::UTC).year();
    format!(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\
         Upstream-Name: Mailsonde\n\
         Upstream-Contact: {maintainer}\n\
         Comment:\n \
         {libraries} libraries are linked into this program: third-party.txt.gz in this folder names each with its\n \
         licence and has all texts, sbom.cdx.json.gz is the same for machines (CycloneDX).\n\
         \n\
         Files: *\n\
         Copyright: {year} the authors of Mailsonde\n\
         License: Apache-2.0\n\
         \n\
         License: Apache-2.0\n \
         Licensed under the Apache License, Version 2.0 (the \"License\"); you may not use these files except in\n \
         compliance with the License. Unless required by applicable law or agreed to in writing, software\n \
         distributed under the License is distributed on an \"AS IS\" BASIS, WITHOUT WARRANTIES OR CONDITIONS OF ANY\n \
         KIND, either express or implied. See the License for the specific language governing permissions and\n \
         limitations under the License.\n \
         .\n \
         On Debian systems its text is in /usr/share/common-licenses/Apache-2.0; it also stands in\n \
         third-party.txt.gz in this folder.\n"
    )
}

/// The texts that a library brings, in its folder or one below: vendored code has terms of its own.
fn own_texts(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut texts = Vec::new();
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            let mut below = fs::read_dir(&path)?.collect::<Result<Vec<_>, _>>()?;
            below.sort_by_key(fs::DirEntry::file_name);
            texts.extend(below.iter().filter_map(|entry| text_of(&entry.path())));
        } else {
            texts.extend(text_of(&path));
        }
    }
    Ok(texts)
}

/// The text of a file that is called like terms, and is none of code.
fn text_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    let is_code = [".rs", ".toml", ".py", ".json", ".html"].iter().any(|end| name.ends_with(end));
    let is_called_so = NAMES.iter().any(|begin| name.starts_with(begin));
    let facts = fs::metadata(path).ok()?;
    if is_code || !is_called_so || !facts.is_file() || facts.len() > LARGEST {
        return None;
    }
    let text = tidy(&String::from_utf8_lossy(&fs::read(path).ok()?));
    (text.len() > 200 || name.starts_with("notice") || name.starts_with("copyright"))
        .then_some(text)
}

/// The text of the licence that a library names without bringing it.
fn standard((name, version): &Key, library: &Library, apache: &str) -> anyhow::Result<String> {
    let authors = match library.authors.as_slice() {
        [] => format!("the authors of {name}"),
        authors => authors.join(", "),
    };
    if library.licence.contains("MIT") {
        return Ok(format!("Copyright (c) {authors}\n\n{MIT}"));
    }
    if library.licence.contains("Apache-2.0") {
        return Ok(tidy(apache));
    }
    bail!(
        "{name} {version} says {:?} and brings no text of it: add that to deploy/src/licences.rs",
        library.licence
    )
}

/// Without what editors leave behind.
fn tidy(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    format!("{}\n", lines.join("\n").trim_matches('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linked::tests::agent;

    #[test]
    fn every_library_is_listed_with_a_text() {
        let linked = agent();
        let told = texts(&linked, "1.95.0", "Apache License\nVersion 2.0\n").unwrap();
        let (list, texts) = told.split_once(&"-".repeat(100)).unwrap();
        for (name, version) in linked.libraries.keys() {
            let named = format!("{name} {version}");
            assert!(list.contains(&format!("\n{named}: ")), "{named} is listed");
            assert!(texts.contains(&named), "{named} has a text");
        }
        assert!(texts.contains("BSD License"), "zstd's own, below its folder");
        assert!(!told.contains(env!("CARGO_MANIFEST_DIR")));
    }

    #[test]
    fn terms_that_nobody_knows_are_not_shipped() {
        let folder = tempfile::tempdir().unwrap();
        let library = |licence: &str| Library {
            licence: licence.to_owned(),
            authors: vec!["Ann".into()],
            repository: None,
            sha256: None,
            folder: folder.path().to_owned(),
        };
        let key = ("some".to_owned(), "1.0.0".to_owned());
        let text = |licence: &str| standard(&key, &library(licence), "APACHE");
        assert!(text("MIT OR Apache-2.0").unwrap().starts_with("Copyright (c) Ann\n"));
        assert_eq!(text("Apache-2.0").unwrap(), "APACHE\n");
        assert!(text("Strange-1.0").unwrap_err().to_string().contains("some 1.0.0"));
    }
}
