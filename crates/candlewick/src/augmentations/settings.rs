//! What the settings of several augmentations must be.

use crate::error::{Code, Error, Result};
use std::fmt::Debug;

/// A part of a whole.
pub fn require_share(name: &str, value: f64) -> Result<()> {
    require((0.0..=1.0).contains(&value), name, value, "from 0 to 1")
}

/// A setting that is right, or the sentence that says what it must be.
pub fn require(is_right: bool, name: &str, value: impl Debug, expected: &str) -> Result<()> {
    if is_right {
        return Ok(());
    }
    Err(Error::new(Code::InvalidArgument, format!("{name} is {value:?}; it must be {expected}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_from_0_to_1() {
        assert_eq!([0.0, 0.5, 1.0].map(|share| require_share("it", share)), [Ok(()), Ok(()), Ok(())]);
        for (share, shown) in [(-1e-9, "-1e-9"), (1.5, "1.5"), (f64::NAN, "NaN")] {
            let error = require_share("contrast's amount", share).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert_eq!(error.message, format!("contrast's amount is {shown}; it must be from 0 to 1"));
        }
    }
}
