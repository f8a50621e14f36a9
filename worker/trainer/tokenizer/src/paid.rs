//! Text whose bytes a template pays for, so that it cannot ask for more than there is memory.

use minijinja::{Error, State};
use std::io;

const BYTES_A_FUEL: usize = 64;

/// Nothing is added once the fuel has run out.
pub struct PaidText<'a> {
    state: &'a State<'a, 'a>,
    text: String,
    unpaid: usize,
    failure: Option<Error>,
}

impl<'a> PaidText<'a> {
    pub fn new(state: &'a State) -> PaidText<'a> {
        PaidText {
            state,
            text: String::new(),
            unpaid: 0,
            failure: None,
        }
    }

    pub fn push(&mut self, text: &str) {
        self.push_times(text, 1);
    }

    pub fn push_times(&mut self, text: &str, times: usize) {
        if self.pay(text.len().saturating_mul(times)) {
            self.text.push_str(&text.repeat(times));
        }
    }

    pub fn finish(self) -> Result<String, Error> {
        self.failure.map_or(Ok(self.text), Err)
    }

    /// Whether there was enough.
    fn pay(&mut self, bytes: usize) -> bool {
        if self.failure.is_none() {
            let bytes = bytes.saturating_add(self.unpaid);
            self.unpaid = bytes % BYTES_A_FUEL;
            let fuel = (bytes / BYTES_A_FUEL) as u64;
            self.failure = self.state.consume_fuel(fuel).err();
        }
        self.failure.is_none()
    }
}

/// Pays for bytes that it does not keep.
pub struct PaidBytes<'a>(pub PaidText<'a>);

impl io::Write for PaidBytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.pay(bytes.len()) {
            return Ok(bytes.len());
        }
        Err(io::Error::other("out of fuel"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
