use crate::error::{damaged, invalid, Error, Result};
use crate::stack::with_stack;
use crate::{methods, python};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, ErrorKind};
use regex::Regex;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

const MAX_SOURCE: usize = 64 << 10;

/// Compiling a chain of these takes time that grows with its length squared.
const MAX_JOINS: usize = 2000;

/// Enough for a source that nests with every byte.
const COMPILE_STACK: usize = 256 << 20;

/// What a template may do (minijinja's fuel: an instruction, or 64 bytes of text made, is one): enough
/// to handle each byte of a chat hundreds of times.
const FUEL: u64 = 1_000_000;
const FUEL_A_BYTE: u64 = 16;
const MAX_FUEL: u64 = 50_000_000;

/// A list in a list takes six instructions or more, and printing one takes this much for each.
const STACK_A_FUEL: u64 = 256;

/// Where a message may keep what the model thought, newest name first.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A Jinja template with the settings, functions and variables that transformers gives it.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    /// bos_token, eos_token and the like.
    tokens: BTreeMap<String, String>,
}

impl ChatTemplate {
    pub fn compile(source: String, tokens: BTreeMap<String, String>) -> Result<ChatTemplate> {
        check_size(&source).map_err(|why| damaged("the model's chat template", why))?;
        let environment =
            with_stack(COMPILE_STACK, || environment(&source)).map_err(no_thread)??;
        Ok(ChatTemplate {
            environment,
            tokens,
        })
    }

    /// `messages`: a JSON list of objects.
    pub fn render(&self, messages: &str, add_generation_prompt: bool) -> Result<String> {
        let fuel = MAX_FUEL.min(FUEL + FUEL_A_BYTE * messages.len() as u64);
        let stack = (fuel * STACK_A_FUEL) as usize;
        with_stack(stack, || {
            self.render_within(fuel, messages, add_generation_prompt)
        })
        .map_err(no_thread)?
    }

    fn render_within(&self, fuel: u64, messages: &str, prompt: bool) -> Result<String> {
        let mut variables: BTreeMap<&str, Value> = BTreeMap::from([
            ("messages", Value::from(Serde(chat(messages)?))),
            ("add_generation_prompt", prompt.into()),
            ("tools", ().into()),
            ("documents", ().into()),
        ]);
        for (role, token) in &self.tokens {
            variables.insert(role, token.into());
        }
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(fuel));
        let template = environment.get_template("chat");
        template
            .and_then(|template| template.render(variables))
            .map_err(refusal)
    }
}

fn check_size(source: &str) -> std::result::Result<(), String> {
    if source.len() > MAX_SOURCE {
        let size = source.len();
        return Err(format!(
            "it has {size} bytes; allowed: at most {MAX_SOURCE}"
        ));
    }
    let joins = source.matches(['~', '+', '*']).count();
    if joins > MAX_JOINS {
        return Err(format!(
            "it has {joins} of ~ + *; allowed: at most {MAX_JOINS}"
        ));
    }
    Ok(())
}

fn no_thread(error: std::io::Error) -> Error {
    invalid(format!("starting a thread for the chat template: {error}"))
}

fn environment(source: &str) -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.map_err(|e| invalid(e.to_string()))?);
    environment.set_unknown_method_callback(methods::call);
    environment.set_formatter(python::print);
    environment.add_test("iterable", python::is_iterable);
    environment.add_test("sequence", python::is_sequence);
    environment.add_filter("e", python::escape);
    environment.add_filter("escape", python::escape);
    environment.add_function("raise_exception", python::raise_exception);
    environment.add_function("strftime_now", python::strftime_now);
    environment.add_filter("tojson", python::tojson);
    environment
        .add_template_owned("chat", without_generation_marks(source))
        .map_err(|e| damaged("the model's chat template", e))?;
    Ok(environment)
}

fn refusal(error: minijinja::Error) -> Error {
    if error.kind() == ErrorKind::OutOfFuel {
        return invalid("the model's chat template goes on for longer than a chat of this size needs; its loops may have no end");
    }
    invalid(format!(
        "the model's chat template refuses the messages: {error}"
    ))
}

