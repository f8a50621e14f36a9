//! Parquet: text columns are text; lists, objects and numbers are JSON.

use crate::error::{damaged, invalid, panic_text, Error, Result};
use crate::table::{places, Cell, Column, Row, Rows};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::Field;
use parquet::schema::types::Type;
use serde_json::{Map, Value as Json};
use std::panic::{catch_unwind, AssertUnwindSafe};

pub struct ParquetRows {
    name: String,
    rows: RowIter<'static>,
    number: u64,
    columns: Vec<Column>,
    /// Where each column stands among the file's columns that are read.
    places: Vec<Option<usize>>,
}

impl ParquetRows {
    pub fn open<R: ChunkReader + 'static>(
        name: &str,
        input: R,
        columns: &[Column],
    ) -> Result<ParquetRows> {
        let reader = unharmed(name, || SerializedFileReader::new(input))?;
        check_compression(name, reader.metadata())?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let (wanted, places) = projection(name, schema.root_schema(), columns)?;
        let rows = unharmed(name, || {
            RowIter::from_file_into(Box::new(reader)).project(Some(wanted))
        })?;
        Ok(ParquetRows {
            name: name.to_owned(),
            rows,
            number: 0,
            columns: columns.to_vec(),
            places,
        })
    }

    fn cell(&self, column: &Column, field: &Field) -> Result<Cell> {
        let cell = match field {
            Field::Null => Ok(Cell::Null),
            Field::Str(text) => Ok(Cell::Text(text.clone())),
            Field::Bytes(bytes) => text_of(bytes.data()).map(Cell::Text),
            other => json_of(other).map(|json| Cell::Json(json.to_string())),
        };
        let (name, number) = (&self.name, self.number);
        cell.map_err(|e| invalid(format!("{name} row {number}: column {:?} {e}", column.name)))
    }
}

impl Rows for ParquetRows {
    fn next(&mut self) -> Result<Option<Row>> {
        let rows = &mut self.rows;
        let Some(row) = unharmed(&self.name, || rows.next().transpose())? else {
            return Ok(None);
        };
        self.number += 1;
        let fields = row.into_columns();
        let cell = |(column, place): (&Column, &Option<usize>)| match place {
            Some(place) => self.cell(column, &fields[*place].1),
            None => Ok(Cell::Null),
        };
        let cells: Result<Vec<Cell>> = self.columns.iter().zip(&self.places).map(cell).collect();
        Ok(Some(Row {
            number: self.number,
            cells: cells?,
        }))
    }
}

/// The part of the schema that the columns need, and where in it each of them stands.
fn projection(name: &str, schema: &Type, columns: &[Column]) -> Result<(Type, Vec<Option<usize>>)> {
    let fields = schema.get_fields();
    let header: Vec<String> = fields.iter().map(|f| f.name().into()).collect();
    let in_file = places(name, &header, columns)?;
    let mut read: Vec<usize> = in_file.iter().flatten().copied().collect();
    read.sort_unstable();
    read.dedup();
    let place = |i: usize| read.iter().position(|&r| r == i);
    let places = in_file.iter().map(|i| i.and_then(place)).collect();
    let wanted = read.iter().map(|&i| fields[i].clone()).collect();
    let wanted = Type::group_type_builder(schema.name()).with_fields(wanted);
    Ok((unharmed(name, || wanted.build())?, places))
}

/// The crate panics on some damaged files.
fn unharmed<T>(
    name: &str,
    work: impl FnOnce() -> std::result::Result<T, ParquetError>,
) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(damaged_file(name, error)),
        Err(panic) => Err(damaged(name, panic_text(panic.as_ref()))),
    }
}

fn damaged_file(name: &str, error: ParquetError) -> Error {
    match error {
        ParquetError::NYI(what) => invalid(format!("{name} cannot be read: {what}")),
        ParquetError::General(what) | ParquetError::EOF(what) => damaged(name, what),
        other => damaged(name, other),
    }
}

fn check_compression(name: &str, file: &ParquetMetaData) -> Result<()> {
    for column in file.row_groups().iter().flat_map(|group| group.columns()) {
        match column.compression() {
            Compression::UNCOMPRESSED
            | Compression::SNAPPY
            | Compression::GZIP(_)
            | Compression::ZSTD(_) => {}
            other => {
                return Err(invalid(format!(
                    "{name} is compressed with {other}; allowed: UNCOMPRESSED, SNAPPY, GZIP, ZSTD"
                )))
            }
        }
    }
    Ok(())
}

fn text_of(bytes: &[u8]) -> std::result::Result<String, String> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned)
        .map_err(|e| format!("is no valid UTF-8 from byte {} on", e.valid_up_to()))
}

