//! [`Members`]: the members of a JSON object, each name once.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

/// A JSON value, as far as a proof has to tell them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Json {
    Text(String),
    Object(Members),
    Other,
}

/// The members of an object. In no object of it, however deep, does a name come twice (RFC 8725, section 2.4: parsers differ
/// in which one they take).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Members(Vec<(String, Json)>);

impl Members {
    /// The members of the object that these bytes are; `None` if they are something else.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        match serde_json::from_slice(json) {
            Ok(Json::Object(members)) => Some(members),
            Ok(Json::Text(_) | Json::Other) | Err(_) => None,
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The text of this member; `None` if it is missing or no string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Json::Text(text) => Some(text),
            Json::Object(_) | Json::Other => None,
        }
    }

    /// The members of this member; `None` if it is missing or no object.
    pub(super) fn object(&self, name: &str) -> Option<&Self> {
        match self.get(name)? {
            Json::Object(members) => Some(members),
            Json::Text(_) | Json::Other => None,
        }
    }

    fn get(&self, name: &str) -> Option<&Json> {
        let mut members = self.0.iter();
        members.find(|(own, _)| own == name).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        while items.next_element::<Json>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut members = Members::default();
        while let Some(name) = entries.next_key::<String>()? {
            if members.has(&name) {
                return Err(A::Error::custom("a name comes twice"));
            }
            let value = entries.next_value()?;
            members.0.push((name, value));
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::Members;

    #[test]
    fn members_are_read_by_name_and_type() {
        let read =
            Members::parse(br#"{"a":"1","b":{"c":"2"},"n":1,"f":[true,{"a":1.5}],"z":null}"#);
        let read = read.unwrap();
        assert_eq!(
            (read.text("a"), read.text("b"), read.text("n")),
            (Some("1"), None, None)
        );
        assert_eq!(read.object("b").unwrap().text("c"), Some("2"));
        assert!(read.object("a").is_none() && read.object("x").is_none());
        for (name, has) in [("z", true), ("f", true), ("c", false), ("A", false)] {
            assert_eq!(read.has(name), has, "{name}");
        }
        // An escaped name is the name that it spells.
        assert_eq!(
            Members::parse(br#"{"\u0061":"1"}"#).unwrap().text("a"),
            Some("1")
        );
    }

    #[test]
    fn what_is_no_object_or_names_a_member_twice_is_refused() {
        for json in [
            "",
            "null",
            "[]",
            "\"a\"",
            "{",
            "{}x",
            "{} {}",
            r#"{"a":1,}"#,
            r#"{a:1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"{"x":[{"a":1,"a":2}]}"#,
            r#"{"a":"\uD800"}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":1e999}"#,
        ] {
            assert_eq!(Members::parse(json.as_bytes()), None, "{json}");
        }
        assert_eq!(Members::parse(b"{\"a\":\"\xFF\"}"), None);
        // Deeper than any parser should follow.
        let deep = ["{\"a\":".repeat(300), "1".to_owned(), "}".repeat(300)].concat();
        assert_eq!(Members::parse(deep.as_bytes()), None);
    }
}
