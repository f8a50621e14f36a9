//! What tokenizer_config.json adds to tokenizer.json, read as transformers reads it.

use crate::error::{damaged, invalid, Result};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tokenizers::AddedToken;

const FILE: &str = "tokenizer_config.json";
const NAMED: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

#[derive(Debug)]
pub struct Config {
    /// bos_token, eos_token and the like: role to text. Those that are null are left out.
    pub named: BTreeMap<String, String>,
    /// Special tokens without one of those roles.
    pub extra: Vec<String>,
    /// added_tokens_decoder in the order of its ids.
    pub added: Vec<AddedToken>,
    /// The default template.
    pub chat_template: Option<String>,
}

impl Config {
    pub fn parse(text: &str) -> Result<Config> {
        let value: Value = serde_json::from_str(text).map_err(|e| damaged(FILE, e))?;
        let Value::Object(map) = value else {
            return Err(damaged(FILE, "it holds no JSON object"));
        };
        Ok(Config {
            named: named(&map)?,
            extra: extra(&map)?,
            added: added(&map)?,
            chat_template: chat_template(&map)?,
        })
    }

    pub fn eos_token(&self) -> Result<&str> {
        self.named
            .get("eos_token")
            .map(String::as_str)
            .ok_or_else(|| {
                invalid(format!(
                    "{FILE} names no eos_token, which every row of data has to end with"
                ))
            })
    }
}

/// A token is a string or an object with its text as `content`.
fn token_text(key: &str, value: &Value) -> Result<String> {
    let text = value
        .as_str()
        .or_else(|| value.get("content").and_then(Value::as_str));
    text.map(str::to_owned).ok_or_else(|| {
        damaged(
            FILE,
            format!("{key} is {value}; allowed: a string or an object with content"),
        )
    })
}

fn named(map: &Map<String, Value>) -> Result<BTreeMap<String, String>> {
    let present = NAMED.iter().filter_map(|key| map.get_key_value(*key));
    present
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| Ok((key.clone(), token_text(key, value)?)))
        .collect()
}

/// extra_special_tokens, once additional_special_tokens (a list, or an object of roles), and other
/// roles such as image_token.
fn extra(map: &Map<String, Value>) -> Result<Vec<String>> {
    let mut tokens = Vec::new();
    for (key, value) in map {
        match (key.as_str(), value) {
            ("extra_special_tokens" | "additional_special_tokens", Value::Array(list)) => {
                for token in list {
                    tokens.push(token_text(key, token)?);
                }
            }
            ("extra_special_tokens" | "additional_special_tokens", Value::Object(roles)) => {
                for token in roles.values() {
                    tokens.push(token_text(key, token)?);
                }
            }
            (role, Value::String(token)) if role.ends_with("_token") && !NAMED.contains(&role) => {
                tokens.push(token.clone());
            }
            _ => {}
        }
    }
    Ok(tokens)
}

fn added(map: &Map<String, Value>) -> Result<Vec<AddedToken>> {
    let Some(Value::Object(decoder)) = map.get("added_tokens_decoder") else {
        return Ok(Vec::new());
    };
    let mut tokens = BTreeMap::new();
    for (id, token) in decoder {
        let wrong = |what: String| damaged(FILE, format!("added_tokens_decoder: {what}"));
        let number: u32 = id
            .parse()
            .map_err(|_| wrong(format!("{id:?} is no token id")))?;
        tokens.insert(
            number,
            added_token(token).map_err(|e| wrong(format!("id {id}: {e}")))?,
        );
    }
    Ok(tokens.into_values().collect())
}

fn added_token(value: &Value) -> std::result::Result<AddedToken, String> {
    let content = value
        .get("content")
        .and_then(Value::as_str)
        .ok_or("it has no content")?;
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let special = flag("special").unwrap_or(false);
    Ok(AddedToken::from(content, special)
        .single_word(flag("single_word").unwrap_or(false))
        .lstrip(flag("lstrip").unwrap_or(false))
        .rstrip(flag("rstrip").unwrap_or(false))
        .normalized(flag("normalized").unwrap_or(!special)))
}

/// One template, or a list of named ones among which `default` is taken.
fn chat_template(map: &Map<String, Value>) -> Result<Option<String>> {
    match map.get("chat_template") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(template)) => Ok(Some(template.clone())),
        Some(Value::Array(list)) => default_template(list),
        Some(_) => Err(damaged(
            FILE,
            "chat_template is neither a string nor a list",
        )),
    }
}

fn default_template(list: &[Value]) -> Result<Option<String>> {
    let text = |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    for entry in list {
        let (Some(name), Some(template)) = (text(entry, "name"), text(entry, "template")) else {
            return Err(damaged(
                FILE,
                "a chat_template of its list has no name or no template",
            ));
        };
        if name == "default" {
            return Ok(Some(template));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_token_is_a_string_or_an_object() {
        let text = r#"{"eos_token": {"content": "</s>", "lstrip": false}, "bos_token": "<s>",
                       "pad_token": null, "image_token": "<img>",
                       "additional_special_tokens": ["<a>", {"content": "<b>"}]}"#;
        let config = Config::parse(text).unwrap();
        assert_eq!(config.eos_token().unwrap(), "</s>");
        assert_eq!(config.named["bos_token"], "<s>");
        assert!(!config.named.contains_key("pad_token"));
        assert_eq!(config.extra, ["<img>", "<a>", "<b>"]);
    }

    #[test]
    fn a_missing_eos_token_is_named() {
        let error = Config::parse("{}").unwrap().eos_token().unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error
            .message
            .contains("tokenizer_config.json names no eos_token"));
    }

    #[test]
    fn damage_is_told_apart() {
        for text in [
            "",
            "[1]",
            "{\"eos_token\": 3}",
            r#"{"added_tokens_decoder": {"x": {"content": "<a>"}}}"#,
            r#"{"added_tokens_decoder": {"1": {}}}"#,
            r#"{"chat_template": 1}"#,
            r#"{"chat_template": [{"name": "default"}]}"#,
        ] {
            let error = Config::parse(text).unwrap_err();
            assert_eq!(error.kind, Kind::Damaged, "{text}");
            assert!(
                error
                    .message
                    .starts_with("tokenizer_config.json is damaged"),
                "{text}"
            );
        }
    }

    #[test]
    fn added_tokens_come_in_the_order_of_their_ids() {
        let text = r#"{"added_tokens_decoder": {
            "10": {"content": "<ten>", "special": true}, "9": {"content": "nine"}}}"#;
        let added = Config::parse(text).unwrap().added;
        assert_eq!(added[0], AddedToken::from("nine", false));
        assert_eq!(added[1], AddedToken::from("<ten>", true));
    }

    #[test]
    fn of_named_templates_the_default_is_taken() {
        let both = r#"{"chat_template": [{"name": "tool_use", "template": "T"},
                                         {"name": "default", "template": "D"}]}"#;
        assert_eq!(
            Config::parse(both).unwrap().chat_template.as_deref(),
            Some("D")
        );
        let other = r#"{"chat_template": [{"name": "tool_use", "template": "T"}]}"#;
        assert_eq!(Config::parse(other).unwrap().chat_template, None);
    }
}
