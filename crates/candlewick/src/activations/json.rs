//! Functions as JSON: a name, or where there are settings, an object with its `kind` beside them, as layers have it.

use super::Activation;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;

impl<'de> Deserialize<'de> for Activation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

/// A function as it is written.
struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Activation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an activation, as in \"relu\"")
    }

    /// The name of one without settings is all that nearly every layer has.
    fn visit_str<E: Error>(self, name: &str) -> Result<Activation, E> {
        let whole: StrDeserializer<'_, E> = name.into_deserializer();
        Activation::deserialize(whole)
            .or_else(|_| read(name.to_owned(), Map::new()).map_err(|reason| none(&Value::from(name), &reason)))
    }

    fn visit_map<A: MapAccess<'de>>(self, settings: A) -> Result<Activation, A::Error> {
        let whole: Map<_, _> = Map::deserialize(MapAccessDeserializer::new(settings))?;
        let mut settings = whole.clone();
        let read = match settings.remove("kind") {
            Some(Value::String(kind)) => read(kind, settings),
            Some(_) | None => Err(serde_json::Error::missing_field("kind")),
        };
        read.map_err(|reason| none(&Value::Object(whole), &reason))
    }
}

fn none<E: Error>(written: &Value, reason: &serde_json::Error) -> E {
    E::custom(format!("the activation {written} is none: {reason}"))
}

/// As serde has it; a kind that has settings may leave them to their defaults.
fn read(kind: String, settings: Map<String, Value>) -> serde_json::Result<Activation> {
    if settings.is_empty()
        && let Ok(function) = Activation::deserialize(Value::String(kind.clone()))
    {
        return Ok(function);
    }
    Activation::deserialize(Value::Object(Map::from_iter([(kind, Value::Object(settings))])))
}

impl Serialize for Activation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = Self::serialize(self, serde_json::value::Serializer).map_err(serde::ser::Error::custom)?;
        inside(value).serialize(serializer)
    }
}

/// From serde's `{ "name": { ... } }` to `{ "kind": "name", ... }`; a name stays one.
fn inside(value: Value) -> Value {
    match value {
        Value::Object(outer) => {
            let settings = outer.into_iter().flat_map(|(kind, settings)| {
                let settings = if let Value::Object(settings) = settings { settings } else { Map::new() };
                std::iter::once(("kind".to_owned(), Value::String(kind))).chain(settings)
            });
            Value::Object(settings.collect())
        }
        name => name,
    }
}
