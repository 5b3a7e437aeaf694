//! Functions as JSON: a name, or where there are settings, an object with its `kind` beside them, as layers have it.

use super::Activation;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value};

impl<'de> Deserialize<'de> for Activation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        read(value.clone()).map_err(|reason| D::Error::custom(format!("the activation {value} is none: {reason}")))
    }
}

fn read(value: Value) -> serde_json::Result<Activation> {
    let (kind, settings) = match value {
        Value::Object(mut settings) => match settings.remove("kind") {
            Some(Value::String(kind)) => (kind, settings),
            Some(_) | None => return Err(serde_json::Error::missing_field("kind")),
        },
        Value::String(kind) => (kind, Map::new()),
        other => return Activation::deserialize(other),
    };
    if settings.is_empty()
        && let Ok(function) = Activation::deserialize(Value::String(kind.clone()))
    {
        return Ok(function);
    }
    // As serde has it; a kind that has settings may leave them to their defaults.
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
