//! Charts for whoever shows no SVG: as a tree for PDF, as a PNG for mail. Fonts come with the program, so that the same
//! chart is the same picture on every machine.

use std::sync::{Arc, OnceLock};

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Options, Tree};

use super::ReportError;

/// Pixels of a picture for each of the chart's: sharp on most screens.
const SCALE: u16 = 2;
/// A picture has so many pixels in a direction at most.
const MOST_PIXELS: u32 = 4_000;
/// What the fonts call themselves.
const FAMILY: &str = "Noto Sans";

fn fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    let made = || {
        let mut fonts = Database::new();
        for font in [notosans::REGULAR_TTF, notosans::BOLD_TTF] {
            fonts.load_font_source(Source::Binary(Arc::new(font)));
        }
        fonts.set_sans_serif_family(FAMILY);
        Arc::new(fonts)
    };
    FONTS.get_or_init(made).clone()
}

/// Reads one of our own charts.
///
/// # Errors
/// When it is no SVG, which is a defect.
pub(super) fn tree(svg: &str) -> Result<Tree, ReportError> {
    let options = Options { font_family: FAMILY.to_owned(), fontdb: fonts(), ..Options::default() };
    Tree::from_str(svg, &options).map_err(|error| ReportError::Chart(error.to_string()))
}

/// As a PNG on white, with its width and height in the chart's pixels.
///
/// # Errors
/// When it cannot be drawn, which is a defect.
pub(super) fn png(svg: &str) -> Result<Vec<u8>, ReportError> {
    let tree = tree(svg)?;
    let size = tree.size().to_int_size();
    let scaled = |pixels: u32| pixels.saturating_mul(SCALE.into()).min(MOST_PIXELS);
    let pixmap = Pixmap::new(scaled(size.width()), scaled(size.height()));
    let mut pixmap = pixmap.ok_or_else(|| ReportError::Chart("it has no size".to_owned()))?;
    pixmap.fill(Color::WHITE);
    let scale = f32::from(SCALE);
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| ReportError::Chart(error.to_string()))
}
