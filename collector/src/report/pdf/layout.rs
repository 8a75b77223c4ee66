//! Blocks on pages: what stands where, before anything is drawn.

use super::fonts::Fonts;
use super::table;
use crate::report::document::{Block, Tile, Tone};
use crate::text::one_line;

// A4 and its margins, in points
pub(super) const WIDTH: f32 = 595.28;
pub(super) const HEIGHT: f32 = 841.89;
pub(super) const MARGIN: f32 = 50.0;
pub(super) const TEXT_WIDTH: f32 = WIDTH - 2.0 * MARGIN;
const BOTTOM: f32 = HEIGHT - 58.0;
/// What a heading needs below it, so that it does not stand alone.
const KEEP: f32 = 70.0;

const BODY: f32 = 9.0;
const LINE: f32 = 1.42;
const TILES: usize = 4;
const GAP: f32 = 7.0;
const PAD: f32 = 7.0;

/// Red, green, blue.
pub(super) type Colour = (u8, u8, u8);
pub(super) const INK: Colour = (28, 30, 34);
pub(super) const SOFT: Colour = (96, 102, 112);
pub(super) const RULE: Colour = (205, 209, 215);
pub(super) const PANEL: Colour = (243, 245, 248);
const HEAD: Colour = (24, 54, 96);

/// How far something stands from the left and from above.
pub(super) type Place = (f32, f32);

/// Something that is drawn.
#[derive(Debug)]
pub(super) enum Op {
    /// Text on a base line.
    Text { at: Place, size: f32, is_bold: bool, colour: Colour, text: String },
    /// A filled box.
    Box { at: Place, size: (f32, f32), colour: Colour },
    /// A chart.
    Picture { at: Place, size: (f32, f32), svg: String },
}

/// What is drawn on a page.
#[derive(Debug, Default)]
pub(super) struct Page(pub(super) Vec<Op>);

/// Where a heading stands.
#[derive(Debug)]
pub(super) struct Heading {
    pub(super) level: u8,
    pub(super) text: String,
    pub(super) page: usize,
    pub(super) y: f32,
}

/// The colour in which a state is told.
pub(super) const fn colour_of(tone: Tone) -> Colour {
    match tone {
        Tone::Plain => INK,
        Tone::Good => (18, 98, 54),
        Tone::Bad => (163, 21, 42),
        Tone::Doubtful => (128, 78, 0),
    }
}

/// Lays out block by block.
pub(super) struct Layout<'f> {
    pub(super) fonts: &'f Fonts,
    pages: Vec<Page>,
    headings: Vec<Heading>,
    /// Where the next thing begins.
    pub(super) y: f32,
}

impl<'f> Layout<'f> {
    pub(super) fn new(fonts: &'f Fonts) -> Self {
        Self { fonts, pages: vec![Page::default()], headings: Vec::new(), y: MARGIN }
    }

    /// Draws something on the page under way.
    pub(super) fn put(&mut self, op: Op) {
        if let Some(page) = self.pages.last_mut() {
            page.0.push(op);
        }
    }

    /// Whether so much fits on the page under way.
    pub(super) fn fits(&self, height: f32) -> bool {
        self.y + height <= BOTTOM
    }

    /// Goes to a new page.
    pub(super) fn turn(&mut self) {
        self.pages.push(Page::default());
        self.y = MARGIN;
    }

    fn room(&mut self, height: f32) {
        if !self.fits(height) && self.y > MARGIN {
            self.turn();
        }
    }

    /// The head of the first page.
    pub(super) fn title(&mut self, title: &str, subtitle: &str) {
        self.put(Op::Box { at: (MARGIN, MARGIN - 14.0), size: (TEXT_WIDTH, 3.0), colour: HEAD });
        self.y += 12.0;
        self.paragraph(title, (21.0, true), HEAD, (0.0, TEXT_WIDTH));
        self.paragraph(subtitle, (8.5, false), SOFT, (0.0, TEXT_WIDTH));
        self.y += 8.0;
    }

    /// The next block.
    pub(super) fn block(&mut self, block: &Block) {
        match block {
            Block::Heading(level, text) => self.heading(*level, text),
            Block::Text(text) => {
                self.paragraph(text, (BODY, false), INK, (0.0, TEXT_WIDTH));
                self.y += 5.0;
            }
            Block::Note(text) => {
                self.paragraph(text, (7.5, false), SOFT, (0.0, TEXT_WIDTH));
                self.y += 5.0;
            }
            Block::Verdict(tone, text) => self.verdict(*tone, text),
            Block::Tiles(tiles) => tiles.chunks(TILES).for_each(|row| self.tiles(row)),
            Block::Table(rows) => {
                table::table(self, rows);
                self.y += 8.0;
            }
            Block::Picture(picture, _) => self.picture(picture.svg()),
            Block::NewPage => self.turn(),
        }
    }

