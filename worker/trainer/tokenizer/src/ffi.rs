//! The functions of tokenizer_ffi.h. No panic leaves them: it becomes kPmFault with its message.

use crate::error::{damaged, invalid, Error, Kind, Result};
use crate::tokenizer::Tokenizer;
use std::any::Any;
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
    data: *const u8,
    size: usize,
}

#[repr(C)]
pub struct PmBuffer {
    data: *mut u8,
    size: usize,
}

impl PmText {
    /// SAFETY: `data` points to `size` bytes that live for 'a, or `size` is 0.
    unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.size == 0 {
            return &[];
        }
        slice::from_raw_parts(self.data, self.size)
    }

    /// SAFETY: as bytes().
    unsafe fn text<'a>(self, name: &str) -> Result<&'a str> {
        self.utf8().map_err(|e| invalid(format!("{name} {e}")))
    }

    /// SAFETY: as bytes().
    unsafe fn file<'a>(self, name: &str) -> Result<&'a str> {
        self.utf8().map_err(|e| damaged(name, format!("it {e}")))
    }

    /// SAFETY: as bytes().
    unsafe fn utf8<'a>(self) -> std::result::Result<&'a str, String> {
        std::str::from_utf8(self.bytes())
            .map_err(|e| format!("is no valid UTF-8 from byte {} on", e.valid_up_to()))
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
unsafe fn answer(out: *mut PmBuffer, work: impl FnOnce() -> Result<Vec<u8>>) -> PmOutcome {
    let (outcome, bytes) = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(bytes)) => (PmOutcome::Ok, bytes),
        Ok(Err(Error { kind, message })) => match kind {
            Kind::Invalid => (PmOutcome::Invalid, message.into_bytes()),
            Kind::Damaged => (PmOutcome::Damaged, message.into_bytes()),
        },
        Err(panic) => (PmOutcome::Fault, panic_message(panic.as_ref()).into()),
    };
    out.write(bytes.into());
    outcome
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the tokenizer library failed: {}", text.unwrap_or("panic"))
}

/// # Safety
/// As tokenizer_ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_tokenizer_load(
    json: PmText,
    config: PmText,
    chat_template: *const PmText,
    tokenizer: *mut *mut Tokenizer,
    error: *mut PmBuffer,
) -> PmOutcome {
    answer(error, || {
        let template = match chat_template.as_ref() {
            Some(text) => Some(text.file("chat_template.jinja")?),
            None => None,
        };
        let config = config.file("tokenizer_config.json")?;
        let loaded = Tokenizer::load(json.file("tokenizer.json")?, config, template)?;
        tokenizer.write(Box::into_raw(Box::new(loaded)));
        Ok(Vec::new())
    })
}

/// # Safety
/// As tokenizer_ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_tokenizer_free(tokenizer: *mut Tokenizer) {
    if !tokenizer.is_null() {
        drop(Box::from_raw(tokenizer));
    }
}

/// # Safety
/// As tokenizer_ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_tokenizer_encode(
    tokenizer: *const Tokenizer,
    text: PmText,
    add_special: bool,
    out: *mut PmBuffer,
) -> PmOutcome {
    answer(out, || {
        let ids = (*tokenizer).encode(text.text("the text")?, add_special)?;
        Ok(ids.into_iter().flat_map(i32::to_ne_bytes).collect())
    })
}

/// # Safety
/// As tokenizer_ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_tokenizer_decode(
    tokenizer: *const Tokenizer,
    ids: *const i32,
    count: usize,
    skip_special: bool,
    out: *mut PmBuffer,
) -> PmOutcome {
    answer(out, || {
        let ids = if count == 0 {
            &[]
        } else {
            slice::from_raw_parts(ids, count)
        };
        Ok((*tokenizer).decode(ids, skip_special)?.into_bytes())
    })
}

/// # Safety
/// As tokenizer_ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_tokenizer_render_chat(
    tokenizer: *const Tokenizer,
    messages: PmText,
    add_generation_prompt: bool,
    out: *mut PmBuffer,
) -> PmOutcome {
    answer(out, || {
        let messages = messages.text("the list of messages")?;
        let chat = (*tokenizer).render_chat(messages, add_generation_prompt)?;
        Ok(chat.into_bytes())
    })
}

/// # Safety
/// As tokenizer_ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn pm_tokenizer_eos_id(tokenizer: *const Tokenizer) -> i32 {
    (*tokenizer).eos_id()
}

/// # Safety
/// As tokenizer_ffi.h says.
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
        assert_eq!(message, b"the tokenizer library failed: of 3");
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
