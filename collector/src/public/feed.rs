//! News as RSS 2.0 (rssboard.org/rss-specification): what went wrong, each word about it, that it is over, what is planned.
//!
//! An item's `guid` never changes, and its words stay true: readers show an item once and keep it. The same answer is the
//! same bytes.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use url::Url;

use super::{path, xml};
use crate::query::PublicAnswer;
use crate::query::public::{Progress, PublicIncident, PublicWindow};
use crate::text::html;

/// Items of the feed, the newest.
const MOST_ITEMS: usize = 50;

struct Item {
    guid: String,
    at: Timestamp,
    title: String,
    text: String,
    /// Below the page's address.
    link: &'static str,
}

/// The feed of an answer; users reach the page under `base`.
pub(super) fn feed(answer: &PublicAnswer, base: &Url) -> String {
    let mut items: Vec<Item> = Vec::new();
    for incident in answer.incidents.iter().chain(&answer.past_incidents) {
        items.extend(of_incident(incident));
    }
    let zone = TimeZone::get(&answer.time_zone).unwrap_or(TimeZone::UTC);
    items.extend(answer.maintenance.iter().map(|window| of_window(window, &zone)));
    items.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.guid.cmp(&b.guid)));
    items.truncate(MOST_ITEMS);
    let url = |path: &str| base.join(path).map(String::from).unwrap_or_default();
    let mut feed = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\">\n<channel>\n",
    );
    feed.push_str(&xml::element("title", &answer.title));
    feed.push_str(&xml::element("link", &url(path::OVERVIEW)));
    feed.push_str(&xml::element(
        "description",
        "What is wrong, what is planned, and when it is over",
    ));
    feed.push_str("<language>en</language>\n<generator>Mailsonde</generator>\n<ttl>5</ttl>\n");
    // a string that takes all
    writeln!(
        feed,
        "<atom:link href=\"{}\" rel=\"self\" type=\"application/rss+xml\"/>",
        xml::text(&url(path::FEED))
    )
    .ok();
    if let Some(newest) = items.first() {
        feed.push_str(&xml::element("lastBuildDate", &date(newest.at)));
    }
    for item in &items {
        feed.push_str("<item>\n");
        feed.push_str(&xml::element("title", &item.title));
        feed.push_str(&xml::element("link", &url(item.link)));
        writeln!(feed, "<guid isPermaLink=\"false\">{}</guid>", xml::text(&guid(base, &item.guid)))
            .ok();
        feed.push_str(&xml::element("pubDate", &date(item.at)));
        feed.push_str(&xml::element("description", &paragraphs(&item.text)));
        feed.push_str("</item>\n");
    }
    feed.push_str("</channel>\n</rss>\n");
    feed
}

/// No other collector gives it (RFC 4151 has the form).
fn guid(base: &Url, id: &str) -> String {
    format!("tag:{},2026:mailsonde:{id}", base.host_str().unwrap_or("mailsonde"))
}

fn of_incident(incident: &PublicIncident) -> Vec<Item> {
    let number = incident.number;
    let mut items = vec![Item {
        guid: format!("incident-{number}"),
        at: incident.noticed_at,
        title: match incident.progress {
            Progress::Over => format!("{} (over)", incident.was),
            _ => incident.headline.clone(),
        },
        text: incident.text.clone(),
        link: path::OVERVIEW,
    }];
    // what is over ends with its own item
    let over_at = incident.ended_at.filter(|_| incident.progress == Progress::Over);
    for update in incident.updates.iter().filter(|it| over_at.is_none_or(|at| it.at < at)) {
        let of = incident.services.join(", ");
        items.push(Item {
            guid: format!("incident-{number}-at-{}", update.at.as_second()),
            at: update.at,
            title: match update.text.as_str() {
                "" => format!("{of}: {}", update.title),
                _ => update.title.clone(),
            },
            text: if update.text.is_empty() { update.title.clone() } else { update.text.clone() },
            link: path::OVERVIEW,
        });
    }
    items.extend(over_at.map(|at| Item {
        guid: format!("incident-{number}-over-{}", at.as_second()),
        at,
        title: incident.headline.clone(),
        text: incident.text.clone(),
        link: path::HISTORY,
    }));
    items
}

fn of_window(window: &PublicWindow, zone: &TimeZone) -> Item {
    let shown =
        |at: Timestamp| at.to_zoned(zone.clone()).strftime("%H:%M on %-d %B %Y").to_string();
    let when = format!(
        "From {} until {} ({}).",
        shown(window.from),
        shown(window.until),
        zone.iana_name().unwrap_or("UTC")
    );
    Item {
        guid: format!("window-{}-{}", window.number, window.from.as_second()),
        at: window.announced_at,
        title: window.title.clone(),
        text: format!("{when}\n\n{}", window.text),
        link: path::OVERVIEW,
    }
}

/// The date's form is that of RFC 822 with four digits of the year.
fn date(at: Timestamp) -> String {
    rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

/// HTML, as readers take a description to be.
fn paragraphs(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| format!("<p>{}</p>", html(line))).collect()
}