    fn heading(&mut self, level: u8, text: &str) {
        let (size, above, below) = if level == 1 { (14.0, 14.0, 6.0) } else { (10.5, 9.0, 3.0) };
        self.room(above + KEEP);
        if self.y > MARGIN {
            self.y += above;
        }
        let (page, y) = (self.pages.len().saturating_sub(1), self.y);
        self.headings.push(Heading { level, text: one_line(text), page, y });
        self.paragraph(text, (size, true), HEAD, (0.0, TEXT_WIDTH));
        if level == 1 {
            self.put(Op::Box { at: (MARGIN, self.y + 1.0), size: (TEXT_WIDTH, 0.8), colour: RULE });
        }
        self.y += below;
    }

    fn verdict(&mut self, tone: Tone, text: &str) {
        let (size, inner) = (12.0, TEXT_WIDTH - 24.0);
        let lines = self.fonts.of(true).lines(&one_line(text), size, inner).len();
        let height = so_many(lines) * size * LINE + 12.0;
        self.room(height);
        let top = self.y;
        self.put(Op::Box { at: (MARGIN, top), size: (TEXT_WIDTH, height), colour: PANEL });
        self.put(Op::Box { at: (MARGIN, top), size: (4.0, height), colour: colour_of(tone) });
        self.y += 5.0;
        self.paragraph(text, (size, true), colour_of(tone), (14.0, inner));
        self.y = top + height + 8.0;
    }

    /// Lines of text from a distance to the left margin on.
    fn paragraph(
        &mut self,
        text: &str,
        (size, is_bold): (f32, bool),
        colour: Colour,
        (left, width): (f32, f32),
    ) {
        for text in self.fonts.of(is_bold).lines(&one_line(text), size, width) {
            self.room(size * LINE);
            let at = (MARGIN + left, self.y + size * 1.1);
            self.put(Op::Text { at, size, is_bold, colour, text });
            self.y += size * LINE;
        }
    }

    fn tiles(&mut self, row: &[Tile]) {
        let width = (TEXT_WIDTH - GAP * so_many(TILES - 1)) / so_many(TILES);
        let inner = width - 2.0 * PAD;
        let beside = |tile: &Tile| self.fonts.of(false).lines(&one_line(&tile.beside), 7.0, inner);
        let most = row.iter().map(|tile| beside(tile).len()).max().unwrap_or(0);
        let height = 2.0 * PAD + 33.0 + so_many(most) * 7.0 * 1.3;
        self.room(height + GAP);
        let top = self.y;
        for (at, tile) in row.iter().enumerate() {
            let left = MARGIN + so_many(at) * (width + GAP);
            let beside = self.fonts.of(false).lines(&one_line(&tile.beside), 7.0, inner);
            self.put(Op::Box { at: (left, top), size: (width, height), colour: PANEL });
            let text = |y: f32, size: f32, is_bold: bool, colour: Colour, text: String| Op::Text {
                at: (left + PAD, top + PAD + y),
                size,
                is_bold,
                colour,
                text,
            };
            let value = one_line(&tile.value);
            // what is too long for a tile is smaller
            let wide = self.fonts.of(true).width(&value, 15.0);
            let size = if wide > inner { (15.0 * inner / wide).max(6.0) } else { 15.0 };
            self.put(text(7.5, 7.5, false, SOFT, one_line(&tile.label)));
            self.put(text(26.0, size, true, colour_of(tile.tone), value));
            for (line, beside) in beside.into_iter().enumerate() {
                self.put(text(38.0 + so_many(line) * 9.1, 7.0, false, SOFT, beside));
            }
        }
        self.y = top + height + GAP;
    }

    fn picture(&mut self, svg: String) {
        let height = view_box(&svg).map_or(TEXT_WIDTH / 3.0, |(w, h)| TEXT_WIDTH * h / w);
        self.room(height + 6.0);
        let (at, size) = ((MARGIN, self.y + 4.0), (TEXT_WIDTH, height));
        self.put(Op::Picture { at, size, svg });
        self.y += height + 8.0;
    }

    /// All pages with their numbers, and where headings stand.
    pub(super) fn end(mut self, footer: &str) -> (Vec<Page>, Vec<Heading>) {
        let all = self.pages.len();
        for (page, number) in self.pages.iter_mut().zip(1_usize..) {
            let size = 7.5;
            let text = |x: f32, text: String| {
                let at = (x, HEIGHT - 30.0);
                Op::Text { at, size, is_bold: false, colour: SOFT, text }
            };
            let numbered = format!("Page {number} of {all}");
            let right = WIDTH - MARGIN - self.fonts.of(false).width(&numbered, size);
            let rule =
                Op::Box { at: (MARGIN, HEIGHT - 44.0), size: (TEXT_WIDTH, 0.5), colour: RULE };
            page.0.extend([rule, text(MARGIN, one_line(footer)), text(right, numbered)]);
        }
        (self.pages, self.headings)
    }
}

/// Width and height of one of our own charts.
fn view_box(svg: &str) -> Option<(f32, f32)> {
    let (_, rest) = svg.split_once("viewBox=\"0 0 ")?;
    let (both, _) = rest.split_once('"')?;
    let (width, height) = both.split_once(' ')?;
    Some((width.parse().ok()?, height.parse().ok()?))
}

/// A small number as what lengths are reckoned in.
pub(super) fn so_many(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}
