//! Pages that people look at: overview, matrix, services, checks, incidents, and the rest; made of what `query` answers.
//!
//! A page is parts ([`Part`]); each is HTML of its own, so that what changed can be sent alone ([`live`]). Everything that
//! a page shows stands in its address ([`Address`]): whoever has the address sees the same. Invariant: templates escape
//! what they are given; what they put in as it is was made by `chart` or by a template. Absent on purpose: HTTP and who may
//! see what, which `api` knows; what figures mean.

pub mod address;
pub mod assets;
pub mod live;
mod pages;
mod shown;

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::control::Role;
use crate::delivery::Held;
use crate::query::{Query, QueryError};

pub use address::Address;
use shown::{Piece, pieces};

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum NoPage {
    /// What is asked about is not there, or cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Its address says something that cannot be.
    #[error("{0}")]
    Wrong(String),
    /// A template failed, which is a defect.
    #[error("the page cannot be written: {0}")]
    Template(#[from] askama::Error),
}

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// As it is shown; empty when nobody is signed in.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// In which zone they are, where they say; else the organisation's counts.
    pub zone: Option<TimeZone>,
    /// What forms of theirs show, so that no other site can send one; empty where there is no session.
    pub csrf: String,
}

/// What pages are made of.
pub struct Sources<'a> {
    /// Answers.
    pub query: &'a Query,
    /// Messages that wait.
    pub held: Vec<Held>,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its heading.
    pub title: String,
    /// Under which entry of the navigation it stands.
    pub under: &'static str,
    /// What it stands below: words and address.
    pub crumbs: Vec<(String, String)>,
    /// From top to bottom.
    pub parts: Vec<Part>,
}

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// No other part of the page has it.
    pub id: &'static str,
    /// Made of this template.
    pub html: String,
    /// Whether it is sent again when it changed. Not of forms: somebody may be writing.
    pub is_live: bool,
}

impl Part {
    /// One that is sent again when it changes.
    ///
    /// # Errors
    /// When the template fails.
    fn live(id: &'static str, template: &impl Template) -> Result<Self, askama::Error> {
        Ok(Self { id, html: template.render()?, is_live: true })
    }

    /// One that stays as it was.
    ///
    /// # Errors
    /// When the template fails.
    fn fixed(id: &'static str, template: &impl Template) -> Result<Self, askama::Error> {
        Ok(Self { id, html: template.render()?, is_live: false })
    }

    /// Tells whether it is another than before: 16 hexadecimal digits.
    pub fn hash(&self) -> String {
        assets::hash(self.html.as_bytes())
    }
}

/// Makes the page of an address.
///
/// # Errors
/// When it is about something that is not there, or that cannot be read.
pub fn page(
    sources: &Sources<'_>,
    viewer: &Viewer,
    address: &Address,
    now: Timestamp,
) -> Result<Page, NoPage> {
    pages::page(&pages::Asked { sources, viewer, address, now })
}

/// An entry of the navigation.
struct Entry {
    words: &'static str,
    address: &'static str,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "frame.html")]
struct Frame<'a> {
    page: &'a Page,
    viewer: &'a Viewer,
    entries: Vec<Entry>,
    zone: String,
    said_zone: String,
    style: &'static str,
    script: &'static str,
    is_live: bool,
}

/// The whole document.
///
/// # Errors
/// When the template fails.
pub fn document(page: &Page, viewer: &Viewer, zone: &TimeZone) -> Result<String, NoPage> {
    let entries = address::NAVIGATION.iter().map(|(words, address)| Entry {
        words,
        address,
        is_here: page.under == *address,
    });
    let zone = zone.iana_name().unwrap_or("UTC").to_owned();
    let frame = Frame {
        page,
        viewer,
        entries: if viewer.name.is_empty() { Vec::new() } else { entries.collect() },
        said_zone: zone.clone(),
        zone,
        style: assets::style(),
        script: assets::script(),
        is_live: page.parts.iter().any(|part| part.is_live),
    };
    Ok(frame.render()?)
}

#[derive(Template)]
#[template(path = "words.html")]
struct Words<'a> {
    words: Vec<Piece<'a>>,
    /// Where it leads on to, and what that is called.
    on: (&'static str, &'static str),
    is_bad: bool,
}

/// A page that says one thing: that there is no such page, that something was done.
///
/// # Errors
/// When the template fails.
pub fn said(title: &str, words: &str, is_bad: bool) -> Result<Page, NoPage> {
    said_leading(title, (words, is_bad), ("/", "To the overview"))
}

/// The same for whoever uses mail, and has no business on pages of operators.
///
/// # Errors
/// When the template fails.
pub fn said_to_users(title: &str, words: &str) -> Result<Page, NoPage> {
    said_leading(title, (words, true), ("/status", "How e-mail is now"))
}

fn said_leading(
    title: &str,
    (words, is_bad): (&str, bool),
    on: (&'static str, &'static str),
) -> Result<Page, NoPage> {
    let part = Part::fixed("words", &Words { words: pieces(words), on, is_bad })?;
    Ok(Page { title: title.to_owned(), under: "", crumbs: Vec::new(), parts: vec![part] })
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    to: &'a str,
    user: &'a str,
    trouble: &'a str,
    has_provider: bool,
}

/// The page at which people sign in; afterwards they go on to `to`.
///
/// # Errors
/// When the template fails.
pub fn sign_in(
    to: &str,
    (user, trouble): (&str, &str),
    has_provider: bool,
) -> Result<Page, NoPage> {
    let part = Part::fixed("sign-in", &SignIn { to, user, trouble, has_provider })?;
    Ok(Page { title: "Sign in".to_owned(), under: "", crumbs: Vec::new(), parts: vec![part] })
}

/// The zone in which a viewer is shown times.
pub fn zone_of(viewer: &Viewer, query: &Query) -> TimeZone {
    viewer.zone.clone().unwrap_or_else(|| query.zone())
}
