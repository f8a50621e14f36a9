//! What chat templates expect of Python: raising, strftime and json.dumps.

use crate::paid::{PaidBytes, PaidText};
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{escape_formatter, Error, ErrorKind, Output, State};
use serde_json::Value as Json;
use std::ffi::CString;
use std::fmt::Display;

fn refused(what: &str, why: impl Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("{what}: {why}"))
}

pub fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// A job is a function of its spec, data and seed, so its prompts cannot hold today's date. This
/// is the date that Llama 3's templates fall back on: Friday, 26 July 2024.
pub fn strftime_now(format: String) -> Result<String, Error> {
    let what = "strftime_now";
    let format = CString::new(format).map_err(|_| refused(what, "the format holds a NUL"))?;
    // SAFETY: tm is numbers and a pointer that may be null.
    let mut moment: libc::tm = unsafe { std::mem::zeroed() };
    (moment.tm_year, moment.tm_mon, moment.tm_mday) = (124, 6, 26);
    (moment.tm_wday, moment.tm_yday) = (5, 207);
    let mut text = vec![0u8; 64 * (1 + format.as_bytes().len())];
    // SAFETY: strftime writes at most text.len() bytes into text and reads format up to its NUL.
    let size = unsafe {
        libc::strftime(
            text.as_mut_ptr().cast(),
            text.len(),
            format.as_ptr(),
            &moment,
        )
    };
    text.truncate(size);
    String::from_utf8(text).map_err(|e| refused(what, e))
}

/// repr() of a float.
pub fn float(number: f64) -> String {
    let text = format!("{number:e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    match exponent.parse::<i32>() {
        Ok(-4..=15) | Err(_) => format!("{number:?}"),
        Ok(e) => format!("{digits}e{}{:02}", if e < 0 { '-' } else { '+' }, e.abs()),
    }
}

/// As Jinja writes a value into the text.
pub fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if value.kind() == ValueKind::Number && !value.is_integer() {
        let number = f64::try_from(value.clone())?;
        return Ok(out.write_str(&float(number))?);
    }
    escape_formatter(out, state, value)
}

/// None is not iterable in Python, a text is.
pub fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// What has a length and can be indexed.
pub fn is_sequence(value: &Value) -> bool {
    let kind = value.kind();
    matches!(kind, ValueKind::String | ValueKind::Seq | ValueKind::Map) || value.is_undefined()
}

/// markupsafe.escape.
pub fn escape(value: &Value) -> Value {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    Value::from_safe_string(out)
}

/// json.dumps(value, ensure_ascii=False) and its keyword arguments.
pub fn tojson(state: &State, value: &Value, arguments: Kwargs) -> Result<String, Error> {
    let mut json = paid_json(state, value)?;
    if arguments.get::<Option<bool>>("sort_keys")?.unwrap_or(false) {
        json.sort_all_objects();
    }
    let style = JsonStyle::from_arguments(&arguments)?;
    arguments.assert_all_used()?;
    let mut text = PaidText::new(state);
    style.write(&json, 0, &mut text);
    text.finish()
}

/// Lists that repeat themselves take no memory before they are JSON.
fn paid_json(state: &State, value: &Value) -> Result<Json, Error> {
    let mut size = PaidBytes(PaidText::new(state));
    let written = serde_json::to_writer(&mut size, value);
    size.0.finish()?;
    let json = written.and_then(|()| serde_json::to_value(value));
    json.map_err(|e| refused("tojson", e))
}

struct JsonStyle {
    item_separator: String,
    key_separator: String,
    indent: Option<usize>,
    ascii: bool,
}

impl JsonStyle {
    fn from_arguments(arguments: &Kwargs) -> Result<JsonStyle, Error> {
        let indent: Option<usize> = arguments.get("indent")?;
        let separators: Option<Vec<String>> = arguments.get("separators")?;
        let [item_separator, key_separator] = match separators {
            Some(two) => two
                .try_into()
                .map_err(|_| refused("tojson", "separators takes two texts"))?,
            None if indent.is_some() => [",", ": "].map(String::from),
            None => [", ", ": "].map(String::from),
        };
        Ok(JsonStyle {
            item_separator,
            key_separator,
            indent,
            ascii: arguments
                .get::<Option<bool>>("ensure_ascii")?
                .unwrap_or(false),
        })
    }

