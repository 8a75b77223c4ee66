//! XML read with suspicion: a bounded number of bounded elements, by their path, and no entity but the five
//! that every document has. quick-xml reads it; nothing is ever loaded.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The most elements of a document that are read.
const MOST_ELEMENTS: usize = 5_000;
/// The deepest that they may be nested.
const DEEPEST: usize = 32;
/// The most characters of a name, an attribute or a text that are kept.
const MOST_TEXT: usize = 256;

/// An element as it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Its name without a prefix.
    pub(super) name: String,
    /// Its attribute `type`.
    pub(super) kind: Option<String>,
    /// Its own text, without that of elements in it.
    pub(super) text: String,
}

/// Reads a document; `visit` gets each element when it ends, and how deep it stands, from 0.
///
/// # Errors
/// Why it is not well-formed, or goes beyond the bounds.
pub(super) fn read(document: &[u8], mut visit: impl FnMut(usize, &Element)) -> Result<(), String> {
    let mut reader = Reader::from_reader(document);
    let mut open: Vec<Element> = Vec::new();
    let (mut elements, mut buffer) = (0, Vec::new());
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer);
        match event
            .map_err(|error| format!("it is not well-formed XML: {}", cut(&error.to_string())))?
        {
            Event::Start(start) => {
                open.push(element(&start));
                elements += 1;
            }
            Event::Empty(start) => {
                visit(open.len(), &element(&start));
                elements += 1;
            }
            Event::End(_) => {
                if let Some(ended) = open.pop() {
                    visit(open.len(), &ended);
                }
            }
            Event::Text(text) => add(&mut open, &String::from_utf8_lossy(&text)),
            Event::CData(text) => add(&mut open, &String::from_utf8_lossy(&text)),
            Event::GeneralRef(name) => add(&mut open, entity(&name)),
            Event::Eof if open.is_empty() && elements > 0 => return Ok(()),
            Event::Eof => return Err("it ends too early to be XML".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
        if elements > MOST_ELEMENTS || open.len() > DEEPEST {
            return Err(format!("it has more than {MOST_ELEMENTS} elements or {DEEPEST} levels"));
        }
    }
}

fn element(start: &BytesStart<'_>) -> Element {
    let name = cut(&String::from_utf8_lossy(start.local_name().as_ref()));
    let kind = start.attributes().flatten().find(|a| a.key.as_ref() == b"type");
    let kind = kind.map(|attribute| cut(&String::from_utf8_lossy(&attribute.value)));
    Element { name, kind, text: String::new() }
}

fn add(open: &mut [Element], text: &str) {
    if let Some(innermost) = open.last_mut() {
        let room = MOST_TEXT.saturating_sub(innermost.text.chars().count());
        innermost.text.extend(text.chars().filter(|c| !c.is_control()).take(room));
    }
}

fn entity(name: &[u8]) -> &'static str {
    match name {
        b"amp" => "&",
        b"lt" => "<",
        b"gt" => ">",
        b"quot" => "\"",
        b"apos" => "'",
        _ => "\u{fffd}",
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_TEXT).collect()
}
