//! Lines as they are written: JSON as it came, or comma-separated (RFC 4180).

use std::io::Write;

use anyhow::Context;
use serde_json::Value;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A line of JSON each.
    Lines,
    /// Comma-separated, with a line of heads.
    Csv,
}

/// Writes lines.
pub(super) struct Writer<W: Write> {
    form: Form,
    columns: &'static [&'static str],
    to: W,
    has_heads: bool,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(form: Form, columns: &'static [&'static str], to: W) -> Self {
        Self { form, columns, to, has_heads: false }
    }

    /// Writes a line of JSON in the form that is wanted.
    pub(super) fn line(&mut self, line: &str) -> anyhow::Result<()> {
        match self.form {
            Form::Lines => writeln!(self.to, "{line}")?,
            Form::Csv => {
                self.heads()?;
                let value: Value = serde_json::from_str(line).context(
                    "the collector answered in another form: are both of the same version?",
                )?;
                let fields = self.columns.iter().map(|column| field(value.get(column)));
                let fields: Vec<String> = fields.collect();
                write!(self.to, "{}\r\n", fields.join(","))?;
            }
        }
        Ok(())
    }

    /// Writes what is left, and gives back where it was written to.
    pub(super) fn finish(mut self) -> anyhow::Result<W> {
        if self.form == Form::Csv {
            self.heads()?;
        }
        self.to.flush()?;
        Ok(self.to)
    }

    fn heads(&mut self) -> std::io::Result<()> {
        if !std::mem::replace(&mut self.has_heads, true) {
            write!(self.to, "{}\r\n", self.columns.join(","))?;
        }
        Ok(())
    }
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
        let mut writer = Writer::new(form, &["a", "b"], Vec::new());
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
