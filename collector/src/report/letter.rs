//! The report as a mail: its first page, with charts as pictures that the mail brings along, and a text for whoever
//! shows no HTML.

use super::document::{Block, Picture, Table, Tile, Tone};
use super::{ReportError, picture, summary};
use crate::query::ReportAnswer;
use crate::text::{html, one_line};

/// Tiles in a row: mails are read in narrow windows.
const TILES: usize = 3;

/// What a mail with the report says.
pub struct Letter {
    /// In a line.
    pub subject: String,
    /// Without any markup.
    pub text: String,
    /// The same as HTML, whose pictures are `cid:` and the name of one of these.
    pub html: String,
    /// Each by its name, as PNG.
    pub pictures: Vec<(String, Vec<u8>)>,
}

/// Writes it.
///
/// # Errors
/// When a chart cannot be drawn, which is a defect.
pub fn letter(report: &ReportAnswer) -> Result<Letter, ReportError> {
    let title = summary::title(report);
    let mut letter = Letter {
        subject: match report.is_kept {
            true => title.clone(),
            false => format!("{title} (preliminary)"),
        },
        text: format!("{title}\n\n"),
        html: format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
             <body style=\"font-family:sans-serif;color:#1c1e22;max-width:46em\">\n<h1 style=\"color:#183660\">{title}</h1>\n",
            title = html(&title)
        ),
        pictures: Vec::new(),
    };
    for block in summary::page(report) {
        letter.block(&block)?;
    }
    let last = "Everything else is in the PDF beside this: services and sites, what was left out, how it is counted.";
    letter.text.push_str(&format!("{last}\n"));
    letter.html.push_str(&format!("<p style=\"color:#606670\">{last}</p>\n</body></html>\n"));
    Ok(letter)
}

impl Letter {
    fn block(&mut self, block: &Block) -> Result<(), ReportError> {
        match block {
            Block::Heading(_, text) => {
                self.text.push_str(&format!("{}\n", one_line(text)));
                self.html.push_str(&format!("<h2 style=\"color:#183660\">{}</h2>\n", html(text)));
            }
            Block::Text(text) | Block::Note(text) => {
                self.text.push_str(&format!("{}\n\n", one_line(text)));
                self.html.push_str(&format!("<p>{}</p>\n", html(text)));
            }
            Block::Verdict(tone, text) => {
                self.text.push_str(&format!("{}\n\n", one_line(text)));
                self.html.push_str(&format!(
                    "<p style=\"font-size:1.2em;font-weight:bold;padding:8px 12px;background:#f3f5f8;\
                     border-left:5px solid {colour};color:{colour}\">{}</p>\n",
                    html(text),
                    colour = colour(*tone)
                ));
            }
            Block::Tiles(tiles) => self.tiles(tiles),
            Block::Table(table) => self.table(table),
            Block::Picture(chart, words) => self.picture(chart, words)?,
            Block::NewPage => {}
        }
        Ok(())
    }

    fn tiles(&mut self, tiles: &[Tile]) {
        self.html.push_str("<table cellspacing=\"6\" cellpadding=\"8\" role=\"presentation\">\n");
        for row in tiles.chunks(TILES) {
            self.html.push_str("<tr>");
            for tile in row {
                self.html.push_str(&format!(
                    "<td valign=\"top\" width=\"33%\" style=\"background:#f3f5f8\"><small>{}</small><br>\
                     <b style=\"font-size:1.3em;color:{}\">{}</b><br><small>{}</small></td>",
                    html(&tile.label),
                    colour(tile.tone),
                    html(&tile.value),
                    html(&tile.beside)
                ));
            }
            self.html.push_str("</tr>\n");
        }
        self.html.push_str("</table>\n");
        for tile in tiles {
            let [label, value, beside] =
                [&tile.label, &tile.value, &tile.beside].map(|text| one_line(text));
            self.text.push_str(&format!("{label}: {value} ({beside})\n"));
        }
        self.text.push('\n');
    }

    fn table(&mut self, table: &Table) {
        let align =
            |are_figures: bool| if are_figures { " align=\"right\"" } else { " align=\"left\"" };
        self.html.push_str("<table cellpadding=\"4\" style=\"border-collapse:collapse\">\n<tr>");
        for column in &table.columns {
            let head = html(column.head);
            self.html.push_str(&format!("<th{}>{head}</th>", align(column.are_figures)));
        }
        self.html.push_str("</tr>\n");
        for row in &table.rows {
            self.html.push_str("<tr style=\"border-top:1px solid #cdd1d7\">");
            for (cell, column) in row.iter().zip(&table.columns) {
                self.html.push_str(&format!(
                    "<td{} valign=\"top\" style=\"color:{}\">{}</td>",
                    align(column.are_figures),
                    colour(cell.tone),
                    html(&cell.text)
                ));
            }
            self.html.push_str("</tr>\n");
            let cells: Vec<String> = row.iter().map(|cell| one_line(&cell.text)).collect();
            self.text.push_str(&format!("- {}\n", cells.join("; ")));
        }
        self.html.push_str("</table>\n");
        self.text.push('\n');
    }

    fn picture(&mut self, chart: &Picture, words: &str) -> Result<(), ReportError> {
        let name = format!("chart-{}", self.pictures.len().saturating_add(1));
        self.html.push_str(&format!(
            "<p><img src=\"cid:{name}\" alt=\"{}\" width=\"640\" style=\"max-width:100%;height:auto\"></p>\n",
            html(words)
        ));
        self.text.push_str(&format!("{}\n\n", one_line(words)));
        self.pictures.push((name, picture::png(&chart.svg())?));
        Ok(())
    }
}

const fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "#1c1e22",
        Tone::Good => "#126236",
        Tone::Bad => "#a3152a",
        Tone::Doubtful => "#804e00",
    }
}
