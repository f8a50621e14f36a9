//! The functions of tokenizer_ffi.h.

use crate::abi::{answer, PmBuffer, PmOutcome, PmText};
use crate::tokenizer::Tokenizer;
use std::slice;

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
