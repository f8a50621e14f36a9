//! Text to token ids and back as tokenizer.json says, chats to text as the model's template says,
//! and the rows of CSV, TSV and Parquet files. `abi` and the two `_ffi` are the C interface (ffi.h,
//! tokenizer_ffi.h, table_ffi.h); nothing else here knows of C.

mod abi;
mod bounded;
mod chat;
mod config;
mod csv_rows;
mod error;
mod methods;
mod paid;
mod parquet_rows;
mod python;
mod stack;
mod table;
mod table_ffi;
mod tokenizer;
mod tokenizer_ffi;
