//! Which class is taken for which.

use crate::error::Result;
use crate::memory;

/// Images by their class and their answer.
#[derive(Debug)]
pub struct Confusion {
    classes: usize,
    /// `[class][answer]`
    counts: Vec<u32>,
}

impl Confusion {
    /// Of no images.
    ///
    /// # Errors
    /// `OutOfMemory`, for the square of `classes`.
    pub fn new(classes: usize) -> Result<Self> {
        Ok(Self { classes, counts: memory::zeros(classes.saturating_mul(classes))? })
    }

    /// An image of a class that is taken for `answer`.
    pub fn count(&mut self, class: usize, answer: usize) {
        self.counts[class * self.classes + answer] += 1;
    }

    /// A row for each class: how often it was taken for each.
    pub fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.counts.chunks_exact(self.classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn rows_are_true_classes() {
        let mut confusion = Confusion::new(3).unwrap();
        for (class, answer) in [(0, 0), (0, 2), (2, 1), (0, 2)] {
            confusion.count(class, answer);
        }
        assert_eq!(confusion.rows().collect::<Vec<_>>(), [[1, 0, 2], [0, 0, 0], [0, 1, 0]]);
    }

    #[test]
    fn more_classes_than_memory_has_squares_of_are_an_error() {
        assert_eq!(Confusion::new(1 << 31).unwrap_err().code, Code::OutOfMemory);
        assert_eq!(Confusion::new(1 << 33).unwrap_err().code, Code::OutOfMemory);
    }
}
