use std::fmt;

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
