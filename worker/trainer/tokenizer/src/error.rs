use std::any::Any;
use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Who has to act: the one who gave the text, or the one who gave the model's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Invalid,
    Damaged,
}

#[derive(Clone, Debug)]
pub struct Error {
    pub kind: Kind,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Error>;

pub fn invalid(message: impl Into<String>) -> Error {
    let message = message.into();
    Error {
        kind: Kind::Invalid,
        message,
    }
}

pub fn damaged(file: &str, reason: impl fmt::Display) -> Error {
    let message = format!("{file} is damaged: {reason}");
    Error {
        kind: Kind::Damaged,
        message,
    }
}

/// Crates of others panic on some damaged files and some texts; that is a reason like any other.
pub fn unharmed<T, E: fmt::Display>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(panic) => Err(panic_text(panic.as_ref())),
    }
}

/// What a panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panic").to_owned()
}
