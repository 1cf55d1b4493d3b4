//! The members of a JSON object in the order received, each value as written: one can be replaced and the others stay
//! byte for byte, numbers above all.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// The members of a JSON object.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    members: Vec<(Cow<'a, str>, Cow<'a, RawValue>)>,
}

impl<'a> Fields<'a> {
    /// Names and values in the order received.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &RawValue)> {
        self.members.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// The first member of that name.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.iter().find(|member| member.0 == name).map(|member| member.1)
    }

    /// The first member of that name, if it is text.
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        #[derive(serde::Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
        serde_json::from_str::<Text<'_>>(self.get(name)?.get()).ok().map(|text| text.0)
    }

    /// Replaces the value of a member in its place, or adds it at the end.
    pub fn set(&mut self, name: &'a str, value: impl Into<Cow<'a, RawValue>>) {
        let value = value.into();
        match self.members.iter_mut().find(|member| member.0 == name) {
            Some(member) => member.1 = value,
            None => self.members.push((Cow::Borrowed(name), value)),
        }
    }

    /// Replaces the value of a member by a JSON text; false, and nothing happens, where the text is not JSON.
    pub fn set_json(&mut self, name: &'a str, json: &str) -> bool {
        let value = RawValue::from_string(json.to_owned());
        value.map(|value| self.set(name, Cow::Owned(value))).is_ok()
    }

    /// Removes every member of that name.
    pub fn remove(&mut self, name: &str) {
        self.members.retain(|member| member.0 != name);
    }

    /// The object, compact between the members and as written within.
    pub fn to_json(&self) -> String {
        let mut json = String::from("{");
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            json.push_str(&serde_json::Value::from(name).to_string());
            json.push(':');
            json.push_str(value.get());
        }
        json.push('}');
        json
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                #[derive(serde::Deserialize)]
                struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name.0, Cow::Borrowed(value)));
                }
                Ok(Fields { members })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_member_is_replaced_and_the_others_stay_as_written() {
        let text = r#"{"amount":10.00,"event_data":"{\"card_id\":12345678901234567890}","\u006eo":1e400}"#;
        let mut fields: Fields<'_> = serde_json::from_str(text).unwrap();
        let inner = fields.text("event_data").unwrap().into_owned();
        assert!(fields.set_json("event_data", &inner));
        assert_eq!(fields.to_json(), r#"{"amount":10.00,"event_data":{"card_id":12345678901234567890},"no":1e400}"#);
        assert_eq!(serde_json::to_string(&fields).unwrap(), fields.to_json());
    }

    #[test]
    fn text_that_is_not_json_changes_nothing() {
        let mut fields: Fields<'_> = serde_json::from_str(r#"{"a":1}"#).unwrap();
        assert!(!fields.set_json("a", "{"));
        fields.set_json("b", "[2]");
        fields.remove("a");
        assert_eq!(fields.to_json(), r#"{"b":[2]}"#);
    }
}
