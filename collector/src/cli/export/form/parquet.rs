//! Rows as columns of Apache Parquet: numbers where a column's name has their unit, else text.

use std::io::Write;
use std::sync::Arc;

use ::parquet::basic::{LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;
use serde_json::Value;

/// Rows that are held until they are written together.
const GROUP: usize = 16_384;

/// Columns that are being written.
pub(super) struct Columns<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: &'static [&'static str],
    held: Vec<Held>,
    rows: usize,
}

/// What is held of one column.
enum Held {
    Numbers(Vec<i64>),
    Texts(Vec<ByteArray>),
}

/// Columns of whole numbers have their unit as the end of their name.
fn is_number(column: &str) -> bool {
    column.ends_with("_us") || column == "minutes"
}

impl<W: Write + Send> Columns<W> {
    pub(super) fn new(columns: &'static [&'static str], to: W) -> anyhow::Result<Self> {
        let fields = columns.iter().map(|column| {
            let (physical, logical) = match is_number(column) {
                true => (Physical::INT64, None),
                false => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            };
            let field = Type::primitive_type_builder(column, physical)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(logical);
            field.build().map(Arc::new)
        });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("export").with_fields(fields).build()?;
        let properties = Arc::new(WriterProperties::builder().build());
        let writer = SerializedFileWriter::new(to, Arc::new(schema), properties)?;
        Ok(Self { writer, columns, held: empty(columns), rows: 0 })
    }

    pub(super) fn row(&mut self, value: &Value) -> anyhow::Result<()> {
        for (column, held) in self.columns.iter().zip(&mut self.held) {
            let value = value.get(column);
            match held {
                Held::Numbers(numbers) => {
                    numbers.push(value.and_then(Value::as_i64).unwrap_or_default());
                }
                Held::Texts(texts) => texts.push(super::text(value).into_bytes().into()),
            }
        }
        self.rows = self.rows.saturating_add(1);
        if self.rows >= GROUP { self.flush() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> anyhow::Result<W> {
        self.flush()?;
        Ok(self.writer.into_inner()?)
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let held = std::mem::replace(&mut self.held, empty(self.columns));
        if std::mem::take(&mut self.rows) == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for held in held {
            let Some(mut column) = group.next_column()? else { break };
            match held {
                Held::Numbers(numbers) => {
                    column.typed::<Int64Type>().write_batch(&numbers, None, None)?;
                }
                Held::Texts(texts) => {
                    column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
                }
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

fn empty(columns: &[&str]) -> Vec<Held> {
    let held = columns.iter().map(|column| match is_number(column) {
        true => Held::Numbers(Vec::new()),
        false => Held::Texts(Vec::new()),
    });
    held.collect()
}

/// Every row of a file, as the library reads it.
#[cfg(test)]
pub(super) fn read_back(file: Vec<u8>) -> Vec<String> {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect()
}
