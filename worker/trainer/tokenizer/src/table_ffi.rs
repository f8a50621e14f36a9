//! The functions of table_ffi.h.

use crate::abi::{answer, PmBuffer, PmOutcome, PmText};
use crate::table::{self, Cell, Column, Format, Row, Rows};
use std::slice;

#[repr(C)]
pub struct PmColumn {
    name: PmText,
    required: bool,
}

/// Made by C++ alone.
#[repr(C)]
#[allow(dead_code)]
pub enum PmTableFormat {
    Csv = 0,
    Tsv = 1,
    Parquet = 2,
}

#[repr(C)]
pub enum PmCellKind {
    Null = 0,
    Text = 1,
    Json = 2,
}

#[repr(C)]
pub struct PmCell {
    kind: PmCellKind,
    value: PmText,
}

/// A table and the row that its caller looks at.
pub struct PmTable {
    rows: Box<dyn Rows>,
    row: Option<Row>,
}

impl From<PmTableFormat> for Format {
    fn from(format: PmTableFormat) -> Format {
        match format {
            PmTableFormat::Csv => Format::Csv,
            PmTableFormat::Tsv => Format::Tsv,
            PmTableFormat::Parquet => Format::Parquet,
        }
    }
}

impl From<&Cell> for PmCell {
    fn from(cell: &Cell) -> PmCell {
        let (kind, value) = match cell {
            Cell::Null => (PmCellKind::Null, ""),
            Cell::Text(text) => (PmCellKind::Text, text.as_str()),
            Cell::Json(json) => (PmCellKind::Json, json.as_str()),
        };
        PmCell {
            kind,
            value: value.into(),
        }
    }
}

/// # Safety
/// As table_ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_table_open(
    name: PmText,
    bytes: *const PmText,
    format: PmTableFormat,
    columns: *const PmColumn,
    count: usize,
    table: *mut *mut PmTable,
    error: *mut PmBuffer,
) -> PmOutcome {
    answer(error, || {
        let mut wanted = Vec::new();
        for column in slice::from_raw_parts(columns, count) {
            wanted.push(Column {
                name: column.name.text("the name of a column")?.to_owned(),
                required: column.required,
            });
        }
        let name = name.text("the name of a file")?;
        let bytes = bytes.as_ref().map(|bytes| bytes.bytes());
        let rows = table::open(name, bytes, format.into(), &wanted)?;
        table.write(Box::into_raw(Box::new(PmTable { rows, row: None })));
        Ok(Vec::new())
    })
}

/// # Safety
/// As table_ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_table_next(
    table: *mut PmTable,
    cells: *mut PmCell,
    number: *mut u64,
    error: *mut PmBuffer,
) -> PmOutcome {
    answer(error, || {
        let table = &mut *table;
        table.row = table.rows.next()?;
        number.write(table.row.as_ref().map_or(0, |row| row.number));
        for (at, cell) in table.row.iter().flat_map(|row| &row.cells).enumerate() {
            cells.add(at).write(cell.into());
        }
        Ok(Vec::new())
    })
}

/// # Safety
/// As table_ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_table_free(table: *mut PmTable) {
    if !table.is_null() {
        drop(Box::from_raw(table));
    }
}
