//! What networks, initialisers and optimisers look like in JavaScript and in files.

use crate::error::{Code, Error, Result};
use serde::de::DeserializeOwned;

/// What `text` describes; `what` is its name in the sentence of an error.
///
/// # Errors
/// `InvalidArgument` names what is unknown, missing or of another type.
pub fn read<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|reason| Error::new(Code::InvalidArgument, format!("{what} cannot be read: {reason}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizers::{Optimizer, Sgd};

    #[test]
    fn what_cannot_be_read_is_named() {
        let sgd = r#"{"kind":"sgd","learningRate":0.5,"momentum":0,"weightDecay":0}"#;
        assert_eq!(read("the optimizer", sgd), Ok(Optimizer::Sgd(Sgd::new(0.5).unwrap())));
        for (text, expected) in [
            (sgd.replace("momentum", "momentun"), "the optimizer cannot be read: unknown field `momentun`, expected"),
            (sgd.replace("0.5", "null"), "the optimizer cannot be read: invalid type: null, expected f32"),
            (sgd[..20].to_owned(), "the optimizer cannot be read: EOF"),
        ] {
            let error = read::<Optimizer>("the optimizer", &text).unwrap_err();
            assert!(error.code == Code::InvalidArgument && error.message.starts_with(expected), "{error}");
        }
    }
}
