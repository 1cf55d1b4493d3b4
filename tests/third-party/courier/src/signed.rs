//! The signed text: method, target and time, and a line for each field of the body, its path and its JSON, sorted.

use hookport_plugin_api::prelude::*;
use hookport_plugin_api::serde_json::Value;

pub(crate) fn text(request: &Unverified<'_>) -> Result<Vec<u8>, TextError> {
    let time = request.header("x-courier-time").ok_or("no time")?;
    let mut lines = Vec::new();
    fields(&request.json()?, &mut String::new(), &mut lines);
    lines.sort_unstable();
    Ok(format!("{}\n{}\n{time}\n{}", request.method(), request.target(), lines.join("\n")).into_bytes())
}

fn fields(value: &Value, path: &mut String, lines: &mut Vec<String>) {
    let here = path.len();
    let mut below = |name: &str, value: &Value| {
        path.push('/');
        path.push_str(name);
        fields(value, path, lines);
        path.truncate(here);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| below(name, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| below(&at.to_string(), value)),
        leaf => lines.push(format!("{path}={leaf}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_by_their_whole_path() {
        let value = hookport_plugin_api::serde_json::from_str(r#"{"b":[1,{"c":"x"}],"a":true}"#).unwrap();
        let mut lines = Vec::new();
        fields(&value, &mut String::new(), &mut lines);
        lines.sort_unstable();
        assert_eq!(lines, ["/a=true", "/b/0=1", "/b/1/c=\"x\""]);
    }
}
