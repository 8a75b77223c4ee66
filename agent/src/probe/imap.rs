//! An IMAP server: sign-in, a folder, what is in it, and how much of the quota is used.
//!
//! Nothing is changed: the folder is only examined (RFC 9051 section 6.3.3), and of its messages only dates
//! are asked for. Absent on purpose: anything about mail on its way, which is the round trip's matter.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailsonde_proto::{Clock, Fact, Finding, Severity, WallTime};

use super::page::{self, Page, Part};
use super::stock::{self, Bounds, LIST, Stock};
use super::{Kind, Outcome, Probe, Run, Section, Setting, Surroundings};
use crate::config::server::{self, Protocol, settings};
use crate::mail::dial::{Dial, Patience, PhaseNames};
use crate::mail::endpoint::Endpoint;
use crate::mail::failure::Failure;
use crate::mail::imap::{Quota, Session};
use crate::mail::mailbox::{Mailbox, STEP};
use crate::net::Net;
use crate::posture::Rule;
use crate::stopwatch::Stopwatch;

/// The phase in which the folder is opened.
const SELECT: &str = "select";
/// The phase in which quota is asked for.
const QUOTA: &str = "quota";
/// Of a folder with more messages, the dates of so many first and as many last ones are read.
const MOST_DATES: u32 = 1_000;
/// Thresholds of quota, in percent.
const WARN_PERCENT: u8 = 80;
const CRITICAL_PERCENT: u8 = 95;

const QUOTA_HIGH: Rule = Rule {
    name: "imap.quota_high",
    severity: Severity::Warning,
    source: "RFC 9208 section 4.2.1",
    advice: "empty the mailbox or raise its quota: when it is used up, mail for it bounces",
};
const QUOTA_CRITICAL: Rule = Rule {
    name: "imap.quota_critical",
    severity: Severity::Critical,
    source: "RFC 9208 section 4.2.1",
    advice: "empty the mailbox or raise its quota: when it is used up, mail for it bounces",
};

/// All of these, for the book.
const RULES: &[&Rule] = &[&QUOTA_HIGH, &QUOTA_CRITICAL];

/// For the book.
const ABOUT: &str = "Signs in, opens one folder and looks how many messages are there, how old they are, and how \
    much of the quota is used: a queue that nobody empties, a mailbox that nothing reaches any \
    more, one that is about to be full. Nothing is changed: the folder is only examined (RFC \
    9051 section 6.3.3), and of its messages only dates are asked for.";
/// A check, for the book.
const EXAMPLE: &str = r#"[[check]]
name = "inbox"
kind = "imap"
mailbox = "main"
folder = "INBOX"
quota_warn = "80%"
every = "5m"
"#;

const PHASES: &[Part] = &[
    page::TOKEN,
    page::RESOLVE,
    page::CONNECT,
    page::TLS,
    page::GREETING,
    page::AUTH,
    Part::new(SELECT, "the folder is opened"),
    Part::new(LIST, "its messages are counted and dated"),
    Part::new(QUOTA, "the quota is asked for"),
];

/// The kind `imap`.
pub(super) struct ImapKind;

impl Kind for ImapKind {
    fn name(&self) -> &'static str {
        "imap"
    }

    fn summary(&self) -> &'static str {
        "signs in to an IMAP server and looks at a folder, its messages and the quota"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn page(&self) -> Page {
        Page { about: ABOUT, example: EXAMPLE, phases: PHASES.to_vec(), rules: RULES.to_vec() }
    }

    fn configure(
        &self,
        section: &mut Section<'_>,
        surroundings: &Surroundings,
    ) -> Option<Arc<dyn Probe>> {
        let of_mailbox = |mailbox: &Mailbox| mailbox.settings().imap().cloned();
        let endpoint = server::of_check(section, surroundings, Protocol::Imap, of_mailbox);
        let folder = section.text_or("folder", "INBOX");
        let expect_capabilities = section.texts("expect_capabilities");
        let max_unread = stock::number(section, "max_unread");
        let bounds = Bounds { max_unread, ..Bounds::read(section) };
        let (warn, critical) = (
            section.percent("quota_warn", WARN_PERCENT, 1..=100),
            section.percent("quota_critical", CRITICAL_PERCENT, 1..=100),
        );
        if warn > critical {
            section.mistake("quota_warn", "quota_warn is above quota_critical".to_owned());
        }
        stock::needs_login(section, endpoint.as_ref(), NEED_LOGIN);
        let Surroundings { net, clock, .. } = surroundings;
        let endpoint = endpoint.filter(|_| section.is_clean())?;
        Some(Arc::new(Imap {
            endpoint,
            folder,
            expect_capabilities,
            bounds,
            thresholds: (warn, critical),
            net: net.clone(),
            clock: *clock,
        }))
    }
}

