//! How wide text is, and where its lines break.

use krilla::text::Font;
use ttf_parser::Face;

/// Both weights.
pub(super) struct Fonts {
    regular: Typeface,
    bold: Typeface,
}

/// One font: to draw with, and to measure with.
pub(super) struct Typeface {
    pub(super) font: Font,
    face: Face<'static>,
    em: f32,
}

impl Fonts {
    /// Those that come with the program; `None` when they are none.
    pub(super) fn load() -> Option<Self> {
        let typeface = |bytes: &'static [u8]| {
            let face = Face::parse(bytes, 0).ok()?;
            let em = f32::from(face.units_per_em().max(1));
            Some(Typeface { font: Font::new(bytes.into(), 0)?, face, em })
        };
        Some(Self {
            regular: typeface(notosans::REGULAR_TTF)?,
            bold: typeface(notosans::BOLD_TTF)?,
        })
    }

    /// Of a weight.
    pub(super) const fn of(&self, is_bold: bool) -> &Typeface {
        if is_bold { &self.bold } else { &self.regular }
    }
}

impl Typeface {
    /// The width of a text.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        let advance = |c: char| {
            let glyph = self.face.glyph_index(c).unwrap_or(ttf_parser::GlyphId(0));
            f32::from(self.face.glyph_hor_advance(glyph).unwrap_or(0))
        };
        text.chars().map(advance).sum::<f32>() * size / self.em
    }

    /// The widest word of a text.
    pub(super) fn widest_word(&self, text: &str, size: f32) -> f32 {
        text.split(' ').map(|word| self.width(word, size)).fold(0.0, f32::max)
    }

    /// Lines that fit; a word that does not fit is broken.
    pub(super) fn lines(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.width(&longer, size) <= width {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line = self.broken(word, (size, width), &mut lines);
        }
        if !line.is_empty() || lines.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// Breaks a word where it must be; what is left of it begins a line.
    fn broken(&self, word: &str, (size, width): (f32, f32), lines: &mut Vec<String>) -> String {
        let mut line = String::new();
        for c in word.chars() {
            line.push(c);
            if self.width(&line, size) > width && line.chars().nth(1).is_some() {
                line.pop();
                lines.push(std::mem::replace(&mut line, c.to_string()));
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_or_within_long_ones() {
        let fonts = Fonts::load().unwrap();
        let face = fonts.of(false);
        let lines = face.lines("one two three-hundred-and-sixty-five", 10.0, 60.0);
        assert!(lines.len() >= 3 && lines[0] == "one two", "{lines:?}");
        assert!(lines.iter().all(|line| face.width(line, 10.0) <= 60.0), "{lines:?}");
        assert_eq!(lines.concat(), "one twothree-hundred-and-sixty-five");
        assert_eq!(face.lines("", 10.0, 60.0), [""]);
        assert_eq!(face.lines("Москва", 10.0, 0.1).len(), 6, "at least a letter each");
        assert!(fonts.of(true).width("Ωmega", 10.0) > face.width("Ωmega", 10.0));
    }
}
