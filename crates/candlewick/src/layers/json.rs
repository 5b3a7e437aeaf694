//! Layers as JSON, which TypeScript hands over and files hold.

use super::Layer;
use crate::error::{Code, Error, Result};
use crate::json;
use serde_json::value::RawValue;

/// The layers of a JSON text, an array of objects with a `kind`.
///
/// # Errors
/// `InvalidArgument` names the layer that cannot be read, and why: an unknown kind, an unknown, missing or misspelt field.
pub fn from_json(text: &str) -> Result<Vec<Layer>> {
    let whole: Vec<&RawValue> = serde_json::from_str(text).map_err(|reason| {
        let message =
            format!("the layers cannot be read: {reason}; they are an array of objects, one a layer, as JSON");
        Error::new(Code::InvalidArgument, message)
    })?;
    let example = r#"{ "kind": "dense", "units": 10 }"#;
    let one = |(i, layer): (usize, &&RawValue)| json::read(&format!("layers[{i}]"), example, layer.get());
    whole.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, named) in [
            ("[", "the layers cannot be read: EOF"),
            ("{}", "an array of objects, one a layer"),
            ("[7]", "layers[0] cannot be read: it begins with 7, but is to be as in { \"kind\": \"dense\""),
            (r#"[["dense", 7]]"#, r#"it begins with ["dense", 7], but is to be as"#),
            (r#"[{ "units": 7 }]"#, "layers[0] cannot be read: missing field `kind`"),
            (
                r#"[{ "kind": "lstm" }]"#,
                "layers[0] cannot be read: unknown variant `lstm`, expected one of `conv2d`, `max",
            ),
            (
                r#"[{ "kind": "dense", "units": 7 }, { "kind": "dense" }]"#,
                "layers[1] cannot be read: missing field `units`",
            ),
            (
                r#"[{ "kind": "dense", "units": 7, "unit": 3 }]"#,
                "unknown field `unit`, expected one of `units`, `useBias`, ",
            ),
            (r#"[{ "kind": "dense", "units": -1 }]"#, "invalid value: integer `-1`, expected usize"),
            (r#"[{ "kind": "dense", "units": 7.5 }]"#, "invalid type: floating point `7.5`, expected usize"),
            (
                r#"[{ "kind": "dense", "units": 7, "activation": "rely" }]"#,
                "unknown variant `rely`, expected one of `sigmoid`",
            ),
            (
                r#"[{ "kind": "dense", "units": 7, "activation": { "kind": "relu", "slope": 1 } }]"#,
                r#"the activation {"kind":"relu","slope":1} is none: "#,
            ),
            (r#"[{ "kind": "maxPool2d", "poolSize": [2] }]"#, "invalid length 1"),
            (r#"[{ "kind": "conv2d", "channels": 1, "kernelSize": [2, 2, 2] }]"#, "invalid length 3"),
        ] {
            let error = from_json(text).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.contains(named), "{text}: {error}");
        }
        for deep in ["[", "{\"kind\":", "{\"a\":", "{\"kind\":\"residual\",\"body\":["] {
            let error = from_json(&format!("[{}", deep.repeat(100_000))).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument, "{error}");
        }
    }

    #[test]
    fn what_is_not_written_has_its_default() {
        let text = r#"[{ "kind": "conv2d", "channels": 3, "kernelSize": [2, 4] }, { "kind": "avgPool2d", "poolSize": [2, 3] }]"#;
        let full = r#"[{"kind":"conv2d","channels":3,"kernelSize":[2,4],"strides":[1,1],"padding":[0,0]},{"kind":"avgPool2d","poolSize":[2,3],"strides":[2,3]}]"#;
        let layers = from_json(text).unwrap();
        assert_eq!(layers, from_json(full).unwrap());
        assert_eq!(serde_json::to_string(&layers).unwrap(), full);
    }
}
