//! Lines as they are written: JSON as it came, comma-separated (RFC 4180), or as columns (Apache Parquet).

mod parquet;

use std::io::Write;

use anyhow::{Context, anyhow};
use serde_json::Value;

use self::parquet::Columns;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A line of JSON each.
    Lines,
    /// Comma-separated, with a line of heads.
    Csv,
    /// Columns with types.
    Parquet,
}

/// Writes lines.
pub(super) struct Writer<W: Write + Send> {
    columns: &'static [&'static str],
    sink: Sink<W>,
}

enum Sink<W: Write + Send> {
    Lines(W),
    Csv(W),
    Columns(Box<Columns<W>>),
}

impl<W: Write + Send> Writer<W> {
    /// Begins to write; heads are written at once.
    pub(super) fn new(
        form: Form,
        columns: &'static [&'static str],
        mut to: W,
    ) -> anyhow::Result<Self> {
        let sink = match form {
            Form::Lines => Sink::Lines(to),
            Form::Csv => {
                write!(to, "{}\r\n", columns.join(","))?;
                Sink::Csv(to)
            }
            Form::Parquet => Sink::Columns(Box::new(Columns::new(columns, to)?)),
        };
        Ok(Self { columns, sink })
    }

    /// Writes a line of JSON in the form that is wanted.
    pub(super) fn line(&mut self, line: &str) -> anyhow::Result<()> {
        match &mut self.sink {
            Sink::Lines(to) => writeln!(to, "{line}")?,
            Sink::Csv(to) => {
                let value = read(line)?;
                let fields = self.columns.iter().map(|column| field(value.get(column)));
                let fields: Vec<String> = fields.collect();
                write!(to, "{}\r\n", fields.join(","))?;
            }
            Sink::Columns(columns) => columns.row(&read(line)?)?,
        }
        Ok(())
    }

    /// Writes what is left, and gives back where it was written to.
    pub(super) fn finish(self) -> anyhow::Result<W> {
        let mut to = match self.sink {
            Sink::Lines(to) | Sink::Csv(to) => to,
            Sink::Columns(columns) => columns.finish()?,
        };
        to.flush()?;
        Ok(to)
    }
}

fn read(line: &str) -> anyhow::Result<Value> {
    let other = || anyhow!("the collector answered in another form: are both of the same version?");
    serde_json::from_str(line).with_context(other)
}

/// A value as text; nothing is no text.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A field of RFC 4180 section 2: quoted where it has to be.
fn field(value: Option<&Value>) -> String {
    let text = text(value);
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, lines: &[&str]) -> Vec<u8> {
        let mut writer = Writer::new(form, &["a", "b_us"], Vec::new()).unwrap();
        lines.iter().for_each(|line| writer.line(line).unwrap());
        writer.finish().unwrap()
    }

    #[test]
    fn lines_in_every_form() {
        let lines = [r#"{"b_us":1,"a":"x"}"#, r#"{"a":"say \"no\", twice\n","b_us":null,"c":2}"#];
        let text = |form, lines: &[&str]| String::from_utf8(written(form, lines)).unwrap();
        assert_eq!(text(Form::Lines, &lines), format!("{}\n{}\n", lines[0], lines[1]));
        let csv = "a,b_us\r\nx,1\r\n\"say \"\"no\"\", twice\n\",\r\n";
        assert_eq!(text(Form::Csv, &lines), csv);
        assert_eq!(text(Form::Csv, &[]), "a,b_us\r\n");
        assert_eq!(
            parquet::read_back(written(Form::Parquet, &lines)),
            ["{a: \"x\", b_us: 1}", "{a: \"say \"no\", twice\n\", b_us: 0}"]
        );
        assert!(parquet::read_back(written(Form::Parquet, &[])).is_empty());
    }
}