/// `{% generation %}` only marks the answer for those who ask transformers for a mask of it.
fn without_generation_marks(source: &str) -> String {
    let mark = Regex::new(r"(\{%[-+]?\s*)(end)?generation(\s*[-+]?%\})");
    let mark = mark.expect("the pattern is constant");
    mark.replace_all(source, "${1}${2}with${3}").into_owned()
}

fn chat(messages: &str) -> Result<Vec<Map<String, Json>>> {
    let chat: Vec<Map<String, Json>> = serde_json::from_str(messages)
        .map_err(|e| invalid(format!("the messages are no JSON list of objects: {e}")))?;
    if chat.is_empty() {
        return Err(invalid("a chat needs at least one message"));
    }
    Ok(chat.into_iter().map(as_templates_expect).collect())
}

/// Templates handle a missing key better than null, and find reasoning under one of two names.
fn as_templates_expect(mut message: Map<String, Json>) -> Map<String, Json> {
    message.retain(|_, value| !value.is_null());
    if let Some(reasoning) = REASONING.iter().find_map(|key| message.get(*key)).cloned() {
        message
            .entry("thinking")
            .or_insert_with(|| reasoning.clone());
        message.insert("reasoning_content".into(), reasoning);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn template(source: &str) -> ChatTemplate {
        let tokens = BTreeMap::from([("bos_token".into(), "<s>".into())]);
        ChatTemplate::compile(source.into(), tokens).unwrap()
    }

    fn render(source: &str) -> String {
        let messages = r#"[{"role": "user", "content": " Hi ", "name": null},
                           {"role": "assistant", "reasoning": "hm", "content": "Ho"}]"#;
        template(source).render(messages, true).unwrap()
    }

    #[test]
    fn variables_are_those_of_transformers() {
        let all = "{{ bos_token }} {{ messages|length }} {{ add_generation_prompt }} \
                   {{ tools is none and tools is defined }} {{ documents }} {{ eos_token is defined }}";
        assert_eq!(render(all), "<s> 2 True True None False");
    }

    #[test]
    fn blocks_leave_no_lines_behind() {
        assert_eq!(
            render("{% if true %}\n  {% set a = 1 %}\nx\n{% endif %}\n"),
            "x\n"
        );
    }

    #[test]
    fn python_idioms_work() {
        for (source, expected) in [
            ("{{ messages[0].content.strip() }}", "Hi"),
            ("{{ messages[0]['content'].lstrip().startswith('Hi') }}", "True"),
            ("{{ 'a b  c'.rsplit(none, 1) }}{{ 'a,b,c'.rsplit(',') }}{{ ' a '.rsplit() }}", "['a b', 'c']['a', 'b', 'c']['a']"),
            ("{{ 'a,b,c'.rsplit(',', 1) }}{{ 'a-b'.removeprefix('a-') }}{{ 'a-b'.removesuffix('-b') }}", "['a,b', 'c']ba"),
            ("{{ 'a-b-c'.partition('-') }}{{ 'a-b-c'.rpartition('-') }}{{ 'a'.partition('-') }}", "['a', '-', 'b-c']['a-b', '-', 'c']['a', '', '']"),
            ("{{ none is iterable }}{{ 'a' is iterable }}{{ 1 is iterable }}{{ 'a' is sequence }}", "FalseTrueFalseTrue"),
            ("{{ 1e20 }} {{ 1.5 }} {{ '<\"' | e }}", "1e+20 1.5 &lt;&#34;"),
            ("{{ 'a</t>b'.split('</t>')[-1] }}", "b"),
            ("{{ messages[::-1][0].role }}", "assistant"),
            ("{% for m in messages[1:] %}{{ loop.index0 }}{{ m.role }}{% endfor %}", "0assistant"),
            ("{% for m in messages %}{% if loop.last %}{% continue %}{% endif %}{{ loop.nextitem.role }}{% endfor %}", "assistant"),
            ("{% set n = namespace(x=0) %}{% for m in messages %}{% set n.x = n.x + 1 %}{% endfor %}{{ n.x }}", "2"),
            ("{{ 'name' in messages[0] }} {{ messages[0].get('x', 'y') }}", "False y"),
            ("{{ messages[0] | tojson }}", r#"{"role": "user", "content": " Hi "}"#),
            ("{{ ['a', none, true, 1.0] }}", "['a', None, True, 1.0]"),
            ("{{ messages[1].reasoning_content + messages[1].thinking }}", "hmhm"),
            ("{% generation %}x{%- endgeneration -%} y", "xy"),
            ("{{ strftime_now('%Y') }}", "2024"),
        ] {
            assert_eq!(render(source), expected, "{source}");
        }
    }

    #[test]
    fn an_exception_of_the_template_is_the_reason() {
        let error = template("{{ raise_exception('roles must alternate') }}")
            .render(r#"[{"role": "user"}]"#, false)
            .unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(
            error.message.contains("roles must alternate"),
            "{}",
            error.message
        );
    }

    #[test]
    fn a_template_that_never_ends_is_stopped() {
        for source in [
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
            "{% for i in range(99999) %}{{ 'a' * 99999 }}{% endfor %}",
            "{{ (range(99999) * 999) | tojson }}",
            "{{ range(99999) | tojson(separators=('a' * 9999999, ':')) }}",
            "{{ [[1]] | tojson(indent=9999999999) }}",
        ] {
            let error = template(source)
                .render(r#"[{"role": "user"}]"#, false)
                .unwrap_err();
            assert_eq!(error.kind, Kind::Invalid);
            assert!(error.message.contains("have no end"), "{}", error.message);
        }
    }

    #[test]
    fn a_template_that_calls_itself_is_stopped() {
        for source in [
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
            "{% include 'chat' %}",
        ] {
            let error = template(source)
                .render(r#"[{"role": "user"}]"#, false)
                .unwrap_err();
            assert_eq!(error.kind, Kind::Invalid);
        }
    }

    #[test]
    fn lists_as_deep_as_fuel_allows_have_room() {
        let nested = "{% set n = namespace(x=[]) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}";
        for (end, size) in [
            ("", 0),
            ("{{ n.x }}", 200_000),
            ("{{ n.x | tojson }}", 200_000),
            ("{{ n.x == [n.x] }}", 5),
        ] {
            let text = render(&format!("{nested}{end}"));
            assert_eq!(text.len(), size, "{end}");
        }
    }

    #[test]
    fn a_source_as_deep_as_it_is_long_is_compiled_or_damaged() {
        let chat = r#"[{"role": "user"}]"#;
        let long = |part: &str| part.repeat((MAX_SOURCE - 99) / part.len());
        for part in [
            "|e",
            ".a",
            "[1]",
            "(1)",
            " and 1",
            " if 1 else 1",
            "==1",
            "-1",
        ] {
            let source = format!("{{{{ 1{} }}}}", long(part));
            let compiled = ChatTemplate::compile(source, BTreeMap::new());
            compiled.unwrap().render(chat, false).ok();
        }
        for part in [
            "[",
            "{1:",
            "a(",
            "{% if 1 %}",
            "{% elif 1 %}",
            "{% for a in b %}",
        ] {
            let source = format!("{{{{ {}1 }}}}", long(part));
            let error = ChatTemplate::compile(source, BTreeMap::new()).unwrap_err();
            assert_eq!(error.kind, Kind::Damaged);
        }
    }

    #[test]
    fn a_source_that_is_too_long_is_damage() {
        for (source, reason) in [
            ("a".repeat(MAX_SOURCE + 1), "it has 65537 bytes"),
            (
                format!("{{{{ 1{} }}}}", "~1".repeat(MAX_JOINS + 1)),
                "it has 2001 of ~ + *",
            ),
        ] {
            let error = ChatTemplate::compile(source, BTreeMap::new()).unwrap_err();
            assert_eq!(error.kind, Kind::Damaged);
            assert!(error.message.contains(reason), "{}", error.message);
        }
    }

    #[test]
    fn a_wrong_template_is_damage() {
        let error = ChatTemplate::compile("{% if %}".into(), BTreeMap::new()).unwrap_err();
        assert_eq!(error.kind, Kind::Damaged);
        assert!(error
            .message
            .starts_with("the model's chat template is damaged"));
    }

    #[test]
    fn messages_have_to_be_a_list_of_objects() {
        for messages in ["", "{}", "[]", "[1]", "[[]]"] {
            let error = template("x").render(messages, false).unwrap_err();
            assert_eq!(error.kind, Kind::Invalid, "{messages}");
        }
    }
}
