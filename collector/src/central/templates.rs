//! Reads `templates`: what operators put in the place of the program's own drafts. It is read whenever a draft is made.
//!
//! A file that cannot be read or used is told, and never keeps a draft from being made.

use std::fs;
use std::io;
use std::path::Path;

use crate::judge::draft::{MAX_TEMPLATE_BYTES, Templates, is_template};

/// The folder's name in the collector's folder.
pub const FOLDER: &str = "templates";
/// Entries of the folder that are looked at.
const MAX_ENTRIES: usize = 1_000;

/// Every template in a folder; one that is not there holds none.
pub fn read_templates(folder: &Path) -> Templates {
    let mut templates = Templates::default();
    for name in names(folder).into_iter().filter(|name| is_template(name)) {
        match text(&folder.join(&name)) {
            Ok(source) => templates.put(&name, source),
            Err(words) => templates.put_unreadable(&name, words),
        }
    }
    templates
}

/// Everything that is wrong with a folder's templates, a line each: those that cannot be used, and files that are none.
pub fn template_mistakes(folder: &Path) -> Vec<String> {
    let names = names(folder);
    let is_hidden = |name: &&String| name.starts_with('.') || name.ends_with('~');
    let strange = names.iter().filter(|name| !is_template(name) && !is_hidden(name)).map(|name| {
        format!(
            "{FOLDER}/{name}: no draft is made by it: name it such as users-first.txt (technical, management, users or \
             public; first, update or all-clear)"
        )
    });
    let broken = read_templates(folder).broken();
    let broken = broken.iter().map(|broken| format!("{broken}; the built-in template is used"));
    broken.chain(strange).collect()
}

/// In order; what cannot be read is as if it were not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_ENTRIES);
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn text(path: &Path) -> Result<String, String> {
    let cannot = |error: io::Error| format!("cannot be read: {error}");
    let metadata = fs::metadata(path).map_err(cannot)?;
    if !metadata.is_file() {
        return Err("is not a file".to_owned());
    }
    if metadata.len() > MAX_TEMPLATE_BYTES {
        return Err(format!("holds more than {} KiB", MAX_TEMPLATE_BYTES >> 10));
    }
    fs::read_to_string(path).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_right() {
        let folder = tempfile::tempdir().unwrap();
        let example = include_str!("../../../deploy/examples/templates/users-first.txt");
        fs::write(folder.path().join("users-first.txt"), example).unwrap();
        assert!(!read_templates(folder.path()).is_empty());
        assert_eq!(template_mistakes(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        assert!(template_mistakes(&folder.path().join("none")).is_empty());
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("users-first.txt", "{{ clause }}\n\n{{ since }}\n");
        put(
            "users-update.txt",
            "{{ clause }}\n\n{% for change in changed %}\n{{ change.when }}\n{% endfor %}\n",
        );
        put("public-first.txt", "{{ clause }\n");
        put("user-first.txt", "x");
        put(".swp", "x");
        put("management-first.txt", &"x".repeat(70_000));
        let told = template_mistakes(folder.path());
        insta::assert_snapshot!(told.join("\n"), @r"
        templates/management-first.txt: holds more than 64 KiB; the built-in template is used
        templates/users-update.txt:4: undefined value; the built-in template is used
        templates/public-first.txt:1: syntax error: unexpected `}`, expected end of variable block; the built-in template is used
        templates/user-first.txt: no draft is made by it: name it such as users-first.txt (technical, management, users or public; first, update or all-clear)
        ");
    }
}
