//! The body as a JSON document.
use bytes::Bytes;
use hookport_plugin_api::description::Content;

use super::json::Edit;
use super::view::Parsed;

/// The document without the fields; nothing where the content is raw.
pub(super) fn document(content: Content, parsed: &Parsed<'_>, fields: &[Vec<String>]) -> Result<Option<Bytes>, String> {
    if content != Content::Json {
        return Ok(None);
    }
    if let Some(error) = parsed.not_json() {
        return Err(error.to_string());
    }
    let Some(document) = parsed.json() else { return Ok(None) };
    let signed: Vec<_> = fields.iter().filter_map(|steps| document.root().at(steps)).collect();
    let mut data = Vec::with_capacity(parsed.request.body.len());
    document.root().write(&mut data, &mut |value| match signed.iter().any(|field| field.is(value)) {
        true => Edit::Drop,
        false => Edit::Keep,
    });
    Ok(Some(data.into()))
}
