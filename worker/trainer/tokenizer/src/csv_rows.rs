//! CSV and TSV: the first row names the columns; quotes as RFC 4180 has them, in both.

use crate::error::{damaged, invalid, Error, Result};
use crate::table::{places, Cell, Column, Row, Rows};
use csv::ByteRecord;
use std::io::Read;

/// Comes after the last row. A quote that is never closed swallows it, which is how we know of one.
const END: &[u8] = b"\n\0end of table\0";

pub struct CsvRows {
    name: String,
    reader: csv::Reader<Box<dyn Read>>,
    record: ByteRecord,
    columns: Vec<Column>,
    places: Vec<Option<usize>>,
    width: usize,
}

impl CsvRows {
    pub fn open(
        name: &str,
        input: Box<dyn Read>,
        delimiter: u8,
        columns: &[Column],
    ) -> Result<CsvRows> {
        let input: Box<dyn Read> = Box::new(input.chain(END));
        let mut rows = CsvRows {
            name: name.to_owned(),
            reader: csv::ReaderBuilder::new()
                .delimiter(delimiter)
                .terminator(csv::Terminator::Any(b'\n'))
                .has_headers(false)
                .flexible(true)
                .from_reader(input),
            record: ByteRecord::new(),
            columns: columns.to_vec(),
            places: Vec::new(),
            width: 0,
        };
        if !rows.read()? {
            return Err(invalid(format!("data file {name} holds no rows")));
        }
        let header: Result<Vec<String>> = (0..rows.record.len())
            .map(|place| rows.text(place, "the name of a column"))
            .collect();
        rows.places = places(name, &header?, columns)?;
        rows.width = rows.record.len();
        Ok(rows)
    }

    /// False at the end.
    fn read(&mut self) -> Result<bool> {
        loop {
            let read = self.reader.read_byte_record(&mut self.record);
            if !read.map_err(|e| damaged(&self.name, e))? || self.record[0] == END[1..] {
                return Ok(false);
            }
            let last = self.record.len() - 1;
            if self.is_open() {
                return Err(self.wrong("has a quote that is never closed".into()));
            }
            if last > 0 || !self.bytes(0).is_empty() {
                return Ok(true);
            }
        }
    }

    /// The record goes on to the end because a quote was never closed.
    fn is_open(&self) -> bool {
        self.record.as_slice().ends_with(END)
    }

    /// A line may end with CR LF.
    fn bytes(&self, place: usize) -> &[u8] {
        let bytes = &self.record[place];
        let last = place + 1 == self.record.len();
        bytes.strip_suffix(b"\r").filter(|_| last).unwrap_or(bytes)
    }

    /// Where the record begins. The reader stands behind it, and skips empty lines before it.
    fn line(&self) -> u64 {
        let inside = self.record.as_slice().iter().filter(|&&b| b == b'\n');
        let inside = inside.count() + usize::from(!self.is_open());
        self.reader.position().line() - inside as u64
    }

    fn wrong(&self, what: String) -> Error {
        invalid(format!("{} line {} {what}", self.name, self.line()))
    }

    fn text(&self, place: usize, what: &str) -> Result<String> {
        let text = std::str::from_utf8(self.bytes(place));
        text.map(str::to_owned).map_err(|e| {
            let at = e.valid_up_to();
            self.wrong(format!("has no valid UTF-8: {what}, from its byte {at} on"))
        })
    }

    fn cell(&self, column: &Column, place: Option<usize>) -> Result<Cell> {
        let Some(place) = place else {
            return Ok(Cell::Null);
        };
        let what = format!("column {:?}", column.name);
        Ok(Cell::Text(self.text(place, &what)?))
    }
}

impl Rows for CsvRows {
    fn next(&mut self) -> Result<Option<Row>> {
        if !self.read()? {
            return Ok(None);
        }
        if self.record.len() != self.width {
            let (has, width) = (self.record.len(), self.width);
            return Err(self.wrong(format!(
                "has {has} fields; allowed: {width}, as many as the first line names"
            )));
        }
        let columns = self.columns.iter().zip(&self.places);
        let cells: Result<Vec<Cell>> = columns.map(|(c, &place)| self.cell(c, place)).collect();
        Ok(Some(Row {
            number: self.line(),
            cells: cells?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::table::testing::{all, columns};
    use crate::table::{open, Format};

    fn read(format: Format, text: &[u8], names: &[&str]) -> Result<Vec<(u64, Vec<Cell>)>> {
        all(open("t.csv", Some(text), format, &columns(names))?)
    }

    fn texts(cells: &[&str]) -> Vec<Cell> {
        cells.iter().map(|&text| Cell::Text(text.into())).collect()
    }

    #[test]
    fn rows_have_the_line_in_which_they_begin() {
        let text = b"a,b,c\r\n1,\"x \"\"y\"\",\r\nz\",\r\n\r\n\n3,4,5";
        let expected = vec![(2, texts(&["x \"y\",\r\nz", "1"])), (6, texts(&["4", "3"]))];
        assert_eq!(read(Format::Csv, text, &["b", "a"]).unwrap(), expected);
    }

    #[test]
    fn tabs_part_the_fields_of_tsv() {
        let text = b"\xef\xbb\xbftext\tlabel\na, \"b\"\t\n";
        let expected = vec![(2, texts(&["a, \"b\"", ""]))];
        assert_eq!(
            read(Format::Tsv, text, &["text", "label"]).unwrap(),
            expected
        );
    }

    #[test]
    fn a_column_that_is_not_required_may_be_missing() {
        let rows = read(Format::Csv, b"a\n1\n", &["b?", "a"]).unwrap();
        assert_eq!(rows, [(2, vec![Cell::Null, Cell::Text("1".into())])]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, sentence) in [
            (
                &b"a,b\n1,2\n3\n"[..],
                "t.csv line 3 has 1 fields; allowed: 2, as many as the first line names",
            ),
            (
                b"a,b\n1,2\n3,\"4\n5,6\n",
                "t.csv line 3 has a quote that is never closed",
            ),
            (
                b"a,\"b\n1,2\n",
                "t.csv line 1 has a quote that is never closed",
            ),
            (
                b"a,b\n1,\xff\n",
                "t.csv line 2 has no valid UTF-8: column \"b\", from its byte 0 on",
            ),
            (
                b"a,\xff\n",
                "t.csv line 1 has no valid UTF-8: the name of a column, from its byte 0 on",
            ),
            (b"a,c\n1,2\n", "t.csv has no column \"b\"; it has: a, c"),
            (
                b"b,a,b\n1,2,3\n",
                "t.csv has two columns \"b\"; allowed: one of a name",
            ),
            (b"", "data file t.csv holds no rows"),
            (b"\n\n", "data file t.csv holds no rows"),
        ] {
            let error = read(Format::Csv, text, &["a", "b"]).unwrap_err();
            assert_eq!(
                (error.kind, error.message.as_str()),
                (Kind::Invalid, sentence)
            );
        }
    }
}
