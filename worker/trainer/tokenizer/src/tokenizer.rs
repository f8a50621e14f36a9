use crate::bounded::{BoundedDecoder, BoundedNormalizer};
use crate::chat::ChatTemplate;
use crate::config::Config;
use crate::error::{damaged, invalid, unharmed, Error, Result};
use std::sync::Once;
use tokenizers::models::ModelWrapper;
use tokenizers::{AddedToken, PostProcessorWrapper, PreTokenizerWrapper, TokenizerImpl};

type Inner = TokenizerImpl<
    ModelWrapper,
    BoundedNormalizer,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    BoundedDecoder,
>;

/// Steps back that a regular expression may take to find its next match; what a match of a million
/// blanks takes is a few million.
const MAX_RETRIES: std::ffi::c_ulong = 10_000_000;

#[derive(Debug)]
pub struct Tokenizer {
    inner: Inner,
    eos_id: i32,
    /// Kept as a failure where the template is missing or wrong: plain text needs none.
    chat: Result<ChatTemplate>,
}

impl Tokenizer {
    /// `chat_template`: the text of chat_template.jinja, which goes before the one of the config.
    pub fn load(json: &str, config: &str, chat_template: Option<&str>) -> Result<Tokenizer> {
        limit_backtracking();
        let parsed = unharmed(|| json.parse::<Inner>());
        let mut inner = parsed.map_err(damaged_json)?;
        let config = Config::parse(config)?;
        inner.with_truncation(None).map_err(damaged_json)?;
        inner.with_padding(None);
        let eos_id = eos_id(&inner, &config)?;
        unharmed(|| add_tokens(&mut inner, &config)).map_err(damaged_json)?;
        let template = chat_template.map(str::to_owned).or(config.chat_template);
        let chat = template
            .ok_or_else(|| {
                invalid("the model has no chat template (chat_template.jinja, or a default one in tokenizer_config.json)")
            })
            .and_then(|source| ChatTemplate::compile(source, config.named));
        Ok(Tokenizer {
            inner,
            eos_id,
            chat,
        })
    }

    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<i32>> {
        let encoding = unharmed(|| self.inner.encode_fast(text, add_special));
        let encoding = encoding.map_err(|e| invalid(format!("the text has no token ids: {e}")))?;
        Ok(encoding.get_ids().iter().map(|&id| id as i32).collect())
    }

    /// Ids that have no token give no text, as in transformers: models may have spare ones.
    pub fn decode(&self, ids: &[i32], skip_special: bool) -> Result<String> {
        let checked: std::result::Result<Vec<u32>, _> = ids
            .iter()
            .map(|&id| u32::try_from(id).map_err(|_| id))
            .collect();
        let ids =
            checked.map_err(|id| invalid(format!("{id} is no token id; allowed: 0 and above")))?;
        let text = unharmed(|| self.inner.decode(&ids, skip_special));
        text.map_err(|e| invalid(format!("the token ids give no text: {e}")))
    }

    pub fn render_chat(&self, messages: &str, add_generation_prompt: bool) -> Result<String> {
        let chat = self.chat.as_ref().map_err(Error::clone)?;
        chat.render(messages, add_generation_prompt)
    }

    pub fn eos_id(&self) -> i32 {
        self.eos_id
    }
}

/// For the whole process: the crate has no other way. Beyond it a search panics.
fn limit_backtracking() {
    static ONCE: Once = Once::new();
    // SAFETY: sets a number that searches read; none has begun, since each begins after a load.
    ONCE.call_once(|| unsafe {
        onig_sys::onig_set_retry_limit_in_search(MAX_RETRIES);
    });
}

fn damaged_json(reason: impl std::fmt::Display) -> Error {
    damaged("tokenizer.json", reason)
}

fn eos_id(inner: &Inner, config: &Config) -> Result<i32> {
    let eos = config.eos_token()?;
    let id = inner.token_to_id(eos).and_then(|id| i32::try_from(id).ok());
    id.ok_or_else(|| {
        invalid(format!(
            "eos_token {eos:?} of tokenizer_config.json is no token of tokenizer.json"
        ))
    })
}

/// Tokens of the config that tokenizer.json does not list as added; special ones become special.
fn add_tokens(inner: &mut Inner, config: &Config) -> tokenizers::Result<()> {
    let mut known: Vec<AddedToken> = inner.get_added_tokens_decoder().into_values().collect();
    for token in &config.added {
        if known.iter().all(|k| k.content != token.content) {
            known.push(token.clone());
            inner.add_tokens([token.clone()])?;
        }
    }
    for content in config.named.values().chain(&config.extra) {
        let token = known.iter().find(|k| k.content == *content).cloned();
        let token = token.unwrap_or_else(|| AddedToken::from(content.as_str(), true));
        inner.add_special_tokens([token.special(true)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const CONFIG: &str = r#"{"eos_token": "</s>"}"#;

    fn json(parts: &str) -> String {
        let model = r#""model": {"type": "WordLevel", "vocab": {"</s>": 0}, "unk_token": "</s>"}"#;
        format!(r#"{{"version": "1.0", "added_tokens": [], {parts}, {model}}}"#)
    }

    #[test]
    fn a_regular_expression_that_backtracks_without_end_is_stopped() {
        let split = r#""pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|aa)+(?=[bc])"},
                                         "behavior": "Isolated", "invert": false}"#;
        let tokenizer = Tokenizer::load(&json(split), CONFIG, None).unwrap();
        let error = tokenizer.encode(&"a".repeat(64), false).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.contains("retry-limit"), "{}", error.message);
    }

    #[test]
    fn a_panic_of_a_decoder_is_a_reason() {
        let strip = r#""decoder": {"type": "Strip", "content": "<", "start": 9, "stop": 9}"#;
        let tokenizer = Tokenizer::load(&json(strip), CONFIG, None).unwrap();
        let text = tokenizer.decode(&[0], false);
        assert_eq!(text.unwrap(), "/s>");
    }
}
