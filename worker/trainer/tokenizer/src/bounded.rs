//! Normalizers and decoders as tokenizer.json names them, which may not make so much of a short
//! text that it fills the memory: each of a chain can double what the one before it has made.

use serde::Deserialize;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::{Decoder, NormalizedString, Normalizer, Result};

/// How much longer a text may become; the longest that Unicode's own forms make of one is 11 times.
const TIMES: usize = 64;
const LEAST_ROOM: usize = 4096;

#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct BoundedNormalizer(NormalizerWrapper);

#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct BoundedDecoder(DecoderWrapper);

impl Normalizer for BoundedNormalizer {
    fn normalize(&self, text: &mut NormalizedString) -> Result<()> {
        let room = Room::of("normalizers", text.get().len());
        normalize(&self.0, text, &room)
    }
}

impl Decoder for BoundedDecoder {
    fn decode_chain(&self, tokens: Vec<String>) -> Result<Vec<String>> {
        let room = Room::of("decoders", size_of(&tokens));
        decode(&self.0, tokens, &room)
    }
}

fn normalize(one: &NormalizerWrapper, text: &mut NormalizedString, room: &Room) -> Result<()> {
    match one {
        NormalizerWrapper::Sequence(parts) => {
            let mut parts = parts.as_ref().iter();
            return parts.try_for_each(|part| normalize(part, text, room));
        }
        NormalizerWrapper::Replace(replace) => {
            room.check_replacing(text.get().len() + 1, &replace.content)?;
        }
        _ => {}
    }
    one.normalize(text)?;
    room.check(text.get().len())
}

fn decode(one: &DecoderWrapper, tokens: Vec<String>, room: &Room) -> Result<Vec<String>> {
    match one {
        DecoderWrapper::Sequence(parts) => {
            let mut parts = parts.get_decoders().iter();
            return parts.try_fold(tokens, |tokens, part| decode(part, tokens, room));
        }
        DecoderWrapper::Replace(replace) => {
            room.check_replacing(size_of(&tokens) + tokens.len(), &replace.content)?;
        }
        _ => {}
    }
    let tokens = one.decode_chain(tokens)?;
    room.check(size_of(&tokens))?;
    Ok(tokens)
}

fn size_of(tokens: &[String]) -> usize {
    tokens.iter().map(String::len).sum()
}

/// Bytes that a text of `before` bytes may become.
struct Room {
    whose: &'static str,
    before: usize,
    bytes: usize,
}

impl Room {
    fn of(whose: &'static str, before: usize) -> Room {
        let bytes = before.saturating_mul(TIMES).max(LEAST_ROOM);
        Room {
            whose,
            before,
            bytes,
        }
    }

    fn check(&self, bytes: usize) -> Result<()> {
        if bytes <= self.bytes {
            return Ok(());
        }
        Err(format!(
            "the {} of tokenizer.json make more than {} bytes of {}; allowed: {TIMES} times as many, or {LEAST_ROOM}",
            self.whose, self.bytes, self.before
        )
        .into())
    }

    /// Before it is done: `content` may come at each of `places`.
    fn check_replacing(&self, places: usize, content: &str) -> Result<()> {
        self.check(places.saturating_mul(content.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json, Value};

    fn chain(kind: &str, parts: Vec<Value>) -> Value {
        json!({"type": "Sequence", kind: parts})
    }

    fn replace(pattern: &str, content: &str) -> Value {
        json!({"type": "Replace", "pattern": {"String": pattern}, "content": content})
    }

    fn normalized(parts: Vec<Value>, text: &str) -> Result<String> {
        let chain: BoundedNormalizer = from_value(chain("normalizers", parts)).unwrap();
        let mut text = NormalizedString::from(text);
        chain.normalize(&mut text)?;
        Ok(text.get().to_owned())
    }

    fn decoded(parts: Vec<Value>, tokens: &[&str]) -> Result<String> {
        let chain: BoundedDecoder = from_value(chain("decoders", parts)).unwrap();
        chain.decode(tokens.iter().map(|&token| token.to_owned()).collect())
    }

    #[test]
    fn a_chain_does_what_its_parts_do() {
        let inner = chain(
            "normalizers",
            vec![replace("b", "cc"), json!({"type": "NFKC"})],
        );
        let parts = vec![
            replace("a", "bb"),
            inner,
            json!({"type": "Prepend", "prepend": "x"}),
        ];
        assert_eq!(normalized(parts, "aﬁ").unwrap(), "xccccfi");
        let parts = vec![
            replace("▁", " "),
            json!({"type": "Fuse"}),
            replace("a", "bb"),
        ];
        assert_eq!(decoded(parts, &["▁a", "▁c"]).unwrap(), " bb c");
    }

    #[test]
    fn a_chain_that_doubles_without_end_is_stopped() {
        let doubling = vec![replace("a", "aa"); 60];
        let message =
            "of tokenizer.json make more than 4096 bytes of 3; allowed: 64 times as many, or 4096";
        let refused = normalized(doubling.clone(), "aaa").unwrap_err().to_string();
        assert_eq!(refused, format!("the normalizers {message}"));
        let refused = decoded(doubling, &["a", "aa"]).unwrap_err().to_string();
        assert_eq!(refused, format!("the decoders {message}"));
    }

    #[test]
    fn one_replacement_that_is_too_long_is_not_made() {
        let long = "b".repeat(5000);
        assert!(normalized(vec![replace("a", &long)], "a").is_err());
        assert!(decoded(vec![replace("a", &long)], &["a"]).is_err());
    }

    #[test]
    fn a_long_text_has_room() {
        let text = "a ".repeat(100_000);
        let made = normalized(vec![replace(" ", "▁▁▁▁▁")], &text).unwrap();
        assert_eq!(made, text.replace(' ', "▁▁▁▁▁"));
    }
}
