//! Methods of Python's str that minijinja_contrib does not know.

use minijinja::value::{from_args, Value};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat;

pub fn call(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) if method == "rsplit" => rsplit(text, args),
        Some(text) if method == "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            Ok(text.strip_prefix(prefix).unwrap_or(text).into())
        }
        Some(text) if method == "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            Ok(text.strip_suffix(suffix).unwrap_or(text).into())
        }
        Some(text) if method == "partition" => {
            let (at,): (&str,) = from_args(args)?;
            let parts = split_at(at, text.split_once(not_empty(at)?));
            Ok(Value::from_iter(parts.unwrap_or([text, "", ""])))
        }
        Some(text) if method == "rpartition" => {
            let (at,): (&str,) = from_args(args)?;
            let parts = split_at(at, text.rsplit_once(not_empty(at)?));
            Ok(Value::from_iter(parts.unwrap_or(["", "", text])))
        }
        _ => pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn not_empty(separator: &str) -> Result<&str, Error> {
    match separator {
        "" => Err(Error::new(ErrorKind::InvalidOperation, "empty separator")),
        text => Ok(text),
    }
}

fn split_at<'a>(at: &'a str, around: Option<(&'a str, &'a str)>) -> Option<[&'a str; 3]> {
    around.map(|(before, after)| [before, at, after])
}

fn rsplit(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator, most): (Option<&str>, Option<i64>) = from_args(args)?;
    let most = most.and_then(|m| usize::try_from(m).ok());
    let mut parts: Vec<&str> = match (separator, most) {
        (Some(at), Some(most)) => text.rsplitn(most + 1, not_empty(at)?).collect(),
        (Some(at), None) => text.rsplit(not_empty(at)?).collect(),
        (None, most) => rsplit_blanks(text, most.unwrap_or(usize::MAX)),
    };
    parts.reverse();
    Ok(Value::from_iter(parts))
}

/// From the last word to the first; what is left after `most` cuts stays whole.
fn rsplit_blanks(text: &str, most: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while parts.len() < most {
        let Some(at) = rest.rfind(char::is_whitespace) else {
            break;
        };
        let next = rest[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        parts.push(&rest[next..]);
        rest = rest[..at].trim_end();
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}
