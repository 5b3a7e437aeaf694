//! What layers, initialisers and optimisers look like as JSON, which TypeScript hands over and files hold: objects.

use crate::error::{Code, Error, Result};
use serde::de::DeserializeOwned;

/// What `text` describes. `what` is its name in the sentence of an error, and `example` what it may look like.
///
/// # Errors
/// `InvalidArgument` for an unknown kind, an unknown, missing or misspelt field, a value of another type.
pub fn read<T: DeserializeOwned>(what: &str, example: &str, text: &str) -> Result<T> {
    let refused = |reason: &str| Error::new(Code::InvalidArgument, format!("{what} cannot be read: {reason}"));
    if !text.starts_with('{') {
        let start: String = text.chars().take(20).collect();
        return Err(refused(&format!("it begins with {start}, but is to be as in {example}")));
    }
    serde_json::from_str(text).map_err(|reason| {
        let reason = reason.to_string();
        refused(reason.split(" at line ").next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::initializers::Initializer;
    use crate::optimizers::Optimizer;

    #[test]
    fn what_cannot_be_read_is_named() {
        let sgd = r#"{"kind":"sgd","learningRate":0.05,"momentum":0}"#;
        let optimizer = |text: &str| read::<Optimizer>("the optimizer", "{ ... }", text);
        assert_eq!(optimizer(sgd), Ok(Optimizer::EXAMPLES[0].clone()));
        for (text, expected) in [
            (sgd.replace("momentum", "momentun"), "unknown field `momentun`, expected one of `learningRate`, `mom"),
            (sgd.replace("0.05", "null"), "invalid type: null, expected f32"),
            (sgd.replace("sgd", "sgdd"), "unknown variant `sgdd`, expected one of `sgd`"),
            (r#"{"learningRate":1}"#.to_owned(), "missing field `kind`"),
            (sgd[..20].to_owned(), "EOF"),
            (r#"["sgd",0.1]"#.to_owned(), r#"it begins with ["sgd",0.1], but is to be as in { ... }"#),
        ] {
            let error = optimizer(&text).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.starts_with(&format!("the optimizer cannot be read: {expected}")), "{error}");
        }
        let error = read::<Initializer>("the initializer", "{ ... }", r#"{"kind":"xavier","scale":1}"#).unwrap_err();
        assert!(error.message.starts_with("the initializer cannot be read: unknown field `scale`"), "{error}");
    }
}
