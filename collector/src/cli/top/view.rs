//! Draws the live screen: a pure function of what is known.
//!
//! From top to bottom: how mail is; whom we ask, and whether they answer; lists or a text; what keys do, or what is asked.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use super::chart::{small, waterfall};
use super::model::{KEPT, Model, Pane, Place, Typing};
use super::palette::Palette;
use super::paper;
use super::rows::{pane_sheet, service, sheet, tone};
use super::sheet::{Key, Series, Sheet, fit};
use super::update::{path, selected};
use crate::cli::figures::{maybe, roughly, since};
use crate::cli::status::sentence;
use crate::cli::terminal::Tone;
use crate::query::State;
use crate::text::one_line;

/// Fewer columns or lines hold nothing that helps.
const LEAST: (u16, u16) = (20, 4);
/// With fewer lines only the pane with the focus is shown.
const ALL_PANES: u16 = 18;

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model, palette: Palette) {
    let area = frame.area();
    let (width, height) = (usize::from(area.width), area.height);
    let (tone, said) = how_it_is(model);
    if area.width < LEAST.0 || height < LEAST.1 {
        let words = Line::styled(fit(&said, width), palette.style(tone));
        frame.render_widget(Paragraph::new(words), area);
        return;
    }
    let style = palette.style(tone).add_modifier(Modifier::BOLD);
    let mut head: Vec<Line<'static>> = paper::wrapped(&said, width)
        .into_iter()
        .take(if height >= ALL_PANES { 2 } else { 1 })
        .map(|line| Line::styled(line, style))
        .collect();
    head.push(whom(model, width, palette));
    let head_lines = u16::try_from(head.len()).unwrap_or(u16::MAX);
    let body = part(area, head_lines, height.saturating_sub(head_lines + 1));
    frame.render_widget(Paragraph::new(head), part(area, 0, head_lines));
    match model.place() {
        Place::Overview(pane) if body.height + head_lines + 1 >= ALL_PANES => {
            overview(frame, body, (model, *pane), palette);
        }
        Place::Run(..) | Place::Incident(_) => text(frame, body, model, palette),
        Place::Runs(series) => runs(frame, body, (model, series), palette),
        _ => {
            if let Some(sheet) = sheet(model) {
                let title = title(model, &sheet, true);
                list(frame, body, (&sheet, model), (title, true), palette);
            }
        }
    }
    let last = part(area, height.saturating_sub(1), 1);
    frame.render_widget(Paragraph::new(foot(model, width, palette)), last);
    if model.is_helping {
        help(frame, area, palette);
    }
}

/// Lines of an area.
fn part(area: Rect, from: u16, height: u16) -> Rect {
    let all = Rect { y: area.y.saturating_add(from), height, ..area };
    all.intersection(area)
}

/// How mail is, in one sentence.
fn how_it_is(model: &Model) -> (Tone, String) {
    match &model.status {
        None => (Tone::Doubtful, "asking how mail is …".to_owned()),
        Some(_) if model.away.is_some() => {
            (Tone::Doubtful, "nobody knows how mail is: the collector does not answer".to_owned())
        }
        Some(status) => (tone(status.state), one_line(&sentence(status, &model.zone))),
    }
}

/// Whom we ask, and whether they answer.
fn whom(model: &Model, width: usize, palette: Palette) -> Line<'static> {
    if let Some((at, why)) = &model.away {
        let old = roughly(model.answered_at, model.now);
        let words = format!(
            "no answer since {}; below is how it was {old} ago: {}",
            since(*at, model.now, &model.zone),
            one_line(why)
        );
        return Line::styled(fit(&words, width), palette.style(Tone::Bad));
    }
    let Some(status) = &model.status else {
        return Line::styled(fit(&model.asked, width), palette.faint());
    };
    let behind = match status.collector.records_behind {
        0..1_000 => String::new(),
        behind => format!(", {behind} records are not in these figures yet"),
    };
    let clock = status.now.to_zoned(model.zone.clone()).strftime("%H:%M:%S %Z").to_string();
    let words = format!("{clock}  {}{behind}", one_line(&model.asked));
    Line::styled(fit(&words, width), palette.faint())
}

