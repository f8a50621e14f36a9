//! What the functions of all C headers share (ffi.h). No panic leaves them: it becomes kPmFault with
//! its message.

use crate::error::{damaged, invalid, panic_text, Error, Kind, Result};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::slice;

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PmOutcome {
    Ok = 0,
    Invalid = 1,
    Damaged = 2,
    Fault = 3,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct PmText {
    pub data: *const u8,
    pub size: usize,
}

#[repr(C)]
pub struct PmBuffer {
    data: *mut u8,
    size: usize,
}

impl PmText {
    /// SAFETY: `data` points to `size` bytes that live for 'a, or `size` is 0.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.size == 0 {
            return &[];
        }
        slice::from_raw_parts(self.data, self.size)
    }

    /// SAFETY: as bytes().
    pub unsafe fn text<'a>(self, name: &str) -> Result<&'a str> {
        self.utf8().map_err(|e| invalid(format!("{name} {e}")))
    }

    /// SAFETY: as bytes().
    pub unsafe fn file<'a>(self, name: &str) -> Result<&'a str> {
        self.utf8().map_err(|e| damaged(name, format!("it {e}")))
    }

    /// SAFETY: as bytes().
    unsafe fn utf8<'a>(self) -> std::result::Result<&'a str, String> {
        std::str::from_utf8(self.bytes())
            .map_err(|e| format!("is no valid UTF-8 from byte {} on", e.valid_up_to()))
    }
}

impl From<&str> for PmText {
    fn from(text: &str) -> PmText {
        PmText {
            data: text.as_ptr(),
            size: text.len(),
        }
    }
}

impl From<Vec<u8>> for PmBuffer {
    fn from(bytes: Vec<u8>) -> PmBuffer {
        let size = bytes.len();
        let data = Box::into_raw(bytes.into_boxed_slice()).cast();
        PmBuffer { data, size }
    }
}

/// Runs `work` and hands out its bytes, or the reason why there are none.
///
/// SAFETY: `out` may be written.
pub unsafe fn answer(out: *mut PmBuffer, work: impl FnOnce() -> Result<Vec<u8>>) -> PmOutcome {
    let (outcome, bytes) = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(bytes)) => (PmOutcome::Ok, bytes),
        Ok(Err(Error { kind, message })) => match kind {
            Kind::Invalid => (PmOutcome::Invalid, message.into_bytes()),
            Kind::Damaged => (PmOutcome::Damaged, message.into_bytes()),
        },
        Err(panic) => {
            let message = format!("the text library failed: {}", panic_text(panic.as_ref()));
            (PmOutcome::Fault, message.into_bytes())
        }
    };
    out.write(bytes.into());
    outcome
}

/// # Safety
/// As ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_buffer_free(buffer: PmBuffer) {
    if !buffer.data.is_null() {
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(
            buffer.data,
            buffer.size,
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(work: impl FnOnce() -> Result<Vec<u8>>) -> (PmOutcome, Vec<u8>) {
        let mut out = PmBuffer {
            data: std::ptr::null_mut(),
            size: 0,
        };
        // SAFETY: out is ours; its bytes are freed once.
        unsafe {
            let outcome = answer(&mut out, work);
            let bytes = slice::from_raw_parts(out.data, out.size).to_vec();
            pm_buffer_free(out);
            (outcome, bytes)
        }
    }

    #[test]
    fn bytes_and_reasons_come_out() {
        assert_eq!(answered(|| Ok(vec![1, 2])), (PmOutcome::Ok, vec![1, 2]));
        assert_eq!(answered(|| Ok(vec![])), (PmOutcome::Ok, vec![]));
        assert_eq!(
            answered(|| Err(invalid("no"))),
            (PmOutcome::Invalid, b"no".to_vec())
        );
    }

    #[test]
    fn a_panic_stays_inside() {
        let (outcome, message) = answered(|| panic!("of {}", 3));
        assert_eq!(outcome, PmOutcome::Fault);
        assert_eq!(message, b"the text library failed: of 3");
    }

    #[test]
    fn text_without_bytes_needs_no_address() {
        let none = PmText {
            data: std::ptr::null(),
            size: 0,
        };
        // SAFETY: the size is 0.
        assert_eq!(unsafe { none.text("it") }.unwrap(), "");
    }

    #[test]
    fn text_that_is_no_utf8_is_refused_where_it_breaks() {
        let bytes = b"ab\xff";
        let text = PmText {
            data: bytes.as_ptr(),
            size: bytes.len(),
        };
        // SAFETY: bytes lives.
        let (argument, file) = unsafe { (text.text("the text"), text.file("a.json")) };
        let (argument, file) = (argument.unwrap_err(), file.unwrap_err());
        assert_eq!(argument.kind, Kind::Invalid);
        assert_eq!(
            argument.message,
            "the text is no valid UTF-8 from byte 2 on"
        );
        assert_eq!(file.kind, Kind::Damaged);
        assert_eq!(
            file.message,
            "a.json is damaged: it is no valid UTF-8 from byte 2 on"
        );
    }
}
