//! Errors on their way to JavaScript.

use candlewick::{Code, Error};

/// `CODE: sentence.`, which `src/addon.ts` takes apart: a rejected promise carries no code of ours.
pub fn to_js(error: Error) -> napi::Error {
    napi::Error::from_reason(format!("{}: {}", error.code.as_str(), error.message))
}

/// A defect of ours, whatever it was.
pub fn internal(what: &str) -> Error {
    Error::new(Code::Internal, format!("candlewick failed in a way it should not ({what}); please report it"))
}
