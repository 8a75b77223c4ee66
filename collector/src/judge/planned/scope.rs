//! What a window or a silence is about: services, vantage points, checks.
//!
//! Whatever is said must hold: `services = ["mail"], on = "site=durban"` is what belongs to the service mail and is
//! seen from Durban. Nothing said is nothing meant: everything is `on = "*"`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::definition::{Definitions, Service};
use crate::selector::{NotASelector, Selector, is_match};

/// Services or checks in one scope at most.
const MAX_NAMES: usize = 64;
/// Bytes of a name or a pattern at most.
const MAX_NAME_BYTES: usize = 128;

/// What something is about; every part that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Names of services, of which one is enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// A selector: at which vantage points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Names of checks, of which one is enough; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
}

/// Where, and by what, something was seen.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The services that it belongs to.
    pub services: &'a [&'a str],
    /// The vantage point's name.
    pub agent: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// The check's name.
    pub check: &'a str,
}

/// Why a scope cannot be one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Nothing is meant.
    #[error(
        "say what it is about: --service NAME, --on SELECTOR or --check NAME; --on \"*\" is everything"
    )]
    Empty,
    /// A service that there is not.
    #[error("there is no service called {name}: there are {known}")]
    NoSuchService {
        /// As it was called.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The selector is none.
    #[error("--on {0}")]
    Selector(#[from] NotASelector),
    /// Too much for one.
    #[error(
        "names more than {MAX_NAMES} services or checks, or one of more than {MAX_NAME_BYTES} bytes: use * or a selector"
    )]
    Long,
}

impl Scope {
    /// Whether it can be one, where these services are defined.
    ///
    /// # Errors
    /// When it means nothing, or names what there is not.
    pub fn check(&self, definitions: &Definitions) -> Result<(), ScopeError> {
        if self.services.is_empty() && self.checks.is_empty() && self.on.is_none() {
            return Err(ScopeError::Empty);
        }
        let names = || self.services.iter().chain(&self.checks);
        let is_long = |name: &String| name.is_empty() || name.len() > MAX_NAME_BYTES;
        if self.services.len().max(self.checks.len()) > MAX_NAMES || names().any(is_long) {
            return Err(ScopeError::Long);
        }
        self.on.as_deref().map(str::parse::<Selector>).transpose()?;
        self.services.iter().try_for_each(|name| known_service(definitions, name))
    }

    /// For people: `mail, dns; on site=durban; checks posture*`.
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        if !self.services.is_empty() {
            parts.push(self.services.join(", "));
        }
        match self.on.as_deref() {
            Some("*") if self.services.is_empty() && self.checks.is_empty() => {
                parts.push("everything".to_owned());
            }
            Some("*") | None => {}
            Some(on) => parts.push(format!("on {on}")),
        }
        if !self.checks.is_empty() {
            parts.push(format!("checks {}", self.checks.join(", ")));
        }
        parts.join("; ")
    }
}

/// Whether there is a service of this name.
///
/// # Errors
/// When there is none: says which there are.
pub fn known_service(definitions: &Definitions, name: &str) -> Result<(), ScopeError> {
    if definitions.service(name).is_some() {
        return Ok(());
    }
    let names: Vec<_> = definitions.services.iter().map(|service| service.name.as_str()).collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    let mut known = names.into_iter().take(MAX_NAMES).collect::<Vec<_>>().join(", ");
    if known.is_empty() {
        known = "none yet".to_owned();
    } else if more > 0 {
        known.push_str(&format!(" and {more} more"));
    }
    Err(ScopeError::NoSuchService { name: name.to_owned(), known })
}

/// A scope, ready to be asked. A selector that is none selects nobody: it was refused when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    scope: Scope,
    on: Option<Option<Selector>>,
}

impl Reach {
    pub(super) fn new(scope: &Scope) -> Self {
        Self { scope: scope.clone(), on: scope.on.as_deref().map(|on| on.parse().ok()) }
    }

    /// Whether it is about what was seen there.
    pub(super) fn touches(&self, place: &Place<'_>) -> bool {
        let Scope { services, checks, .. } = &self.scope;
        let has_service = services.is_empty()
            || services.iter().any(|one| place.services.contains(&one.as_str()));
        let has_check =
            checks.is_empty() || checks.iter().any(|pattern| is_match(pattern, place.check));
        let is_there = match &self.on {
            None => true,
            Some(on) => on.as_ref().is_some_and(|on| on.selects(place.agent, place.labels)),
        };
        has_service && has_check && is_there
    }

