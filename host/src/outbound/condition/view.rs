//! An event as a condition sees it: the CloudEvent of `event.rs`, its data read into CEL's values.
//!
//! What is not in the CloudEvent is not here either, so that `has(event.subject)` means what it says.

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::Val;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::event::{Data, Event};

/// All that it may have; what an event lacks is not there.
pub(super) const NAMES: [&str; 13] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "data",
    "data_base64",
    "provider",
    "providerversion",
    "providereventid",
    "receivedtime",
];

/// The variable `event`.
pub(super) fn event(event: &Event) -> Box<dyn Val> {
    let mut map: HashMap<CelMapKey<'static>, Box<dyn Val>> = HashMap::new();
    let mut set = |name: &'static str, value: String| {
        map.insert(name.into(), text(value));
    };
    set("specversion", "1.0".into());
    set("id", event.id.to_string());
    set("source", format!("/sources/{}", event.source));
    set("type", event.kind.clone());
    set("time", event.time.unwrap_or(event.received).to_string());
    set("provider", event.provider.to_string());
    set("providerversion", event.provider_version.to_string());
    set("receivedtime", event.received.to_string());
    if let Some(subject) = &event.subject {
        set("subject", subject.clone());
    }
    if let Some(id) = &event.provider_id {
        set("providereventid", id.clone());
    }
    match &event.data {
        Data::Json(json) => {
            set("datacontenttype", "application/json".into());
            // The journal holds JSON only where it was parsed before; a condition on anything else finds no `data`.
            if let Ok(Json(data)) = serde_json::from_slice(json) {
                map.insert("data".into(), data);
            }
        }
        Data::Bytes(bytes, content_type) => {
            set("datacontenttype", content_type.clone());
            set("data_base64", STANDARD.encode(bytes));
        }
        Data::None => {}
    }
    Box::new(CelMap::from(map))
}

fn text(text: String) -> Box<dyn Val> {
    Box::new(CelString::from(text))
}

/// JSON read straight into CEL's values.
struct Json(Box<dyn Val>);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor).map(Json)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Box<dyn Val>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Box::new(CelBool::from(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Box::new(CelInt::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(match i64::try_from(value) {
            Ok(value) => Box::new(CelInt::from(value)),
            Err(_) => Box::new(CelUInt::from(value)),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Box::new(CelDouble::from(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(text(value))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Box::new(CelNull))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Json(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Box::new(CelList::from(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map: HashMap<CelMapKey<'static>, Box<dyn Val>> = HashMap::new();
        while let Some((key, Json(value))) = entries.next_entry::<String, Json>()? {
            map.insert(key.into(), value);
        }
        Ok(Box::new(CelMap::from(map)))
    }
}
