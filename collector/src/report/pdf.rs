//! The report as PDF on A4: text that can be searched, an outline, page numbers, charts as vectors.
//!
//! First everything is laid out in pages, then drawn, because each page says how many there are. Invariant: the same
//! report is the same bytes: nothing here asks a clock, and identities are digests. Fonts are Noto Sans, cut down to
//! what is used; they have Latin, Greek and Cyrillic, and anything else shows as a box.

mod fonts;
mod layout;
mod table;

use krilla::Document as Pdf;
use krilla::color::rgb;
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect, Size, Transform};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::TextDirection;
use krilla_svg::{SurfaceExt, SvgSettings};

use super::document::Document;
use super::{ReportError, picture, summary};
use crate::query::ReportAnswer;
use crate::text::one_line;
use fonts::Fonts;
use layout::{HEIGHT, Heading, Layout, MARGIN, Op, Page, WIDTH};

/// All of it.
///
/// # Errors
/// When it cannot be made, which is a defect.
pub(super) fn pdf(report: &ReportAnswer) -> Result<Vec<u8>, ReportError> {
    let document = summary::document(report);
    let fonts = Fonts::load().ok_or_else(|| failed("its fonts cannot be read"))?;
    let (pages, headings) = laid_out(&document, &fonts, &footer(report));
    let mut pdf = Pdf::new();
    for page in &pages {
        draw(&mut pdf, page, &fonts)?;
    }
    pdf.set_outline(outline(&headings));
    let made = report.made_at.to_zoned(jiff::tz::TimeZone::UTC);
    let part = |part: i8| u8::try_from(part).unwrap_or(0);
    let date = DateTime::new(u16::try_from(made.year()).unwrap_or(1970))
        .month(part(made.month()))
        .day(part(made.day()))
        .hour(part(made.hour()))
        .minute(part(made.minute()))
        .second(part(made.second()));
    pdf.set_metadata(
        Metadata::new()
            .title(one_line(&document.title))
            .description(one_line(&document.subtitle))
            .language("en".to_owned())
            .creator("Mailsonde".to_owned())
            .creation_date(date)
            .document_id(format!("mailsonde report {} {}", report.month, report.only.join(","))),
    );
    pdf.finish().map_err(|error| failed(&format!("{error:?}")))
}

fn laid_out(document: &Document, fonts: &Fonts, footer: &str) -> (Vec<Page>, Vec<Heading>) {
    let mut layout = Layout::new(fonts);
    layout.title(&document.title, &document.subtitle);
    for block in &document.blocks {
        layout.block(block);
    }
    layout.end(footer)
}

fn failed(why: &str) -> ReportError {
    ReportError::Pdf(why.to_owned())
}

fn footer(report: &ReportAnswer) -> String {
    let state = if report.is_kept { "final" } else { "preliminary" };
    format!("Mailsonde, report of {}, {state}", report.month)
}

fn draw(pdf: &mut Pdf, page: &Page, fonts: &Fonts) -> Result<(), ReportError> {
    let settings = PageSettings::from_wh(WIDTH, HEIGHT);
    let mut drawn = pdf.start_page_with(settings.ok_or_else(|| failed("a page has no size"))?);
    let mut surface = drawn.surface();
    for op in &page.0 {
        draw_op(&mut surface, op, fonts)?;
    }
    surface.finish();
    drawn.finish();
    Ok(())
}

fn draw_op(surface: &mut Surface<'_>, op: &Op, fonts: &Fonts) -> Result<(), ReportError> {
    match op {
        Op::Text { at: (x, y), size, is_bold, colour, text } => {
            surface.set_fill(Some(fill(*colour)));
            let font = fonts.of(*is_bold).font.clone();
            let at = Point::from_xy(*x, *y);
            surface.draw_text(at, font, *size, text, false, TextDirection::LeftToRight);
        }
        Op::Box { at: (x, y), size: (width, height), colour } => {
            surface.set_fill(Some(fill(*colour)));
            let mut path = PathBuilder::new();
            path.push_rect(
                Rect::from_xywh(*x, *y, *width, *height)
                    .ok_or_else(|| failed("a box has no size"))?,
            );
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Op::Picture { at: (x, y), size: (width, height), svg } => {
            let tree = picture::tree(svg)?;
            let size =
                Size::from_wh(*width, *height).ok_or_else(|| failed("a chart has no size"))?;
            surface.push_transform(&Transform::from_translate(*x, *y));
            let drawn = surface.draw_svg(&tree, size, SvgSettings::default());
            surface.pop();
            drawn.ok_or_else(|| failed("a chart cannot be drawn"))?;
        }
    }
    Ok(())
}

fn fill((r, g, b): (u8, u8, u8)) -> Fill {
    Fill { paint: rgb::Color::new(r, g, b).into(), ..Fill::default() }
}

/// Parts, and below them what is within.
fn outline(headings: &[Heading]) -> Outline {
    let node = |heading: &Heading| {
        let at = Point::from_xy(MARGIN, heading.y);
        OutlineNode::new(heading.text.clone(), XyzDestination::new(heading.page, at))
    };
    let mut outline = Outline::new();
    let mut part: Option<OutlineNode> = None;
    for heading in headings {
        match (&mut part, heading.level) {
            (Some(part), level) if level > 1 => part.push_child(node(heading)),
            _ => {
                if let Some(over) = part.replace(node(heading)) {
                    outline.push_child(over);
                }
            }
        }
    }
    if let Some(last) = part {
        outline.push_child(last);
    }
    outline
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::report::sample::october;

    #[test]
    fn many_rows_go_over_pages_with_their_heads() {
        let fonts = Fonts::load().unwrap();
        let laid =
            |report: &ReportAnswer| laid_out(&summary::document(report), &fonts, &footer(report)).0;
        let few = laid(&october()).len();
        let mut report = october();
        let site = report.services[0].sites[0].clone();
        report.services[0].sites = vec![site; 200];
        let pages = laid(&report);
        assert!(pages.len() > few + 2, "{} pages, {few} before", pages.len());
        let mut heads = 0;
        for (page, number) in pages.iter().zip(1..) {
            let numbered = format!("Page {number} of {}", pages.len());
            let texts: Vec<&str> = page
                .0
                .iter()
                .filter_map(|op| match op {
                    Op::Text { text, .. } => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            assert!(texts.contains(&numbered.as_str()), "{numbered}");
            heads += usize::from(texts.contains(&"half took"));
            for op in &page.0 {
                let (Op::Text { at, .. } | Op::Box { at, .. } | Op::Picture { at, .. }) = op;
                assert!((0.0..HEIGHT).contains(&at.1) && (0.0..WIDTH).contains(&at.0), "{op:?}");
            }
        }
        assert!(heads > 3, "heads on {heads} pages");
    }
}
