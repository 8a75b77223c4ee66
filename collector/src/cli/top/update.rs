//! What a key does: the model changes, and says what is wanted of the world. Pure.
//!
//! Invariant: nothing is done to an incident unless the operator saw its number in a question and answered it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{MOST_TYPED, Model, Pane, Place, Typing, Visit};
use super::paper;
use super::rows::{service, sheet};
use super::sheet::{Key, Series};
use crate::cli::terminal::Tone;
use crate::text::{one_line, shown};

/// What the world is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// End.
    Quit,
    /// Ask now, without waiting for the next second.
    Ask,
    /// Tell the collector that somebody looks after this incident.
    Acknowledge(u64, String),
    /// Draw everything anew.
    Redraw,
}

/// A key was pressed.
pub(super) fn press(model: &mut Model, key: KeyEvent) -> Option<Wish> {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    if is_control && key.code == KeyCode::Char('c') {
        return Some(Wish::Quit);
    }
    if is_control && key.code == KeyCode::Char('l') {
        return Some(Wish::Redraw);
    }
    model.said = None;
    if let Some(typing) = model.typing.take() {
        return typed(model, typing, key);
    }
    if model.is_helping {
        model.is_helping = false;
        return None;
    }
    if is_control || key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    match key.code {
        KeyCode::Char('q') => return Some(Wish::Quit),
        KeyCode::Char('?') | KeyCode::F(1) => model.is_helping = true,
        KeyCode::Char('r') | KeyCode::F(5) => return Some(Wish::Ask),
        KeyCode::Char('s') => model.sort = model.sort.next(),
        KeyCode::Char('/') if is_list(model) => model.typing = Some(Typing::Filter),
        KeyCode::Char('a') => begin_acknowledging(model),
        KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => return enter(model),
        KeyCode::Esc | KeyCode::Left | KeyCode::Backspace | KeyCode::Char('h') => back(model),
        KeyCode::Tab => turn(model, 1),
        KeyCode::BackTab => turn(model, 2),
        KeyCode::Char('1') => focus(model, Pane::Services),
        KeyCode::Char('2') => focus(model, Pane::Vantages),
        KeyCode::Char('3') => focus(model, Pane::Incidents),
        code => go(model, code),
    }
    None
}

/// Text was pasted: it is taken where something is typed, and is no keys.
pub(super) fn paste(model: &mut Model, text: &str) {
    let Model { typing, filter, .. } = model;
    match typing {
        Some(Typing::Filter) => add(filter, text),
        Some(Typing::Note(_, note)) => add(note, text),
        None => {}
    }
}

fn add(to: &mut String, text: &str) {
    let room = MOST_TYPED.saturating_sub(to.chars().count());
    to.extend(text.chars().map(shown).take(room));
}

fn typed(model: &mut Model, typing: Typing, key: KeyEvent) -> Option<Wish> {
    match (typing, key.code) {
        (Typing::Filter, KeyCode::Enter) => None,
        (Typing::Filter, KeyCode::Esc) => {
            model.filter.clear();
            None
        }
        (Typing::Note(number, note), KeyCode::Enter) => {
            model.said = Some((Tone::Plain, format!("acknowledging incident {number} …")));
            Some(Wish::Acknowledge(number, note.trim().to_owned()))
        }
        (Typing::Note(number, _), KeyCode::Esc) => {
            model.said = Some((Tone::Plain, format!("incident {number} is left as it was")));
            None
        }
        (mut typing, _) => {
            let text = match &mut typing {
                Typing::Filter => &mut model.filter,
                Typing::Note(_, note) => note,
            };
            edit(text, key);
            model.typing = Some(typing);
            None
        }
    }
}

fn edit(text: &mut String, key: KeyEvent) {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('u') if is_control => text.clear(),
        KeyCode::Char('w') if is_control => {
            let kept = text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            text.truncate(kept);
        }
        KeyCode::Char(c) if !is_control => add(text, c.encode_utf8(&mut [0; 4])),
        KeyCode::Backspace => drop(text.pop()),
        _ => {}
    }
}

/// Asks before anything is done.
fn begin_acknowledging(model: &mut Model) {
    let number = match model.place() {
        Place::Incident(number) => Some(*number),
        Place::Overview(Pane::Incidents) => match selected(model) {
            Some(Key::Incident(number)) => Some(number),
            _ => None,
        },
        _ => None,
    };
    let Some(number) = number else {
        let words = "select an incident first: 3, then arrows";
        model.said = Some((Tone::Doubtful, words.to_owned()));
        return;
    };
    let lines = model.incidents.iter().flat_map(|answer| &answer.incidents);
    let is_over = lines.filter(|it| it.number == number).any(|it| !it.state.is_live());
    if is_over {
        model.said = Some((Tone::Doubtful, format!("incident {number} is over")));
        return;
    }
    model.typing = Some(Typing::Note(number, String::new()));
}

