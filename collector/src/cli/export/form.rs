//! Lines as they are written: JSON as it came, comma-separated (RFC 4180), or as columns.

use std::io::Write;

use anyhow::Context;
use serde_json::Value;

use super::parquet::Table;
use crate::query::export::Holds;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A line of JSON each.
    Lines,
    /// Comma-separated, with a line of heads.
    Csv,
    /// Apache Parquet.
    Parquet,
}

/// What columns are called, and what they hold.
pub(super) type Columns = &'static [(&'static str, Holds)];

/// Writes lines.
pub(super) enum Writer<W: Write + Send> {
    Lines(W),
    Csv(Columns, W),
    Parquet(Box<Table<W>>),
}

impl<W: Write + Send> Writer<W> {
    pub(super) fn new(form: Form, columns: Columns, mut to: W) -> anyhow::Result<Self> {
        Ok(match form {
            Form::Lines => Self::Lines(to),
            Form::Csv => {
                let heads: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
                write!(to, "{}\r\n", heads.join(","))?;
                Self::Csv(columns, to)
            }
            Form::Parquet => Self::Parquet(Box::new(Table::new(columns, to)?)),
        })
    }

    /// Writes a line of JSON in the form that is wanted.
    pub(super) fn line(&mut self, line: &str) -> anyhow::Result<()> {
        match self {
            Self::Lines(to) => writeln!(to, "{line}")?,
            Self::Csv(columns, to) => {
                let value = read(line)?;
                let fields = columns.iter().map(|(column, _)| field(value.get(column)));
                let fields: Vec<String> = fields.collect();
                write!(to, "{}\r\n", fields.join(","))?;
            }
            Self::Parquet(table) => table.row(&read(line)?)?,
        }
        Ok(())
    }

    /// Writes what is left, and gives back where it was written to.
    pub(super) fn finish(self) -> anyhow::Result<W> {
        let mut to = match self {
            Self::Lines(to) | Self::Csv(_, to) => to,
            Self::Parquet(table) => table.finish()?,
        };
        to.flush()?;
        Ok(to)
    }
}

fn read(line: &str) -> anyhow::Result<Value> {
    serde_json::from_str(line)
        .context("the collector answered in another form: are both of the same version?")
}

/// A field of RFC 4180 section 2: quoted where it has to be.
fn field(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, lines: &[&str]) -> String {
        let columns = &[("a", Holds::Text), ("b", Holds::Number)];
        let mut writer = Writer::new(form, columns, Vec::new()).unwrap();
        lines.iter().for_each(|line| writer.line(line).unwrap());
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn lines_in_both_forms() {
        let lines = [r#"{"b":1,"a":"x"}"#, r#"{"a":"say \"no\", twice\n","b":null,"c":2}"#];
        assert_eq!(written(Form::Lines, &lines), format!("{}\n{}\n", lines[0], lines[1]));
        let csv = "a,b\r\nx,1\r\n\"say \"\"no\"\", twice\n\",\r\n";
        assert_eq!(written(Form::Csv, &lines), csv);
        assert_eq!(written(Form::Csv, &[]), "a,b\r\n");
    }
}