    fn write(&self, value: &Json, depth: usize, out: &mut PaidText) {
        match value {
            Json::String(text) => self.write_string(text, out),
            Json::Array(items) if items.is_empty() => out.push("[]"),
            Json::Array(items) => {
                self.write_items("[", items, "]", depth, out, |item, out| {
                    self.write(item, depth + 1, out);
                });
            }
            Json::Object(map) if map.is_empty() => out.push("{}"),
            Json::Object(map) => {
                self.write_items("{", map, "}", depth, out, |(key, item), out| {
                    self.write_string(key, out);
                    out.push(&self.key_separator);
                    self.write(item, depth + 1, out);
                });
            }
            Json::Number(number) if number.is_f64() => {
                out.push(&float(number.as_f64().unwrap_or(f64::NAN)));
            }
            other => out.push(&other.to_string()),
        }
    }

    fn write_items<T>(
        &self,
        open: &str,
        items: impl IntoIterator<Item = T>,
        close: &str,
        depth: usize,
        out: &mut PaidText,
        mut write: impl FnMut(T, &mut PaidText),
    ) {
        out.push(open);
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                out.push(&self.item_separator);
            }
            self.write_line_start(depth + 1, out);
            write(item, out);
        }
        self.write_line_start(depth, out);
        out.push(close);
    }

    fn write_line_start(&self, depth: usize, out: &mut PaidText) {
        if let Some(indent) = self.indent {
            out.push("\n");
            out.push_times(" ", indent.saturating_mul(depth));
        }
    }

    fn write_string(&self, text: &str, out: &mut PaidText) {
        for c in Json::from(text).to_string().chars() {
            if self.ascii && !(' '..='~').contains(&c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push(&format!("\\u{unit:04x}"));
                }
            } else {
                out.push(c.encode_utf8(&mut [0; 4]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::Environment;

    fn dumped(value: &Value, arguments: Kwargs) -> Result<String, Error> {
        tojson(&Environment::new().empty_state(), value, arguments)
    }

    fn dump(json: &str, arguments: Kwargs) -> String {
        let json: Json = serde_json::from_str(json).unwrap();
        dumped(&Value::from(minijinja::value::Serde(json)), arguments).unwrap()
    }

    fn arguments<const N: usize>(pairs: [(&str, Value); N]) -> Kwargs {
        Kwargs::from_iter(pairs)
    }

    #[test]
    fn json_reads_as_python_writes_it() {
        let json = r#"{"b": [1, 2.5, true, null], "a": {"é\n": "<'&>"}, "e": [], "o": {}}"#;
        assert_eq!(dump(json, arguments([])), json);
        assert_eq!(
            dump(json, arguments([("sort_keys", true.into())])),
            r#"{"a": {"é\n": "<'&>"}, "b": [1, 2.5, true, null], "e": [], "o": {}}"#
        );
    }

    #[test]
    fn json_takes_indent_separators_and_ensure_ascii() {
        assert_eq!(
            dump(r#"{"a": [1, 2]}"#, arguments([("indent", 2.into())])),
            "{\n  \"a\": [\n    1,\n    2\n  ]\n}"
        );
        let tight = Value::from(vec![",", ":"]);
        assert_eq!(
            dump(r#"{"a": [1, 2]}"#, arguments([("separators", tight)])),
            r#"{"a":[1,2]}"#
        );
        assert_eq!(
            dump(r#""é😀""#, arguments([("ensure_ascii", true.into())])),
            r#""\u00e9\ud83d\ude00""#
        );
    }

    #[test]
    fn floats_read_as_python_writes_them() {
        for (number, text) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.25e100, "1.25e+100"),
            (0.0001, "0.0001"),
            (0.000015, "1.5e-05"),
            (123456789.123, "123456789.123"),
        ] {
            assert_eq!(float(number), text);
        }
        assert_eq!(
            dump("[1e20, 1e-7, 2.5]", arguments([])),
            "[1e+20, 1e-07, 2.5]"
        );
    }

    #[test]
    fn json_refuses_what_it_does_not_know() {
        assert!(dumped(&Value::from(1), arguments([("default", 1.into())])).is_err());
        let one = Value::from(vec![","]);
        assert!(dumped(&Value::from(1), arguments([("separators", one)])).is_err());
    }

    #[test]
    fn the_date_is_always_the_same() {
        let text = strftime_now("%d %b %Y, %A, day %j é".into()).unwrap();
        assert_eq!(text, "26 Jul 2024, Friday, day 208 é");
        assert_eq!(strftime_now(String::new()).unwrap(), "");
        assert!(strftime_now("\0".into()).is_err());
    }
}
