//! What was told to whom, what came of it, and what waits.

use askama::Template;

use super::{Asked, top};
use crate::query::notices::{MAX_LIMIT, NoticeAnswer, NoticesWanted};
use crate::web::shown::{Moment, Pages, Shown, When, page_of};
use crate::web::{NoPage, Page, Part};

/// Notices on one page.
const EACH: usize = 60;

#[derive(Template)]
#[template(path = "notices.html")]
struct List {
    rows: Vec<Row>,
    pages: Pages,
}

struct Row {
    at: Moment,
    channel: String,
    title: String,
    incident: Option<u64>,
    state: Shown,
    said: String,
    attempts: u32,
}

#[derive(Template)]
#[template(path = "notices_filter.html")]
struct Filter {
    channel: String,
    is_failed: bool,
}

pub(super) fn page(asked: &Asked<'_>) -> Result<Page, NoPage> {
    let when = asked.when();
    let (channel, is_failed) =
        (asked.address.get("channel"), asked.address.get("state") == "failed");
    let wanted = NoticesWanted {
        channel: Some(channel.to_owned()).filter(|name| !name.is_empty()),
        incident: None,
        failed: is_failed,
        limit: Some(MAX_LIMIT),
    };
    let answer = asked.query().notices(&wanted, &asked.sources.held, None)?;
    let (notices, pages) = page_of(answer.notices, EACH, asked.address);
    let list = List { rows: notices.into_iter().map(|it| row(it, &when)).collect(), pages };
    let filter = Filter { channel: channel.to_owned(), is_failed };
    let parts = vec![Part::fixed("filter", &filter)?, Part::live("notices", &list)?];
    Ok(top("Who was told", "/notices", parts))
}

fn row(notice: NoticeAnswer, when: &When) -> Row {
    let state = match notice.state.as_str() {
        "sent" if notice.is_confirmed => Shown { class: "up", mark: "●", word: "is there" },
        "sent" => Shown { class: "up", mark: "●", word: "sent" },
        "failed" => Shown { class: "down", mark: "▼", word: "failed" },
        "waiting" => Shown { class: "late", mark: "◐", word: "waits" },
        _ => Shown { class: "unknown", mark: "–", word: "superseded" },
    };
    Row {
        at: when.moment(notice.at),
        channel: notice.channel,
        title: notice.title,
        incident: notice.incident,
        state,
        said: notice.said,
        attempts: notice.attempts,
    }
}
