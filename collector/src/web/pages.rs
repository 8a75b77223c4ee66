//! The pages, one file each.

mod agents;
mod checks;
mod dns;
mod incidents;
mod maintenance;
mod matrix;
mod notices;
mod overview;
mod run;
mod service;
mod sla;

use jiff::Timestamp;

use super::address::{Address, RANGES, Span, What};
use super::shown::When;
use super::{NoPage, Page, Part, Sources, Viewer, zone_of};
use crate::control::Role;
use crate::query::Query;

/// What is asked, and by whom.
pub(super) struct Asked<'a> {
    pub(super) sources: &'a Sources<'a>,
    pub(super) viewer: &'a Viewer,
    pub(super) address: &'a Address,
    pub(super) now: Timestamp,
}

impl Asked<'_> {
    fn query(&self) -> &Query {
        self.sources.query
    }

    fn when(&self) -> When {
        When { now: self.now, zone: zone_of(self.viewer, self.query()) }
    }

    /// Whether buttons that change something are shown.
    fn may_act(&self) -> bool {
        self.viewer.role >= Role::Operator && !self.viewer.csrf.is_empty()
    }

    /// The times that can be chosen, the one that is looked at marked.
    fn ranges(&self, span: &Span) -> Vec<Choice> {
        let choice = |(name, words, _): &(&'static str, &'static str, i64)| Choice {
            words,
            address: self
                .address
                .with("from", "")
                .with("until", "")
                .with("range", name)
                .to_string(),
            is_chosen: span.name == Some(name),
        };
        RANGES.iter().map(choice).collect()
    }
}

/// One of several.
struct Choice {
    words: &'static str,
    address: String,
    is_chosen: bool,
}

pub(super) fn page(asked: &Asked<'_>) -> Result<Page, NoPage> {
    match &asked.address.what {
        What::Overview => overview::page(asked),
        What::Matrix => matrix::page(asked),
        What::Service(name) => service::page(asked, name),
        What::Checks => checks::list(asked),
        What::Check(check, agent) => checks::page(asked, check, agent),
        What::Dns => dns::page(asked),
        What::Incidents => incidents::list(asked),
        What::Incident(number) => incidents::page(asked, *number),
        What::Maintenance => maintenance::page(asked),
        What::Agents => agents::list(asked),
        What::Agent(name) => agents::page(asked, name),
        What::Notices => notices::page(asked),
        What::Sla => sla::page(asked),
        What::Agreement(name) => sla::explained(asked, name),
    }
}

/// A page of these parts, at the top level.
fn top(title: &str, under: &'static str, parts: Vec<Part>) -> Page {
    Page { title: title.to_owned(), under, crumbs: Vec::new(), parts }
}

/// Words and address of a crumb.
fn crumb(words: &str, what: What) -> (String, String) {
    (words.to_owned(), what.to_string())
}
