//! The images of a range.

use std::ops::Range;

/// Their indices.
pub fn places(range: Range<usize>) -> Vec<u32> {
    range.map(|index| index as u32).collect()
}
