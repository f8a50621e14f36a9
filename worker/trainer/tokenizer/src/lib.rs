//! Text to token ids and back as tokenizer.json says, chats to text as the model's template says.
//! `ffi` is the C interface (tokenizer_ffi.h); nothing else here knows of C.

mod chat;
mod config;
mod error;
mod ffi;
mod python;
mod tokenizer;
