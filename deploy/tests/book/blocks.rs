//! Fenced blocks of the book, read by the tests of every crate; the words of their command lines.
//!
//! Every crate stands beside `deploy`, and takes this file by its path. Absent on purpose: what a block must be.

#![allow(dead_code, reason = "each crate looks at something else")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "of tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The page's file, from the book's `src`.
    pub(crate) page: String,
    /// Where it begins.
    pub(crate) line: usize,
    /// The language, such as `sh`; empty where none is said.
    pub(crate) language: String,
    /// What is said after it, such as `run` or `agent`.
    pub(crate) role: String,
    /// What stands in it.
    pub(crate) text: String,
}

impl Block {
    /// Where it is, for messages.
    pub(crate) fn place(&self) -> String {
        format!("deploy/book/src/{}:{}", self.page, self.line)
    }
}

/// The folder of the pages.
pub(crate) fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/book/src")
}

/// Every page with its text, by name.
pub(crate) fn pages() -> Vec<(String, String)> {
    let mut pages = Vec::new();
    gather(&source(), "", &mut pages);
    pages.sort();
    pages
}

fn gather(folder: &Path, before: &str, pages: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{before}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            gather(&path, &format!("{name}/"), pages);
        } else if name.ends_with(".md") {
            pages.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The blocks of every page, in their order.
pub(crate) fn blocks() -> Vec<Block> {
    pages().iter().flat_map(|(page, text)| blocks_of(page, text)).collect()
}

/// The blocks of one text.
pub(crate) fn blocks_of(page: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (Some(info), None) => {
                let (language, role) = info.trim().split_once(' ').unwrap_or((info.trim(), ""));
                open = Some(Block {
                    page: page.to_owned(),
                    line: at + 1,
                    language: language.to_owned(),
                    role: role.trim().to_owned(),
                    text: String::new(),
                });
            }
            (None, None) => {
                assert!(
                    !line.trim_start().starts_with("```"),
                    "{page}:{}: a block is not indented",
                    at + 1
                );
            }
        }
    }
    assert!(open.is_none(), "{page}: a block does not end");
    blocks
}

/// The commands of every `sh` block that begin with this program, as words, with their places.
pub(crate) fn commands_of(program: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for block in blocks().into_iter().filter(|block| block.language == "sh") {
        for words in commands(&block.text) {
            if words.first().is_some_and(|first| first == program) {
                found.push((block.place(), words));
            }
        }
    }
    found
}

/// The commands of a script, as words: without comments, redirections, pipes and quotes.
pub(crate) fn commands(script: &str) -> Vec<Vec<String>> {
    let script = script.replace("\\\n", " ");
    script.lines().flat_map(line_commands).collect()
}

fn line_commands(line: &str) -> Vec<Vec<String>> {
    let (mut found, mut words) = (Vec::new(), Vec::<String>::new());
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '|' | ';' | '&') => {
                words.extend(word.take());
                found.push(std::mem::take(&mut words));
            }
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    found.push(words);
    let found = found.into_iter().map(without_redirections).map(as_oneself);
    found.filter(|words| !words.is_empty()).collect()
}

/// What somebody else is to run, or is run in another environment, is the command.
fn as_oneself(words: Vec<String>) -> Vec<String> {
    let is_sudo = words.len() > 3 && words[0] == "sudo" && words[1] == "-u";
    let words = if is_sudo { words[3..].to_vec() } else { words };
    if words.first().is_none_or(|first| first != "env") {
        return words;
    }
    words.into_iter().skip(1).skip_while(|word| word.contains('=')).collect()
}

fn without_redirections(words: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.trim_start_matches(|c: char| c.is_ascii_digit()) {
            // what follows is the file
            ">" | ">>" | "<" => drop(words.next()),
            redirected if redirected.starts_with(['>', '<']) => {}
            _ => kept.push(word),
        }
    }
    kept
}
