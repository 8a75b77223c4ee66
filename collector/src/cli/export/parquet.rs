//! Lines as typed columns: Apache Parquet, compressed with zstd, in row groups of bounded size.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use serde_json::Value;

use super::form::Columns;
use crate::query::export::Holds;

/// Rows that are held at once: about 15 MB of observations.
const GROUP: usize = 65_536;

/// A file that is written group by group.
pub(super) struct Table<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<(&'static str, Column)>,
    rows: usize,
}

/// What is held of a column.
enum Column {
    Text(Vec<ByteArray>),
    Number(Vec<i64>),
    Flag(Vec<bool>),
    Moment(Vec<i64>),
}

impl<W: Write + Send> Table<W> {
    pub(super) fn new(columns: Columns, to: W) -> anyhow::Result<Self> {
        let fields = columns.iter().map(|(name, holds)| kind(name, *holds).map(Arc::new));
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("mailsonde").with_fields(fields).build()?;
        let zstd = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder().set_compression(zstd).build();
        let file = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties))?;
        let columns = columns.iter().map(|(name, holds)| (*name, Column::of(*holds))).collect();
        Ok(Self { file, columns, rows: 0 })
    }

    pub(super) fn row(&mut self, value: &Value) -> anyhow::Result<()> {
        for (name, column) in &mut self.columns {
            column.push(value.get(*name)).with_context(|| {
                format!("the collector's {name} is of another form: are both of the same version?")
            })?;
        }
        self.rows += 1;
        if self.rows == GROUP { self.write() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> anyhow::Result<W> {
        if self.rows > 0 {
            self.write()?;
        }
        Ok(self.file.into_inner()?)
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let mut group = self.file.next_row_group()?;
        for (_, column) in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Column {
    const fn of(holds: Holds) -> Self {
        match holds {
            Holds::Text => Self::Text(Vec::new()),
            Holds::Number => Self::Number(Vec::new()),
            Holds::Flag => Self::Flag(Vec::new()),
            Holds::Moment => Self::Moment(Vec::new()),
        }
    }

    /// Nothing where the value is of another type.
    fn push(&mut self, value: Option<&Value>) -> Option<()> {
        let value = value?;
        match self {
            Self::Text(texts) => texts.push(ByteArray::from(value.as_str()?)),
            Self::Number(numbers) => numbers.push(value.as_i64()?),
            Self::Flag(flags) => flags.push(value.as_bool()?),
            Self::Moment(moments) => moments.push(match value {
                Value::String(text) => text.parse::<Timestamp>().ok()?.as_microsecond(),
                other => other.as_i64()?,
            }),
        }
        Some(())
    }

    /// Writes what is held, and holds nothing any more.
    fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> anyhow::Result<()> {
        let mut next = group.next_column()?.context("the file has no such column")?;
        match self {
            Self::Text(texts) => {
                next.typed::<ByteArrayType>().write_batch(texts, None, None)?;
                texts.clear();
            }
            Self::Number(numbers) | Self::Moment(numbers) => {
                next.typed::<Int64Type>().write_batch(numbers, None, None)?;
                numbers.clear();
            }
            Self::Flag(flags) => {
                next.typed::<BoolType>().write_batch(flags, None, None)?;
                flags.clear();
            }
        }
        Ok(next.close()?)
    }
}

/// Every column has a value in every row.
fn kind(name: &str, holds: Holds) -> parquet::errors::Result<Type> {
    let (physical, logical) = match holds {
        Holds::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Holds::Number => (Physical::INT64, None),
        Holds::Flag => (Physical::BOOLEAN, None),
        Holds::Moment => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(logical)
        .build()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use serde_json::json;

    use super::*;

    const COLUMNS: Columns = &[
        ("who", Holds::Text),
        ("when", Holds::Moment),
        ("many", Holds::Number),
        ("late", Holds::Flag),
    ];

    fn read_back(rows: impl Iterator<Item = Value>) -> Vec<String> {
        let mut table = Table::new(COLUMNS, Vec::new()).unwrap();
        rows.for_each(|row| table.row(&row).unwrap());
        let reader = SerializedFileReader::new(Bytes::from(table.finish().unwrap())).unwrap();
        reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
    }

    #[test]
    fn rows_are_read_back_as_they_were() {
        let rows = [
            json!({ "who": "Zürich", "when": "2026-10-25T01:30:00.5Z", "many": 7, "late": true }),
            json!({ "who": "", "when": -1, "many": -9_223_372_036_854_775_808_i64, "late": false }),
        ];
        insta::assert_snapshot!(read_back(rows.into_iter()).join("\n"), @r#"
        {who: "Zürich", when: 2026-10-25 01:30:00.500000 +00:00, many: 7, late: true}
        {who: "", when: 1969-12-31 23:59:59.999999 +00:00, many: -9223372036854775808, late: false}
        "#);
        assert_eq!(read_back(std::iter::empty()), Vec::<String>::new());
    }

    #[test]
    fn more_rows_than_a_group_holds() {
        let many = i64::try_from(GROUP).unwrap() + 1;
        let rows = (0..many).map(|n| json!({ "who": "x", "when": n, "many": n, "late": false }));
        let read = read_back(rows);
        assert_eq!(read.len(), GROUP + 1);
        assert!(read[GROUP].contains("many: 65536"), "{}", read[GROUP]);
    }

    #[test]
    fn another_form_is_refused() {
        let mut table = Table::new(COLUMNS, Vec::new()).unwrap();
        for row in [json!({}), json!({ "who": 1, "when": 0, "many": 0, "late": false })] {
            assert!(table.row(&row).unwrap_err().to_string().contains("who is of another form"));
        }
        let row = json!({ "who": "", "when": "yesterday", "many": 0, "late": false });
        assert!(table.row(&row).unwrap_err().to_string().contains("when is of another form"));
    }
}