/// Keys that mean nothing where nobody signs in.
const NEED_LOGIN: &[&str] = &[
    "folder",
    "max_messages",
    "min_messages",
    "max_unread",
    "max_age",
    "max_newest_age",
    "quota_warn",
    "quota_critical",
];

const SETTINGS: &[Setting] = &[
    settings::MAILBOX,
    settings::HOST,
    settings::READING_TLS,
    Setting::new("port", "number", Some("993 or 143, by tls"), "its port"),
    settings::CA_FILE,
    settings::LOGIN,
    settings::PASSWORD,
    settings::PASSWORD_FILE,
    settings::PASSWORD_ENV,
    settings::GRANT,
    settings::TENANT,
    settings::TOKEN_URL,
    settings::SCOPE,
    settings::CLIENT_ID,
    settings::CLIENT_SECRET_ENV,
    settings::REFRESH_TOKEN_ENV,
    settings::KEY_FILE,
    settings::MECHANISM,
    Setting::new("folder", "text", Some("INBOX"), "the folder that is looked at"),
    Setting::new(
        "expect_capabilities",
        "list of texts",
        Some("none"),
        "what the server must offer, such as IDLE",
    ),
    stock::MAX_MESSAGES,
    stock::MIN_MESSAGES,
    Setting::new(
        "max_unread",
        "number",
        Some("none"),
        "more unread messages than this make the run a failure",
    ),
    stock::MAX_AGE,
    stock::MAX_NEWEST_AGE,
    Setting::new(
        "quota_warn",
        "percent",
        Some("80%"),
        "from this use of the quota on there is a warning",
    ),
    Setting::new(
        "quota_critical",
        "percent",
        Some("95%"),
        "from this use of the quota on the finding is critical",
    ),
];

/// One check of the kind `imap`.
struct Imap {
    endpoint: Endpoint,
    folder: String,
    expect_capabilities: Vec<String>,
    bounds: Bounds,
    thresholds: (u8, u8),
    net: Net,
    clock: Clock,
}

/// What is learnt on the way, also by a run that fails.
#[derive(Default)]
struct Story {
    facts: Vec<Fact>,
    findings: Vec<Finding>,
}

impl Imap {
    async fn look(&self, run: &Run) -> Outcome {
        let deadline = run.deadline.checked_sub(stock::MARGIN).unwrap_or(run.deadline);
        let patience = Patience { clock: self.clock, step: STEP, deadline };
        let dial = Dial { net: &self.net, patience, names: PhaseNames::PLAIN };
        let record = dial.record(&self.endpoint);
        let mut watch = Stopwatch::start(self.clock);
        let mut story = Story::default();
        let session = Session::open(dial, &self.endpoint, record.clone(), &mut watch).await;
        let ended = match session {
            Ok(mut session) => {
                let ended = self.look_at(&mut session, &mut watch, &mut story).await;
                let outcome = Outcome::of(ended, &watch, &record);
                session.logout().await;
                return outcome.with(story.facts, story.findings);
            }
            Err(failure) => Err(failure),
        };
        Outcome::of(ended, &watch, &record).with(story.facts, story.findings)
    }

