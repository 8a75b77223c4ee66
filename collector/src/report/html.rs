//! The report as a page: one file that needs nothing else, in light, dark and print.

use super::document::{Block, Table, Tile, Tone};
use super::summary;
use crate::query::ReportAnswer;
use crate::text::html;

/// Colours follow what the reader's machine prefers; charts follow in `currentColor`. State is never told by colour alone.
const STYLE: &str = "\
:root{color-scheme:light dark;--good:light-dark(#17663a,#7fd6a3);--bad:light-dark(#a3152a,#ff9aa8);--doubtful:light-dark(#7a4a00,#f2c46b);--line:color-mix(in srgb,currentColor 20%,transparent);--soft:color-mix(in srgb,currentColor 5%,transparent)}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{line-height:1.2;margin-bottom:.2rem}h2{margin-top:2.5rem;border-bottom:2px solid var(--line)}h3{margin-top:1.8rem}\
.subtitle,.note{opacity:.8;font-size:.9em}\
.verdict{font-size:1.2em;font-weight:600;border-left:.4rem solid currentColor;padding:.6rem 1rem;background:var(--soft)}\
.good{color:var(--good)}.bad{color:var(--bad)}.doubtful{color:var(--doubtful)}\
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:.8rem;margin:1.2rem 0}\
dl div{background:var(--soft);border-radius:.4rem;padding:.7rem .8rem}\
dt{font-size:.85em;opacity:.85}dd{margin:0}dd.value{font-size:1.3em;text-wrap:balance;font-weight:600;line-height:1.3}dd.beside{font-size:.8em;opacity:.85}\
.wide{overflow-x:auto}\
table{border-collapse:collapse;width:100%;margin:.3rem 0 1rem;font-size:.88em;font-variant-numeric:tabular-nums}\
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line)}\
th{border-bottom-width:2px}td{overflow-wrap:break-word}.figures{text-align:right;white-space:nowrap}\
figure{margin:1.5rem 0}figcaption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}\
@media print{body{max-width:none;margin:0;font-size:10pt}h2{break-after:avoid}figure,tr,dl{break-inside:avoid}.page{break-before:page}}";

/// A page of the report.
pub(super) fn page(report: &ReportAnswer) -> String {
    let document = summary::document(report);
    let title = html(&document.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p class=\"subtitle\">{}</p>\n",
        html(&document.subtitle)
    );
    for block in &document.blocks {
        page.push_str(&shown(block));
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn shown(block: &Block) -> String {
    match block {
        Block::Heading(1, text) => format!("<h2>{}</h2>\n", html(text)),
        Block::Heading(_, text) => format!("<h3>{}</h3>\n", html(text)),
        Block::Text(text) => format!("<p>{}</p>\n", html(text)),
        Block::Note(text) => format!("<p class=\"note\">{}</p>\n", html(text)),
        Block::Verdict(tone, text) => {
            format!("<p class=\"verdict{}\">{}</p>\n", class(*tone), html(text))
        }
        Block::Tiles(tiles) => {
            let tiles: String = tiles.iter().map(tile).collect();
            format!("<dl>\n{tiles}</dl>\n")
        }
        Block::Table(table) => rows(table),
        Block::Picture(picture, words) => format!(
            "<figure>\n{}<figcaption>{}</figcaption>\n</figure>\n",
            picture.svg(),
            html(words)
        ),
        Block::NewPage => "<div class=\"page\"></div>\n".to_owned(),
    }
}

fn tile(tile: &Tile) -> String {
    format!(
        "<div><dt>{}</dt><dd class=\"value{}\">{}</dd><dd class=\"beside\">{}</dd></div>\n",
        html(&tile.label),
        class(tile.tone),
        html(&tile.value),
        html(&tile.beside)
    )
}

const fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => " good",
        Tone::Bad => " bad",
        Tone::Doubtful => " doubtful",
    }
}

fn rows(table: &Table) -> String {
    let class = |are_figures: bool, tone: Tone| match (are_figures, class(tone)) {
        (true, tone) => format!(" class=\"figures{tone}\""),
        (false, "") => String::new(),
        (false, tone) => format!(" class=\"{}\"", tone.trim_start()),
    };
    let heads = table.columns.iter().map(|column| {
        let class = class(column.are_figures, Tone::Plain);
        format!("<th scope=\"col\"{class}>{}</th>", html(column.head))
    });
    let mut shown = format!(
        "<div class=\"wide\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n",
        heads.collect::<String>()
    );
    for row in &table.rows {
        let cells = row.iter().zip(&table.columns).map(|(cell, column)| {
            format!("<td{}>{}</td>", class(column.are_figures, cell.tone), html(&cell.text))
        });
        shown.push_str(&format!("<tr>{}</tr>\n", cells.collect::<String>()));
    }
    shown.push_str("</tbody>\n</table></div>\n");
    shown
}
