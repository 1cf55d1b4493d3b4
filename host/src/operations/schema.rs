//! The input against its declared JSON Schema, so that a misspelt key is told before anything is sent.
//!
//! What plain inputs need of the language: types, properties, required, closed objects, items, enums, lengths, patterns and
//! bounds. Words beyond that are left to the plugin, which refuses what it cannot use.

use hookport_plugin_api::description::Operation;
use regex::Regex;
use serde_json::{Map, Value};

use super::CallError;
use crate::provider::complaint::did_you_mean;
use crate::provider::json::Document;

/// Whether the text is JSON and fits the operation's schema.
pub(super) fn check(operation: &Operation, input: &str) -> Result<(), CallError> {
    let wrong = |message: String| CallError::Input(format!("the input {message}"));
    let document = Document::parse(input.as_bytes()).map_err(|error| wrong(format!("is {error}")))?;
    if let Some(key) = document.duplicate_key() {
        return Err(wrong(format!("has the key {key:?} twice")));
    }
    let input: Value = serde_json::from_str(input).map_err(|error| wrong(format!("is not JSON: {error}")))?;
    let Some(text) = &operation.input else { return Ok(()) };
    let schema: Value = serde_json::from_str(text)
        .map_err(|error| CallError::Plan(format!("the schema of {}'s input is not JSON: {error}", operation.id)))?;
    fits(&schema, &input, "").map_err(wrong)
}

/// Nothing, or where it does not fit: `at numbers/0: must be a string`.
fn fits(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Value::Object(schema) = schema else { return Ok(()) };
    let place = if at.is_empty() { String::new() } else { format!("at {at} ") };
    let result = kind(schema, value).and_then(|()| choice(schema, value)).and_then(|()| match value {
        Value::String(text) => string(schema, text),
        Value::Number(number) => bounded(schema, "minimum", "maximum", number.as_f64(), "be"),
        _ => Ok(()),
    });
    result.map_err(|message| format!("{place}{message}"))?;
    match value {
        Value::Object(members) => object(schema, members, at, &place),
        Value::Array(items) => {
            let count = bounded(schema, "minItems", "maxItems", Some(items.len() as f64), "have as many items as");
            count.map_err(|message| format!("{place}{message}"))?;
            let Some(of) = schema.get("items") else { return Ok(()) };
            items.iter().enumerate().try_for_each(|(index, item)| fits(of, item, &join(at, &index.to_string())))
        }
        _ => Ok(()),
    }
}

fn object(schema: &Map<String, Value>, members: &Map<String, Value>, at: &str, place: &str) -> Result<(), String> {
    let empty = Map::new();
    let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    // A misspelt key explains a missing one.
    if schema.get("additionalProperties") == Some(&Value::Bool(false))
        && let Some(unknown) = members.keys().find(|name| !known.contains_key(*name))
    {
        let meant = did_you_mean(unknown, known.keys().map(String::as_str));
        return Err(format!("{place}has the unknown key \"{unknown}\"{meant}"));
    }
    for name in required {
        if !members.contains_key(name) {
            return Err(format!("{place}lacks the key \"{name}\""));
        }
    }
    let mut both = members.iter().filter_map(|(name, value)| Some((name, known.get(name)?, value)));
    both.try_for_each(|(name, schema, value)| fits(schema, value, &join(at, name)))
}

fn kind(schema: &Map<String, Value>, value: &Value) -> Result<(), String> {
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let is = |kind: &&str| match *kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "string" => value.is_string(),
        _ => true,
    };
    match kinds.iter().any(is) {
        true => Ok(()),
        false => Err(format!("must be of type {}", kinds.join(" or "))),
    }
}

fn choice(schema: &Map<String, Value>, value: &Value) -> Result<(), String> {
    match schema.get("enum").and_then(Value::as_array) {
        Some(choices) if !choices.contains(value) => {
            Err(format!("must be one of {}", choices.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")))
        }
        _ => Ok(()),
    }
}

fn string(schema: &Map<String, Value>, text: &str) -> Result<(), String> {
    bounded(schema, "minLength", "maxLength", Some(text.chars().count() as f64), "have as many characters as")?;
    // A pattern of another dialect than ours is the plugin's to judge.
    let pattern = schema.get("pattern").and_then(Value::as_str).and_then(|pattern| Regex::new(pattern).ok());
    match pattern {
        Some(pattern) if !pattern.is_match(text) => Err(format!("must match {pattern}: {text:?}")),
        _ => Ok(()),
    }
}

fn bounded(schema: &Map<String, Value>, least: &str, most: &str, found: Option<f64>, must: &str) -> Result<(), String> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    match (bound(least), bound(most), found) {
        (Some(least), _, Some(found)) if found < least => Err(format!("must {must} {least} at least")),
        (_, Some(most), Some(found)) if found > most => Err(format!("must {must} {most} at most")),
        _ => Ok(()),
    }
}

fn join(at: &str, step: &str) -> String {
    if at.is_empty() { step.to_owned() } else { format!("{at}/{step}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{
        "type": "object", "required": ["numbers"], "additionalProperties": false,
        "properties": {
            "numbers": { "type": "array", "minItems": 1, "items": { "type": "string", "pattern": "^[^,]+$" } },
            "update": { "type": "boolean" },
            "page": { "type": ["integer", "null"], "minimum": 1, "maximum": 9 },
            "order": { "enum": ["up", "down"] }
        }
    }"#;

    fn said(schema: &str, input: &str) -> String {
        let operation: Operation =
            serde_json::from_value(serde_json::json!({ "id": "query", "input": schema })).unwrap();
        check(&operation, input).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_fits_passes() {
        for input in [
            r#"{"numbers":["1","2"]}"#,
            r#"{"numbers":["1"],"update":true,"page":null,"order":"up"}"#,
            r#"{"numbers":["1"],"page":9.0}"#,
        ] {
            assert_eq!(said(SCHEMA, input), "", "{input}");
        }
        assert_eq!(said("true", "[1]"), "");
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        for (input, words) in [
            ("{", "not JSON"),
            (r#"{"numbers":["1"],"numbers":["2"]}"#, "\"numbers\" twice"),
            ("[]", "must be of type object"),
            ("{}", "lacks the key \"numbers\""),
            (r#"{"number":["1"]}"#, "unknown key \"number\"; did you mean \"numbers\"?"),
            (r#"{"numbers":[]}"#, "at numbers must have as many items as 1 at least"),
            (r#"{"numbers":["1",2]}"#, "at numbers/1 must be of type string"),
            (r#"{"numbers":["1,2"]}"#, "at numbers/0 must match"),
            (r#"{"numbers":["1"],"update":"yes"}"#, "at update must be of type boolean"),
            (r#"{"numbers":["1"],"page":1.5}"#, "at page must be of type integer or null"),
            (r#"{"numbers":["1"],"page":10}"#, "at page must be 9 at most"),
            (r#"{"numbers":["1"],"order":"left"}"#, "at order must be one of \"up\", \"down\""),
        ] {
            let said = said(SCHEMA, input);
            assert!(said.contains(words), "{input}: {said}");
        }
        assert!(said("{", "{}").contains("schema of query's input"));
    }
}