/// Dates, decimals and the like become text.
fn json_of(field: &Field) -> std::result::Result<Json, String> {
    Ok(match field {
        Field::Null => Json::Null,
        Field::Bool(truth) => (*truth).into(),
        Field::Byte(n) => (*n).into(),
        Field::Short(n) => (*n).into(),
        Field::Int(n) => (*n).into(),
        Field::Long(n) => (*n).into(),
        Field::UByte(n) => (*n).into(),
        Field::UShort(n) => (*n).into(),
        Field::UInt(n) => (*n).into(),
        Field::ULong(n) => (*n).into(),
        Field::Float(n) => (*n).into(),
        Field::Double(n) => (*n).into(),
        Field::Float16(n) => f32::from(*n).into(),
        Field::Str(text) => text.as_str().into(),
        Field::Bytes(bytes) => text_of(bytes.data())?.into(),
        Field::Group(row) => {
            let entries = row.get_column_iter();
            let entries = entries.map(|(key, value)| Ok((key.clone(), json_of(value)?)));
            Json::Object(entries.collect::<std::result::Result<Map<_, _>, String>>()?)
        }
        Field::ListInternal(list) => {
            let items = list.elements().iter().map(json_of);
            Json::Array(items.collect::<std::result::Result<_, String>>()?)
        }
        Field::MapInternal(map) => {
            let entries = map.entries().iter();
            let entries = entries.map(|(key, value)| Ok((map_key(key), json_of(value)?)));
            Json::Object(entries.collect::<std::result::Result<Map<_, _>, String>>()?)
        }
        other => other.to_string().into(),
    })
}

fn map_key(key: &Field) -> String {
    match key {
        Field::Str(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::table::testing::{all, columns};
    use crate::table::{open, Format};
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    const SCHEMA: &str = "message rows {
        optional binary text (UTF8);
        required int64 label;
        optional group messages (LIST) { repeated group list { optional group element {
            optional binary role (UTF8); optional binary content (UTF8); } } }
    }";

    /// Two row groups of two rows: (a, 0, [user: hi, assistant: null]), (null, 1, null), twice.
    fn file(compression: Compression) -> Vec<u8> {
        let properties = WriterProperties::builder().set_compression(compression);
        let mut out = Vec::new();
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let mut writer =
            SerializedFileWriter::new(&mut out, schema, Arc::new(properties.build())).unwrap();
        for _ in 0..2 {
            let mut group = writer.next_row_group().unwrap();
            let mut text = |values: &[&str], levels: &[i16], repeats: Option<&[i16]>| {
                let values: Vec<ByteArray> = values.iter().map(|&v| v.into()).collect();
                let mut column = group.next_column().unwrap().unwrap();
                let typed = column.typed::<ByteArrayType>();
                typed.write_batch(&values, Some(levels), repeats).unwrap();
                column.close().unwrap();
            };
            text(&["a"], &[1, 0], None);
            let mut column = group.next_column().unwrap().unwrap();
            let typed = column.typed::<Int64Type>();
            typed.write_batch(&[0, 1], None, None).unwrap();
            column.close().unwrap();
            let mut text = |values: &[&str], levels: &[i16], repeats: &[i16]| {
                let values: Vec<ByteArray> = values.iter().map(|&v| v.into()).collect();
                let mut column = group.next_column().unwrap().unwrap();
                let typed = column.typed::<ByteArrayType>();
                typed
                    .write_batch(&values, Some(levels), Some(repeats))
                    .unwrap();
                column.close().unwrap();
            };
            text(&["user", "assistant"], &[4, 4, 0], &[0, 1, 0]);
            text(&["hi"], &[4, 3, 0], &[0, 1, 0]);
            group.close().unwrap();
        }
        writer.close().unwrap();
        out
    }

    fn read(bytes: &[u8], names: &[&str]) -> Result<Vec<(u64, Vec<Cell>)>> {
        all(open(
            "t.parquet",
            Some(bytes),
            Format::Parquet,
            &columns(names),
        )?)
    }

    #[test]
    fn cells_are_text_or_json_in_the_order_asked_for() {
        let messages = r#"[{"role":"user","content":"hi"},{"role":"assistant","content":null}]"#;
        let first = vec![
            Cell::Json(messages.into()),
            Cell::Text("a".into()),
            Cell::Null,
            Cell::Json("0".into()),
        ];
        let second = vec![Cell::Null, Cell::Null, Cell::Null, Cell::Json("1".into())];
        let expected: Vec<(u64, Vec<Cell>)> = (1..)
            .zip([first.clone(), second.clone(), first, second])
            .collect();
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::ZSTD(Default::default()),
        ] {
            let names = ["messages", "text", "none?", "label"];
            assert_eq!(read(&file(compression), &names).unwrap(), expected);
        }
    }

    #[test]
    fn a_missing_column_is_named_with_those_there_are() {
        let error = read(&file(Compression::SNAPPY), &["prompt"]).unwrap_err();
        let sentence = r#"t.parquet has no column "prompt"; it has: text, label, messages"#;
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::Invalid, sentence)
        );
    }

    #[test]
    fn damage_is_told_wherever_it_is() {
        let whole = file(Compression::ZSTD(Default::default()));
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            for bytes in [&bytes[..], &whole[..at]] {
                if let Err(error) = read(bytes, &["text", "messages"]) {
                    assert!(error.message.contains("t.parquet"), "{}", error.message);
                }
            }
            assert_eq!(
                read(&whole[..at], &["text"]).unwrap_err().kind,
                Kind::Damaged
            );
        }
    }
}
