//! Functions as JSON: a name, or where there are settings, an object with its `kind` beside them, as layers have it.

use super::Activation;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value, json};

impl<'de> Deserialize<'de> for Activation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let read = match outside(value.clone()) {
            // A kind that has settings may leave them to their defaults.
            Value::String(kind) => Self::deserialize(Value::String(kind.clone())).or_else(|reason| {
                Self::deserialize(Value::Object(Map::from_iter([(kind, json!({}))]))).map_err(|_| reason)
            }),
            other => Self::deserialize(other),
        };
        read.map_err(|reason| D::Error::custom(format!("the activation {value} is none: {reason}")))
    }
}

impl Serialize for Activation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = Self::serialize(self, serde_json::value::Serializer).map_err(serde::ser::Error::custom)?;
        inside(value).serialize(serializer)
    }
}

/// From `{ "kind": "name", ... }` to serde's `{ "name": { ... } }`, or `"name"` where nothing is beside it.
fn outside(value: Value) -> Value {
    match value {
        Value::Object(mut settings) => match settings.remove("kind") {
            Some(Value::String(kind)) if settings.is_empty() => Value::String(kind),
            Some(Value::String(kind)) => Value::Object(Map::from_iter([(kind, Value::Object(settings))])),
            Some(other) => other,
            None => Value::Object(settings),
        },
        name => name,
    }
}

/// The way back.
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
