//! Tables: rows one after the other, of each the cells of the columns that were asked for.

use crate::csv_rows::CsvRows;
use crate::error::{invalid, Result};
use crate::parquet_rows::ParquetRows;
use bytes::Bytes;
use std::fs::File;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Tsv,
    Parquet,
}

/// One that is not required may be missing from the file: its cells are Null then.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub required: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Null,
    Text(String),
    /// A number, truth value, list or object.
    Json(String),
}

#[derive(Debug)]
pub struct Row {
    /// From 1: the line in which a row of text begins, the place of a row of Parquet.
    pub number: u64,
    /// In the order of the columns that were asked for.
    pub cells: Vec<Cell>,
}

pub trait Rows {
    /// None at the end. After a failure there is nothing more to ask for.
    fn next(&mut self) -> Result<Option<Row>>;
}

/// `name` is the file's, for messages; its content is `bytes` where given.
pub fn open(
    name: &str,
    bytes: Option<&[u8]>,
    format: Format,
    columns: &[Column],
) -> Result<Box<dyn Rows>> {
    let file = || File::open(name).map_err(|e| invalid(format!("opening {name}: {e}")));
    let bytes = bytes.map(Bytes::copy_from_slice);
    match (format, bytes) {
        (Format::Parquet, Some(bytes)) => Ok(Box::new(ParquetRows::open(name, bytes, columns)?)),
        (Format::Parquet, None) => Ok(Box::new(ParquetRows::open(name, file()?, columns)?)),
        (text, bytes) => {
            let input: Box<dyn std::io::Read> = match bytes {
                Some(bytes) => Box::new(std::io::Cursor::new(bytes)),
                None => Box::new(file()?),
            };
            let delimiter = if text == Format::Tsv { b'\t' } else { b',' };
            Ok(Box::new(CsvRows::open(name, input, delimiter, columns)?))
        }
    }
}

/// Where each column stands among the file's.
pub fn places(name: &str, header: &[String], columns: &[Column]) -> Result<Vec<Option<usize>>> {
    let place = |column: &Column| {
        let mut found = (0..header.len()).filter(|&i| header[i] == column.name);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(invalid(format!(
                "{name} has two columns {:?}; allowed: one of a name",
                column.name
            ))),
            (None, _) if column.required => Err(invalid(format!(
                "{name} has no column {:?}; it has: {}",
                column.name,
                header.join(", ")
            ))),
            (place, _) => Ok(place),
        }
    };
    columns.iter().map(place).collect()
}

#[cfg(test)]
pub mod testing {
    use super::*;

    pub fn columns(names: &[&str]) -> Vec<Column> {
        let column = |name: &&str| Column {
            name: name.trim_end_matches('?').into(),
            required: !name.ends_with('?'),
        };
        names.iter().map(column).collect()
    }

    pub fn all(mut rows: Box<dyn Rows>) -> Result<Vec<(u64, Vec<Cell>)>> {
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push((row.number, row.cells));
        }
        Ok(out)
    }
}
