//! The templates that drafts are made by: those in the program, and those that operators put in their place.
//!
//! A template's first line is the subject, all after it is the text. The syntax is Jinja's; what a template may name are the
//! fields of [`Facts`], and a name that there is not is a mistake, so that nothing goes out with a hole in it. Invariant: a
//! draft comes out whatever operators wrote: of a template that is broken, the one in the program takes the place.
//! Absent on purpose: files.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use minijinja::{Environment, UndefinedBehavior};

use super::{Audience, Facts, Moment};

/// Bytes of a template at most.
pub const MAX_TEMPLATE_BYTES: u64 = 64 * 1_024;
/// Bytes of a draft at most: loops in loops make much of little.
const MAX_DRAFT_BYTES: usize = 64 * 1_024;
/// Steps of a template at most: a loop that makes no text ends too.
const MAX_STEPS: u64 = 200_000;
/// A template's values lie no deeper in one another.
const MAX_DEPTH: usize = 50;

/// Every template in the program, by its file's name.
const BUILT_IN: [(&str, &str); 12] = [
    ("technical-first.txt", include_str!("templates/technical-first.txt")),
    ("technical-update.txt", include_str!("templates/technical-update.txt")),
    ("technical-all-clear.txt", include_str!("templates/technical-all-clear.txt")),
    ("management-first.txt", include_str!("templates/management-first.txt")),
    ("management-update.txt", include_str!("templates/management-update.txt")),
    ("management-all-clear.txt", include_str!("templates/management-all-clear.txt")),
    ("users-first.txt", include_str!("templates/users-first.txt")),
    ("users-update.txt", include_str!("templates/users-update.txt")),
    ("users-all-clear.txt", include_str!("templates/users-all-clear.txt")),
    ("public-first.txt", include_str!("templates/public-first.txt")),
    ("public-update.txt", include_str!("templates/public-update.txt")),
    ("public-all-clear.txt", include_str!("templates/public-all-clear.txt")),
];

/// Operators' templates, by their files' names; of all others those in the program are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Templates {
    own: BTreeMap<String, String>,
    /// What could not be read at all.
    unreadable: BTreeMap<String, String>,
}

/// What is wrong with an operator's template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokenTemplate {
    /// Its file's name.
    pub name: String,
    /// The line, from 1; 0 where it is the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub words: String,
}

/// `templates/users-first.txt:3: unknown filter: filter b is unknown`.
impl fmt::Display for BrokenTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, line, words } = self;
        match line {
            0 => write!(f, "templates/{name}: {words}"),
            line => write!(f, "templates/{name}:{line}: {words}"),
        }
    }
}

/// Whether a file of this name is a template.
pub fn is_template(name: &str) -> bool {
    BUILT_IN.iter().any(|(known, _)| *known == name)
}

fn name_of(audience: Audience, moment: Moment) -> String {
    format!("{}-{}.txt", audience.as_str(), moment.as_str())
}

impl Templates {
    /// Those that were put in force, by their files' names.
    pub fn of(own: BTreeMap<String, String>) -> Self {
        Self { own, unreadable: BTreeMap::new() }
    }

    /// The operators', by their files' names.
    pub fn into_own(self) -> BTreeMap<String, String> {
        self.own
    }

    /// Whether operators have one of their own for this.
    pub(crate) fn has_own(&self, audience: Audience, moment: Moment) -> bool {
        self.own.contains_key(&name_of(audience, moment))
    }

    /// Puts an operator's template in the place of the one of its name.
    pub fn put(&mut self, name: &str, source: String) {
        self.own.insert(name.to_owned(), source);
    }

    /// Whether operators put none in any's place.
    pub fn is_empty(&self) -> bool {
        self.own.is_empty() && self.unreadable.is_empty()
    }

    /// An operator's template is there and cannot be read: in words.
    pub fn put_unreadable(&mut self, name: &str, words: String) {
        self.unreadable.insert(name.to_owned(), words);
    }

    /// Everything that is wrong with them, as far as trying them on made-up facts shows.
    pub fn broken(&self) -> Vec<BrokenTemplate> {
        let (samples, mut found) = (Facts::made_up(), Vec::new());
        for (audience, moment) in
            Audience::ALL.into_iter().flat_map(|a| Moment::ALL.into_iter().map(move |m| (a, m)))
        {
            let mut tried = samples.iter().map(|facts| self.render(facts, audience, moment).1);
            found.extend(tried.find_map(|broken| broken));
        }
        found
    }

    /// The subject and text, and what is wrong with the operator's template where it could not be used.
    pub(super) fn render(
        &self,
        facts: &Facts,
        audience: Audience,
        moment: Moment,
    ) -> (String, Option<BrokenTemplate>) {
        let name = name_of(audience, moment);
        let own = match (self.own.get(&name), self.unreadable.get(&name)) {
            (Some(source), _) => Some(rendered(&name, source, facts)),
            (None, Some(words)) => {
                Some(Err(BrokenTemplate { name: name.clone(), line: 0, words: words.clone() }))
            }
            (None, None) => None,
        };
        let broken = match own {
            Some(Ok(text)) => return (text, None),
            Some(Err(broken)) => Some(broken),
            None => None,
        };
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        let source = built_in.map_or("", |(_, source)| *source);
        // ours are rendered in tests with everything that there may be
        let text = rendered(&name, source, facts).unwrap_or_else(|_| facts.headline.clone());
        (text, broken)
    }
}

fn rendered(name: &str, source: &str, facts: &Facts) -> Result<String, BrokenTemplate> {
    let broken = |error: minijinja::Error| BrokenTemplate {
        name: name.to_owned(),
        line: error.line().unwrap_or(0),
        words: match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        },
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_recursion_limit(MAX_DEPTH);
    environment.set_fuel(Some(MAX_STEPS));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.add_filter("sentence", sentence);
    let template = environment.template_from_named_str(name, source).map_err(broken)?;
    let mut text = Bounded::default();
    template.render_captured_to(facts, &mut text).map_err(|error| match text.is_full {
        true => BrokenTemplate {
            name: name.to_owned(),
            line: 0,
            words: format!("it makes more than {} KiB of text", MAX_DRAFT_BYTES >> 10),
        },
        false => broken(error),
    })?;
    let text = String::from_utf8_lossy(&text.bytes).into_owned();
    if text.trim().is_empty() {
        let words = "it makes no text: its first line is the subject".to_owned();
        return Err(BrokenTemplate { name: name.to_owned(), line: 0, words });
    }
    Ok(text)
}

/// With a capital letter at the beginning, the rest as it is.
fn sentence(text: String) -> String {
    let mut rest = text.chars();
    match rest.next() {
        Some(first) => first.to_uppercase().chain(rest).collect(),
        None => text,
    }
}

/// Takes so much and no more.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(more.len()) > MAX_DRAFT_BYTES {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
