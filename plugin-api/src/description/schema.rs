//! The JSON Schema of a `provider.toml`, for editors. It is made of the description's types: their doc comments are what an
//! editor shows, and a key that they do not have is an error.
//!
//! What may be written in several shapes is one schema, not an `anyOf`: an editor then says which key is wrong, and not that
//! nothing fits. Keywords for tables say nothing of texts and lists, so that they can stand together.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::signing::{Now, Set, Sign, Signing};
use super::{Code, Collect, Conditional, Description, Equals, Let, ListedHeaders, Many, Sort};

/// Draft 7, which the TOML servers of editors take (Taplo, Tombi).
pub fn schema() -> Schema {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(tighten));
    let mut schema = settings.into_generator().into_root_schema_for::<Description>();
    schema.insert("title".into(), "Hookport provider description".into());
    schema
}

/// TOML has no null, Rust's number formats say nothing to an editor, and a table has the keys that it has.
fn tighten(schema: &mut Schema) {
    schema.remove("format");
    if schema.get("default") == Some(&Value::Null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.retain(|one| one["type"] != "null");
        if any.len() == 1 {
            let only = std::mem::take(any);
            schema.remove("anyOf");
            schema.insert("allOf".into(), only.into());
        }
    }
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema.insert("additionalProperties".into(), false.into());
    }
}

/// One, or a list of it.
impl<T: JsonSchema> JsonSchema for Many<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Many_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        let mut one = T::json_schema(generator);
        one.remove("description");
        also(one, "array", [("items", items.into())])
    }
}

impl JsonSchema for Let {
    fn schema_name() -> Cow<'static, str> {
        "Let".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = [
            ("template", Conditional::json_schema(generator)),
            ("sort", Sort::json_schema(generator)),
            ("collect", Collect::json_schema(generator)),
            ("listed_headers", ListedHeaders::json_schema(generator)),
            ("code", Code::json_schema(generator)),
        ];
        let (mut properties, mut any) = (serde_json::Map::new(), vec![json!({ "type": "string" })]);
        for (key, kind) in kinds {
            any.push(json!({ "required": [key] }));
            for (name, property) in kind.get("properties").and_then(Value::as_object).into_iter().flatten() {
                // What `join` and `pair` are unless said depends on the kind; the first kind's words stand.
                properties.entry(name).or_insert_with(|| property.clone());
            }
        }
        json_schema!({
            "description": "A template, sorted parts, fields collected from the request, or what the plugin's code writes.",
            "type": ["string", "object"],
            "properties": properties,
            "anyOf": any,
        })
    }
}

impl JsonSchema for Equals {
    fn schema_name() -> Cow<'static, str> {
        "Equals".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let texts = json!({ "type": "array", "items": { "type": "string" }, "minItems": 2 });
        json_schema!({
            "description": "A source and the texts of which it equals one; or a list of such lists.",
            "anyOf": [texts, { "type": "array", "items": texts }],
        })
    }
}

impl JsonSchema for Signing {
    fn schema_name() -> Cow<'static, str> {
        "Signing".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let several = Many::<Sign>::json_schema(generator);
        also(several, "string", [("pattern", "^verify$".into()), ("description", ABOUT_SIGNING.into())])
    }
}

const ABOUT_SIGNING: &str =
    "`verify`: as the provider signs. Else a table, or several of which the first that applies.";

impl JsonSchema for Set {
    fn schema_name() -> Cow<'static, str> {
        "Set".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A template of a text; `{ json }`: of a JSON value, such as a number.",
            "type": ["string", "object"],
            "properties": { "json": { "type": "string" } },
            "required": ["json"],
        })
    }
}

impl JsonSchema for Now {
    fn schema_name() -> Cow<'static, str> {
        "Now".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A time format as under `[timestamp]`, or that and an offset from UTC.",
            "type": ["string", "object"],
            "properties": { "format": { "type": "string" }, "offset": { "type": "string" } },
            "required": ["format"],
        })
    }
}

/// The schema for what may be of another type, too, with that type's keywords.
fn also<const N: usize>(mut schema: Schema, kind: &str, keywords: [(&str, Value); N]) -> Schema {
    let types = match schema.remove("type") {
        Some(Value::Array(types)) => types,
        one => one.into_iter().collect(),
    };
    let types: Vec<Value> = types.into_iter().chain([kind.into()]).collect();
    schema.insert("type".into(), types.into());
    for (keyword, value) in keywords {
        schema.insert(keyword.into(), value);
    }
    schema
}

#[cfg(test)]
mod tests;