    /// Whether nothing of a service lies outside it, whichever agents and checks there may be: it names the service
    /// or no service; its patterns cover every pattern of the service's checks; its selector asks for nothing that
    /// the service's own does not ask for.
    pub(super) fn holds_all_of(&self, service: &Service) -> bool {
        let Scope { services, checks, .. } = &self.scope;
        let has_service = services.is_empty() || services.contains(&service.name);
        // A pattern that matches another, stars and all, matches whatever that one does: only a star takes a star.
        let is_held = |theirs: &String| checks.iter().any(|ours| is_match(ours, theirs));
        let has_checks = checks.is_empty() || service.checks.iter().all(is_held);
        let is_everywhere = match &self.on {
            None => true,
            Some(on) => on
                .as_ref()
                .zip(service.on.parse::<Selector>().ok())
                .is_some_and(|(ours, theirs)| ours.includes(&theirs)),
        };
        has_service && has_checks && is_everywhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(services: &[&str], on: &str, checks: &[&str]) -> Scope {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let on = (!on.is_empty()).then(|| on.to_owned());
        Scope { services: own(services), on, checks: own(checks) }
    }

    #[test]
    fn every_part_that_is_said_must_hold() {
        let labels = [("site".to_owned(), "durban".to_owned())].into();
        let place =
            Place { services: &["mail", "all"], agent: "b1", labels: &labels, check: "mail-1" };
        for (scope, expected) in [
            (scope(&["mail"], "", &[]), true),
            (scope(&["dns", "all"], "", &[]), true),
            (scope(&["dns"], "", &[]), false),
            (scope(&[], "site=durban", &[]), true),
            (scope(&[], "site=cape", &[]), false),
            (scope(&[], "=", &[]), false),
            (scope(&[], "*", &[]), true),
            (scope(&[], "", &["mail-*"]), true),
            (scope(&[], "", &["imap", "mail"]), false),
            (scope(&["mail"], "site=cape", &[]), false),
            (scope(&["mail"], "name=b1", &["mail-1"]), true),
        ] {
            assert_eq!(Reach::new(&scope).touches(&place), expected, "{scope:?}");
        }
    }

    #[test]
    fn a_part_of_a_service_is_not_all_of_it() {
        let mut service = Service::of_check("mail", "round-trip");
        service.checks = vec!["mail-*".to_owned(), "imap".to_owned()];
        service.on = "site=durban, network!=lte".to_owned();
        for (scope, expected) in [
            (scope(&["mail"], "", &[]), true),
            (scope(&["dns"], "", &[]), false),
            (scope(&[], "*", &[]), true),
            (scope(&[], "site=durban", &[]), true),
            (scope(&[], "network!=lte", &[]), true),
            (scope(&[], "site=durban|cape", &[]), true),
            (scope(&[], "site=d*", &[]), true),
            (scope(&[], "site=cape", &[]), false),
            (scope(&[], "site=durban, network=lte", &[]), false),
            (scope(&[], "site=durban, name=b1", &[]), false),
            (scope(&[], "network!=l*", &[]), false),
            (scope(&[], "site", &[]), true),
            (scope(&[], "", &["mail-*", "imap"]), true),
            (scope(&[], "", &["*"]), true),
            (scope(&[], "", &["mail-1", "imap"]), false),
            (scope(&[], "", &["mail-*"]), false),
            (scope(&["mail"], "site=durban", &["m*", "i*"]), true),
        ] {
            assert_eq!(Reach::new(&scope).holds_all_of(&service), expected, "{scope:?}");
        }
    }

    #[test]
    fn what_is_no_scope() {
        let definitions = Definitions::implicit([("mail", "round-trip"), ("dns", "dns")]);
        for (scope, words) in [
            (scope(&[], "", &[]), "--on \"*\" is everything"),
            (scope(&["post"], "", &[]), "no service called post: there are dns, mail"),
            (scope(&[], "site=", &[]), "--on \"site=\" is no term"),
            (scope(&[], "", &["a"; 65]), "use * or a selector"),
        ] {
            let error = scope.check(&definitions).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let whole = scope(&["mail", "dns"], "site=durban", &["m*"]);
        whole.check(&definitions).unwrap();
        assert_eq!(whole.words(), "mail, dns; on site=durban; checks m*");
        assert_eq!(scope(&[], "*", &[]).words(), "everything");
    }
}
