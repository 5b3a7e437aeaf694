//! All values of an image in one row: (C, H, W) to (C · H · W). Nothing is moved; dense layers do the same by themselves.

use super::plan::{Arithmetic, Describe, Plan};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// A flattening of (C, H, W) or (units), as its user writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flatten {}

impl Flatten {
    /// It has no options.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        std::iter::once(Self {})
    }
}

impl Describe for Flatten {
    fn prefix(&self) -> &'static str {
        "flatten"
    }

    fn plan(&self, _: &str, input: &[usize]) -> Result<Plan> {
        Ok(Plan {
            output: vec![input.iter().product()],
            parameters: Vec::new(),
            arithmetic: Arithmetic::Nothing,
            activation: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_place_in_the_row() {
        let output = |input: &[usize]| Flatten {}.plan("flatten0", input).unwrap().output;
        assert_eq!(output(&[3, 4, 5]), [60]);
        assert_eq!(output(&[7]), [7]);
    }
}