fn foot(model: &Model, width: usize, palette: Palette) -> Line<'static> {
    let prompt = |label: &str, typed: &str, hint: &str| {
        // what was typed last is what must be seen
        let room = width.saturating_sub(label.width() + hint.width() + 2);
        let mut end = typed;
        while end.width() > room {
            let mut rest = end.chars();
            rest.next();
            end = rest.as_str();
        }
        Line::from(vec![
            Span::styled(label.to_owned(), palette.focus()),
            Span::raw(format!(" {end}")),
            Span::styled(" ", Style::new().add_modifier(Modifier::REVERSED)),
            Span::styled(hint.to_owned(), palette.faint()),
        ])
    };
    match (&model.typing, &model.said) {
        (Some(Typing::Filter), _) => prompt("only rows with", &model.filter, " enter, esc: all"),
        (Some(Typing::Note(number, note)), _) => {
            let label = format!("acknowledge #{number}? note");
            prompt(&label, note, " enter: yes, esc: no")
        }
        (None, Some((tone, words))) => {
            Line::styled(fit(&one_line(words), width), palette.style(*tone))
        }
        (None, None) => {
            let keys = match model.place() {
                Place::Overview(_) if width < 60 => "?: help  q: quit  tab: next  enter: closer",
                Place::Overview(_) => {
                    "?: help  q: quit  tab: next  enter: closer  /: filter  s: sort  a: acknowledge"
                }
                Place::Incident(_) => {
                    "esc: back  a: acknowledge  up, down: scroll  ?: help  q: quit"
                }
                Place::Run(..) => "esc: back  up, down: scroll  ?: help  q: quit",
                _ => "esc: back  enter: closer  /: filter  s: sort  ?: help  q: quit",
            };
            Line::styled(fit(keys, width), palette.faint())
        }
    }
}

/// All three panes, each as high as it needs or as there is room.
fn overview(frame: &mut Frame<'_>, area: Rect, (model, focus): (&Model, Pane), palette: Palette) {
    let sheets = Pane::ALL.map(|pane| (pane, pane_sheet(model, pane)));
    // a title, heads, rows; a blank line behind
    let needs = sheets.each_ref().map(|(_, sheet)| sheet.rows.len().max(1).saturating_add(3));
    let heights = shares(needs, usize::from(area.height));
    let mut from = 0;
    for ((pane, sheet), height) in sheets.iter().zip(heights) {
        let height = u16::try_from(height).unwrap_or(area.height);
        let has_focus = *pane == focus;
        let title = title(model, sheet, has_focus);
        list(frame, part(area, from, height), (sheet, model), (title, has_focus), palette);
        from = from.saturating_add(height);
    }
}

/// Lines for each, of so many in all: what needs less leaves the rest to the others; what is left goes to the last.
fn shares(needs: [usize; 3], all: usize) -> [usize; 3] {
    let mut shares = [0; 3];
    for _ in 0..needs.len() {
        let left = all.saturating_sub(shares.iter().sum());
        let wanting = needs.iter().zip(&shares).filter(|(need, share)| need > share).count();
        let Some(each) = left.checked_div(wanting) else { break };
        for (need, share) in needs.iter().zip(&mut shares) {
            *share = (*share + each).min(*need);
        }
    }
    let left = all.saturating_sub(shares.iter().sum());
    if let Some(last) = shares.last_mut() {
        *last += left;
    }
    shares
}

fn title(model: &Model, sheet: &Sheet, has_focus: bool) -> String {
    let mut title = match model.place() {
        Place::Overview(_) => sheet.title.clone(),
        _ => path(model),
    };
    if let Place::Service(name) = model.place()
        && let Some(service) = service(model, name)
    {
        title.push_str(&format!(": {}, down when {}", service.state.as_str(), service.down_when));
    }
    if sheet.left_out > 0 || !model.filter.is_empty() {
        let shown = sheet.rows.len();
        title.push_str(&format!(", {shown} of {}", shown.saturating_add(sheet.left_out)));
        title.push_str(&format!(" with \"{}\"", one_line(&model.filter)));
    }
    if has_focus && !matches!(model.place(), Place::Runs(_)) {
        title.push_str(&format!(", {}", model.sort.words()));
    }
    title
}

/// A title and the rows of a sheet, as many as there is room for.
fn list(
    frame: &mut Frame<'_>,
    area: Rect,
    (sheet, model): (&Sheet, &Model),
    (title, has_focus): (String, bool),
    palette: Palette,
) {
    let width = usize::from(area.width);
    let selected = match has_focus {
        true => selected(model).and_then(|key| sheet.place(Some(&key))),
        false => None,
    };
    let height = usize::from(area.height).saturating_sub(2);
    let mut style = if has_focus { palette.focus() } else { Style::new() };
    if !has_focus {
        style = style.add_modifier(Modifier::BOLD);
    }
    let below = sheet.rows.len().saturating_sub(height);
    let title = match below {
        0 => title,
        _ => format!("{title}, {} rows", sheet.rows.len()),
    };
    let mut lines = vec![Line::styled(fit(&title, width), style)];
    lines.extend(sheet.lines((width, height), selected, palette));
    frame.render_widget(Paragraph::new(lines), area);
}

