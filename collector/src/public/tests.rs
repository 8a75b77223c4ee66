mod feed;
mod now;
mod programs;
mod setup;

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::query::public::samples::{self, MARKER};

fn base() -> Url {
    Url::parse("https://status.example.org").unwrap()
}

fn page() -> StatusPage {
    let clock = Clock::starting_at(crate::query::status::samples::NOW);
    StatusPage::new(samples::config(), base(), PathBuf::from("/none"), clock)
}

fn made_of(answer: PublicAnswer, clock: Clock) -> Made {
    let zone = TimeZone::get(&answer.time_zone).unwrap();
    Made { answer, zone, at: clock.monotonic(), shown: Mutex::default() }
}

fn shown(asked: Asked) -> String {
    let page = page();
    let shown = page.of(&made_of(samples::answer(), page.clock), asked).unwrap();
    String::from_utf8(shown.body.to_vec()).unwrap()
}

/// What stands between the tags of `main`, a tag a line.
fn main_of(page: &str) -> String {
    let (_, main) = page.split_once("<main").unwrap();
    let (main, _) = main.split_once("</main>").unwrap();
    let lines = main.replace("><", ">\n<");
    let lines = lines.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

#[tokio::test(start_paused = true)]
async fn history_goes_back_by_months() {
    let page = main_of(&shown(Asked::History(None)));
    assert!(page.contains("History: November 2026") && page.contains("month=2026-10"), "{page}");
    let october = main_of(&shown(Asked::History("2026-10".parse().ok())));
    assert!(october.contains("Mail in KwaZulu did not work") && october.contains("month=2026-09"));
    let page = self::page();
    let made = made_of(samples::answer(), page.clock);
    for month in ["2026-12", "2025-10", "1999-01"] {
        let shown = page.of(&made, Asked::History(month.parse().ok()));
        assert!(matches!(shown, Err(NotShown::Nothing)), "{month}");
    }
    let nowhere = page.of(&made, Asked::Setup(Some(format!("{MARKER}-4"))));
    assert!(matches!(nowhere, Err(NotShown::Nothing)), "an agent's name is no site");
}

#[tokio::test(start_paused = true)]
async fn nothing_internal_is_on_any_page() {
    let page = page();
    for templates in [crate::judge::draft::Templates::default(), samples::talkative()] {
        let made = made_of(samples::answer_by(&templates), page.clock);
        let sites = samples::sites().into_iter().map(|site| Asked::Setup(Some(site)));
        let months = ["2026-10", "2026-11"].map(|month| Asked::History(month.parse().ok()));
        let others =
            [Asked::Overview, Asked::Setup(None), Asked::Feed, Asked::Calendar, Asked::Json];
        for asked in sites.chain(months).chain(others) {
            let shown = page.of(&made, asked.clone()).unwrap();
            let text = String::from_utf8(shown.body.to_vec()).unwrap();
            let found = text.find(MARKER).map(|at| text.get(at.saturating_sub(200)..at));
            assert_eq!(found, None, "{asked:?}");
            assert!(!text.contains(" style=") && !text.contains("<script>"), "{asked:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn markup_of_others_is_text() {
    let page = page();
    let mut answer = samples::answer();
    let evil = "<script>alert(1)</script>\" onload=\"x";
    answer.services[0].title = evil.into();
    answer.services[0].fails_at.named = vec![evil.into()];
    answer.incidents[0].headline = evil.into();
    answer.incidents[0].text = evil.into();
    answer.incidents[0].updates[0].text = evil.into();
    answer.maintenance[0].title = evil.into();
    answer.mail_clients[0].servers[0].fails_at.named = vec![evil.into()];
    let made = made_of(answer, page.clock);
    for asked in [Asked::Overview, Asked::Setup(None), Asked::History(None), Asked::Feed] {
        let shown = page.of(&made, asked.clone()).unwrap();
        let text = String::from_utf8(shown.body.to_vec()).unwrap();
        assert!(!text.contains("<script>a") && !text.contains("\" onload"), "{asked:?}: {text}");
    }
}

/// Whoever looks while it is made is served what there is, and it is made once.
#[tokio::test(start_paused = true)]
async fn what_is_kept_serves_everybody_for_a_while() {
    let page = Arc::new(page());
    let answers = AtomicUsize::new(0);
    let put = || {
        answers.fetch_add(1, Ordering::Relaxed);
        let made = Some(Arc::new(made_of(samples::answer(), page.clock)));
        *page.state.write().unwrap() = State { made, failed_at: None };
    };
    assert!(page.kept_within(TOO_OLD).is_none());
    put();
    let first = page.of(&page.kept_within(FRESH).unwrap(), Asked::Overview).unwrap();
    let again = page.of(&page.kept_within(FRESH).unwrap(), Asked::Overview).unwrap();
    assert!(Arc::ptr_eq(&first, &again), "it is the same bytes");
    tokio::time::advance(FRESH).await;
    assert!(page.kept_within(FRESH).is_none() && page.kept_within(STALE).is_some());
    page.failed();
    assert!(page.has_just_failed());
    tokio::time::advance(PAUSE).await;
    assert!(!page.has_just_failed());
    tokio::time::advance(TOO_OLD).await;
    assert!(page.kept_within(TOO_OLD).is_none(), "then nobody knows");
    let Ok(NotShown::Unknown(shown)) = page.trouble() else { panic!("it is said") };
    assert!(String::from_utf8(shown.body.to_vec()).unwrap().contains("Nobody can tell"));
    put();
    let next = page.of(&page.kept_within(FRESH).unwrap(), Asked::Overview).unwrap();
    assert_eq!((next.etag.as_str(), answers.into_inner()), (first.etag.as_str(), 2));
}

/// However many sites are asked about, what is kept is bounded.
#[tokio::test(start_paused = true)]
async fn what_is_kept_is_bounded() {
    let page = page();
    let mut answer = samples::answer();
    answer.sites = (0..200).map(|number| format!("site-{number}")).collect();
    let made = made_of(answer, page.clock);
    for number in 0..200 {
        page.of(&made, Asked::Setup(Some(format!("site-{number}")))).unwrap();
    }
    assert_eq!(made.shown.lock().unwrap().len(), MOST_KEPT);
}