    async fn look_at(
        &self,
        session: &mut Session,
        watch: &mut Stopwatch,
        story: &mut Story,
    ) -> Result<(), Failure> {
        story.facts.extend(session.facts().iter().cloned());
        let offered = session.capabilities().join(" ");
        story.facts.push(stock::fact("imap.capabilities", &offered));
        let is_offered = |word: &str| session.has(&word.to_ascii_uppercase());
        let mut judged = stock::missing(&self.expect_capabilities, is_offered);
        if self.endpoint.login.is_none() {
            return judged;
        }
        session.enter(SELECT);
        // Before the folder is open: of an open one the state is not to be asked for (RFC 9051 section 6.3.11).
        let status = session.status(&self.folder).await?;
        let messages = session.examine(&self.folder).await?;
        watch.lap(SELECT);
        session.enter(LIST);
        let dates = dates(session, messages).await?;
        watch.lap(LIST);
        let stock = Stock { messages, unread: status.and_then(|status| status.unread), dates };
        let now = self.clock.wall();
        story.facts.push(stock::fact("imap.folder", &self.folder));
        story.facts.extend(stock.facts("imap", now));
        judged = judged.and_then(|()| stock.judge(&self.bounds, now));
        if session.has("QUOTA") {
            session.enter(QUOTA);
            let quotas = session.quota(&self.folder).await?;
            watch.lap(QUOTA);
            for (index, quota) in quotas.iter().enumerate() {
                story.facts.extend(quota_facts(quota, index));
                story.findings.extend(quota_finding(quota, self.thresholds));
            }
        } else {
            story.facts.push(Fact::new("imap.quota", "not offered"));
        }
        judged
    }
}

/// When the messages were stored: of all of them, or of the first and the last ones.
async fn dates(session: &mut Session, messages: u32) -> Result<Vec<WallTime>, Failure> {
    let sets = match messages {
        0 => Vec::new(),
        few if few <= 2 * MOST_DATES => vec![format!("1:{few}")],
        many => vec![format!("1:{MOST_DATES}"), format!("{}:{many}", many - MOST_DATES + 1)],
    };
    let most = usize::try_from(2 * MOST_DATES).unwrap_or(usize::MAX);
    let mut dates = Vec::new();
    for set in sets {
        dates.extend(session.stored(&set).await?);
    }
    dates.truncate(most);
    Ok(dates)
}

/// How much is used, how much is allowed, and in percent. Further roots are numbered from 2.
fn quota_facts(quota: &Quota, index: usize) -> Vec<Fact> {
    let resource =
        quota.resource.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let name = match index {
        0 => format!("imap.quota.{resource}"),
        _ => format!("imap.quota.{resource}.{}", index + 1),
    };
    let unit = unit(quota);
    let mut facts = vec![
        Fact::new(format!("{name}.used"), format!("{}{unit}", quota.used)),
        Fact::new(format!("{name}.limit"), format!("{}{unit}", quota.limit)),
        stock::fact(&format!("{name}.root"), &quota.root),
    ];
    facts.extend(quota.percent().map(|p| Fact::new(format!("{name}.percent"), p.to_string())));
    facts
}

/// RFC 9208 section 5: STORAGE counts units of 1,024 octets.
fn unit(quota: &Quota) -> &'static str {
    if quota.resource == "STORAGE" { " KiB" } else { "" }
}

fn quota_finding(quota: &Quota, (warn, critical): (u8, u8)) -> Option<Finding> {
    let percent = quota.percent()?;
    let (rule, threshold) = match percent {
        _ if percent >= u64::from(critical) => (QUOTA_CRITICAL, critical),
        _ if percent >= u64::from(warn) => (QUOTA_HIGH, warn),
        _ => return None,
    };
    let (unit, resource, root) = (unit(quota), &quota.resource, &quota.root);
    let (used, limit) = (quota.used, quota.limit);
    Some(rule.broken(format!(
        "{percent} % of {resource} in the quota root \"{root}\" is used ({used}{unit} of {limit}{unit}), \
         from {threshold} % on that is told"
    )))
}

impl Probe for Imap {
    fn run(&self, run: Run) -> BoxFuture<'_, Outcome> {
        async move { self.look(&run).await }.boxed()
    }
}

#[cfg(test)]
mod tests;