/// The last runs of a check, and the phases of the one that is selected.
fn runs(frame: &mut Frame<'_>, area: Rect, (model, series): (&Model, &Series), palette: Palette) {
    let width = usize::from(area.width);
    let Some(sheet) = sheet(model) else { return };
    let top = summary(model, series, width, palette);
    let top_lines = u16::try_from(top.len()).unwrap_or_default();
    frame.render_widget(Paragraph::new(top), part(area, 0, top_lines));
    let rest = part(area, top_lines, area.height.saturating_sub(top_lines));
    let run = match selected(model) {
        Some(Key::Run(epoch, sequence)) => model.run_of(series, &epoch, sequence),
        _ => None,
    };
    let bars = run.map(|run| waterfall(run, width)).unwrap_or_default();
    let bars_lines = u16::try_from(bars.len()).unwrap_or_default().saturating_add(1);
    // rows matter more: the waterfall takes what leaves a few of them, or nothing
    let has_room = rest.height >= bars_lines.saturating_add(6);
    let rows = if has_room { rest.height.saturating_sub(bars_lines) } else { rest.height };
    let wanted = u16::try_from(sheet.rows.len()).unwrap_or(rows).saturating_add(2);
    let rows = if has_room { rows.min(wanted) } else { rows };
    let title = title(model, &sheet, true);
    list(frame, part(rest, 0, rows), (&sheet, model), (title, true), palette);
    if has_room && !bars.is_empty() {
        let mut lines = vec![Line::default()];
        lines.extend(bars.into_iter().map(|line| Line::raw(fit(&line, width))));
        frame.render_widget(Paragraph::new(lines), part(rest, rows, bars_lines));
    }
}

/// How a check is: its state, its pace, its last runs.
fn summary(model: &Model, series: &Series, width: usize, palette: Palette) -> Vec<Line<'static>> {
    let vantages = model.status.iter().flat_map(|status| &status.vantage_points);
    let of = vantages.filter(|vantage| vantage.name == series.vantage_point);
    let Some(check) = of.flat_map(|it| &it.checks).find(|it| it.check == series.check) else {
        let words = "this check does not run there any more";
        return vec![Line::styled(fit(words, width), palette.style(Tone::Doubtful))];
    };
    let now = model.status.as_ref().map_or(model.now, |status| status.now);
    let begun = check.since.map(|at| format!(" since {}", since(at, now, &model.zone)));
    let figures = format!(
        "{}{}, p50 {} (usual {}), p95 {} (usual {})",
        check.state.as_str(),
        begun.unwrap_or_default(),
        maybe(check.round_trip.p50_us),
        maybe(check.usual_round_trip.p50_us),
        maybe(check.round_trip.p95_us),
        maybe(check.usual_round_trip.p95_us),
    );
    let style = match check.state {
        State::Up => Style::new(),
        state => palette.style(tone(state)),
    };
    let mut lines = vec![Line::styled(fit(&figures, width), style)];
    if let Some(marks) = model.marks.get(series).filter(|marks| !marks.is_empty()) {
        let label = "last runs ";
        let chart = small(marks.iter(), KEPT.min(width.saturating_sub(label.width())));
        lines.push(Line::raw(format!("{label}{chart}")));
    }
    lines
}

/// One incident or one run, as a text.
fn text(frame: &mut Frame<'_>, area: Rect, model: &Model, palette: Palette) {
    let (width, height) = (usize::from(area.width), usize::from(area.height).saturating_sub(1));
    let all = paper::lines(model);
    let most = all.len().saturating_sub(height);
    let scrolled = model.visits.last().map_or(0, |visit| visit.scrolled).min(most);
    let mut title = path(model);
    if most > 0 {
        title.push_str(&format!(
            ", lines {} to {} of {}",
            scrolled + 1,
            (scrolled + height).min(all.len()),
            all.len()
        ));
    }
    let mut lines = vec![Line::styled(fit(&title, width), palette.focus())];
    let seen = all.into_iter().skip(scrolled).take(height);
    lines.extend(seen.map(|line| Line::raw(fit(&line, width))));
    frame.render_widget(Paragraph::new(lines), area);
}

fn help(frame: &mut Frame<'_>, area: Rect, palette: Palette) {
    let inner = usize::from(area.width.saturating_sub(4)).max(1);
    let lines: Vec<Line<'static>> =
        paper::HELP.iter().flat_map(|line| paper::wrapped(line, inner)).map(Line::raw).collect();
    let widest = lines.iter().map(Line::width).max().unwrap_or_default();
    let size = |count: usize, most: u16| u16::try_from(count).unwrap_or(most).min(most);
    let (width, height) = (size(widest + 4, area.width), size(lines.len() + 2, area.height));
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title(Span::styled(" any key closes this ", palette.focus()));
    let padded = block.padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(Paragraph::new(lines).block(padded), place);
}