fn is_list(model: &Model) -> bool {
    !matches!(model.place(), Place::Run(..) | Place::Incident(_))
}

/// What is selected now; the first row where nothing is.
pub(super) fn selected(model: &Model) -> Option<Key> {
    let sheet = sheet(model)?;
    let visit = model.visits.last()?;
    let wanted = visit.selected.get(visit.slot()).and_then(Option::as_ref);
    let place = sheet.place(wanted).unwrap_or_default();
    sheet.rows.get(place).map(|row| row.key.clone())
}

fn enter(model: &mut Model) -> Option<Wish> {
    let key = selected(model)?;
    let next = match (key.clone(), model.place()) {
        (Key::Service(name), _) => Place::Service(name),
        (Key::Vantage(name), _) => Place::Vantage(name),
        (Key::Incident(number), _) => Place::Incident(number),
        (Key::Site(site), Place::Service(service)) => Place::Site(service.clone(), site),
        (Key::Series(series), _) => Place::Runs(series),
        (Key::Run(epoch, sequence), Place::Runs(series)) => {
            Place::Run(series.clone(), epoch, sequence)
        }
        (Key::Site(_) | Key::Run(..), _) => return None,
    };
    // what was selected is what one comes back to, though rows move meanwhile
    keep(model, Some(key));
    model.filter.clear();
    model.visits.push(Visit::at(next));
    Some(Wish::Ask)
}

/// A step back; on the first screen, to all rows.
fn back(model: &mut Model) {
    if !model.filter.is_empty() {
        model.filter.clear();
    } else if model.visits.len() > 1 {
        model.visits.pop();
    }
}

fn turn(model: &mut Model, steps: usize) {
    let Place::Overview(pane) = *model.place() else { return };
    let at = Pane::ALL.iter().position(|it| *it == pane).unwrap_or_default();
    if let Some(pane) = Pane::ALL.get((at + steps) % Pane::ALL.len()) {
        focus(model, *pane);
    }
}

fn focus(model: &mut Model, pane: Pane) {
    model.visits.truncate(1);
    if let Some(visit) = model.visits.last_mut() {
        visit.place = Place::Overview(pane);
    }
}

/// Up and down, in rows or in a text.
fn go(model: &mut Model, code: KeyCode) {
    let page = usize::from(model.size.1).saturating_sub(8).max(1);
    let step: Step = match code {
        KeyCode::Down | KeyCode::Char('j') => |at, _| at.saturating_add(1),
        KeyCode::Up | KeyCode::Char('k') => |at, _| at.saturating_sub(1),
        KeyCode::PageDown | KeyCode::Char(' ') => usize::saturating_add,
        KeyCode::PageUp => usize::saturating_sub,
        KeyCode::Home | KeyCode::Char('g') => |_, _| 0,
        KeyCode::End | KeyCode::Char('G') => |_, _| usize::MAX,
        _ => return,
    };
    match sheet(model) {
        None => {
            let most = paper::lines(model).len().saturating_sub(paper::height(model));
            if let Some(visit) = model.visits.last_mut() {
                visit.scrolled = step(visit.scrolled.min(most), page).min(most);
            }
        }
        Some(sheet) => {
            let place = sheet.place(selected(model).as_ref()).unwrap_or_default();
            let to = step(place, page).min(sheet.rows.len().saturating_sub(1));
            let key = sheet.rows.get(to).map(|row| row.key.clone());
            keep(model, key);
        }
    }
}

/// From a place by a page to another.
type Step = fn(usize, usize) -> usize;

fn keep(model: &mut Model, key: Option<Key>) {
    let Some(visit) = model.visits.last_mut() else { return };
    let slot = visit.slot();
    if let Some(selected) = visit.selected.get_mut(slot) {
        *selected = key;
    }
}

/// Where the operator is, from the first screen on.
pub(super) fn path(model: &Model) -> String {
    let step = |visit: &Visit| match &visit.place {
        Place::Overview(_) => "all".to_owned(),
        Place::Service(name) => {
            let title = service(model, name).map_or(name, |service| &service.title);
            format!("service {}", one_line(title))
        }
        Place::Site(_, site) => format!("site {}", one_line(site)),
        Place::Vantage(name) => format!("vantage point {}", one_line(name)),
        Place::Runs(Series { vantage_point, check }) => {
            format!("{} at {}", one_line(check), one_line(vantage_point))
        }
        Place::Run(..) => "run".to_owned(),
        Place::Incident(number) => format!("incident {number}"),
    };
    model.visits.iter().map(step).collect::<Vec<_>>().join(" > ")
}
