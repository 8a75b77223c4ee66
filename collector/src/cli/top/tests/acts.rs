//! What keys come to.

use super::super::model::{Answered, Model, Pane, Place, Sort, Typing};
use super::super::sheet::Key;
use super::super::update::{Wish, paste, selected};
use super::sample::{self, known};
use super::{keys, seen};
use crate::cli::terminal::Tone;

#[test]
fn what_is_selected_stays_though_rows_move() {
    let mut model = known();
    keys(&mut model, "3 down");
    let chosen = selected(&model);
    assert_eq!(chosen, Some(Key::Incident(6)));
    let mut more = sample::incidents();
    let newer = crate::query::IncidentLine { number: 8, ..more.incidents[0].clone() };
    more.incidents.insert(0, newer);
    model.take(Answered::Incidents(more));
    assert_eq!(selected(&model), chosen);
    // and of the first row, which nobody moved to, it is what was seen when it was entered
    keys(&mut model, "home enter");
    assert_eq!(*model.place(), Place::Incident(8));
    model.take(Answered::Incidents(sample::incidents()));
    keys(&mut model, "esc");
    assert_eq!(selected(&model), Some(Key::Incident(7)));
}

#[test]
fn an_incident_is_acknowledged_with_a_note_and_not_without_being_asked() {
    let mut model = known();
    assert_eq!(keys(&mut model, "a"), None);
    assert_eq!(model.said.as_ref().map(|(tone, _)| *tone), Some(Tone::Doubtful));
    keys(&mut model, "3 a");
    assert_eq!(model.typing, Some(Typing::Note(7, String::new())));
    let ask = seen(&mut model, (80, 24));
    assert!(ask.ends_with("acknowledge #7? note   enter: yes, esc: no"), "{ask}");
    assert_eq!(keys(&mut model, "esc"), None);
    assert_eq!(model.typing, None);

    // another one that came meanwhile is not acknowledged instead
    keys(&mut model, "a quit");
    let mut more = sample::incidents();
    more.incidents[0].number = 9;
    model.take(Answered::Incidents(more));
    paste(&mut model, " by\nann\u{1b}");
    let wish = keys(&mut model, "back enter");
    assert_eq!(wish, Some(Wish::Acknowledge(7, "quit by ann".into())));
    model.take(Answered::NotAcknowledged(7, "you may only look".into()));
    let said = seen(&mut model, (80, 24));
    assert!(said.ends_with("incident 7 is NOT acknowledged: you may only look"), "{said}");

    // what is over cannot be
    let mut model = known();
    keys(&mut model, "3 down a");
    assert_eq!(model.typing, None);
    assert_eq!(model.said.unwrap().1, "incident 6 is over");
}

#[test]
fn keys_and_what_they_come_to() {
    let check = |pressed: &str, expected: fn(&Model) -> bool| {
        let mut model = known();
        keys(&mut model, pressed);
        assert!(expected(&model), "{pressed}: {:?} {:?}", model.place(), model.typing);
    };
    let place = |model: &Model| model.place().clone();
    assert_eq!(keys(&mut known(), "q"), Some(Wish::Quit));
    assert_eq!(keys(&mut known(), "^c"), Some(Wish::Quit));
    assert_eq!(keys(&mut known(), "3 a ^c"), Some(Wish::Quit));
    assert_eq!(keys(&mut known(), "r"), Some(Wish::Ask));
    assert_eq!(keys(&mut known(), "^l"), Some(Wish::Redraw));
    assert_eq!(place(&known()), Place::Overview(Pane::Services));
    check("tab", |model| *model.place() == Place::Overview(Pane::Vantages));
    check("tab tab tab", |model| *model.place() == Place::Overview(Pane::Services));
    check("backtab", |model| *model.place() == Place::Overview(Pane::Incidents));
    check("enter enter 2", |model| *model.place() == Place::Overview(Pane::Vantages));
    check("2 enter", |model| *model.place() == Place::Vantage("branch-coast".into()));
    check("2 end enter", |model| *model.place() == Place::Vantage("hq".into()));
    check("2 page enter", |model| *model.place() == Place::Vantage("hq".into()));
    check("s", |model| model.sort == Sort::Name);
    check("s s s", |model| model.sort == Sort::Worst);
    check("?", |model| model.is_helping);
    check("? q", |model| !model.is_helping);
    check("2 / HQ", |model| {
        model.filter == "HQ" && selected(model) == Some(Key::Vantage("hq".into()))
    });
    check("2 / HQ enter enter", |model| *model.place() == Place::Vantage("hq".into()));
    check("2 / hq enter esc", |model| model.filter.is_empty() && model.visits.len() == 1);
    check("2 / hq back", |model| model.filter == "h");
    check("2 / a space b ^w", |model| model.filter == "a ");
    check("2 / ab ^u", |model| model.filter.is_empty());
    check("2 / none enter enter", |model| model.visits.len() == 1);
    check("3 enter a x", |model| model.typing == Some(Typing::Note(7, "x".into())));
}
