//! The secret: copied with something around it, or read in another form than the sender reads it.

use hookport_plugin_api::description::{Key, SecretKind, Verify};
use secrecy::ExposeSecret;

use super::Variant;
use super::varied::{described, given};
use crate::provider::algorithm::KeyKind;
use crate::provider::source::Source;
use crate::request::Incoming;

/// The forms of a shared key; `whsec` reads what `base64` reads, too.
const FORMS: [&str; 6] = ["utf8", "hex", "base64", "whsec", "sha1", "md5"];

type Edit = fn(&str) -> String;

const EDITS: [(Edit, &str, &str); 5] = [
    (|text| text.trim().to_owned(), "has no white space around it", "give it without"),
    (|text| text.trim().trim_matches(['"', '\'']).to_owned(), "has no quotes around it", "give it without"),
    (|text| text.trim().trim_start_matches("whsec_").to_owned(), "has no whsec_ in front", "give it without"),
    (|text| format!("{}\n", text.trim()), "ends with a newline", "the sender's has one too many: set it anew there"),
    (|text| format!("{}\r\n", text.trim()), "ends with CRLF", "the sender's has one too many: set it anew there"),
];

pub(super) fn variants(source: &Source, _: &Incoming) -> Vec<Variant> {
    let slots = &source.provider.description.secrets;
    let names = source.secrets.keys().filter(|name| slots.get(*name).is_some_and(|slot| slot.kind == SecretKind::Text));
    names.flat_map(|name| edited(source, name)).chain(formed(source)).collect()
}

fn edited(source: &Source, name: &str) -> Vec<Variant> {
    let edits = EDITS.into_iter().filter_map(|(edit, is, mend)| {
        let values = source.secrets.get(name)?;
        if values.iter().all(|value| edit(value.expose_secret()) == value.expose_secret()) {
            return None;
        }
        let values: Vec<_> = values.iter().map(|value| edit(value.expose_secret()).into()).collect();
        let varied = given(source, |parts| drop(parts.secrets.insert(name.to_owned(), values)))?;
        Some(Variant::of_source(varied, format!("when secrets.{name} {is}: {mend}")))
    });
    edits.collect()
}

fn formed(source: &Source) -> Vec<Variant> {
    let tables = source.provider.tables.iter().enumerate();
    let shared = tables.filter(|(_, table)| table.algorithm.key == KeyKind::Shared && table.algorithm.name != "static");
    let forms = shared.flat_map(|(index, table)| {
        let own = table.key.0.as_str();
        FORMS.into_iter().filter(move |form| *form != own).filter_map(move |form| {
            let varied = described(source, index, |written| reformed(written, form))?;
            let says = format!(
                "when the key is read as {form}, not as {own}: say key = {{ form = \"{form}\" }} in verify.{index}, or \
                 give the secret as {own}"
            );
            Some(Variant::of_source(varied, says))
        })
    });
    forms.collect()
}

fn reformed(written: &mut Verify, form: &str) {
    let key = written.key.get_or_insert_with(|| Key {
        form: String::new(),
        value: "${secret}".into(),
        select: None,
        fetch: None,
        from: None,
        chain: None,
        subject_cn: None,
        subject: None,
    });
    key.form = form.to_owned();
}
