//! How well each class is found.

use super::report::{ClassFigures, MacroFigures};
use crate::error::Result;
use crate::memory;

/// Images of each class.
#[derive(Debug)]
pub struct PerClass {
    classes: Vec<Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Of this class.
    support: u64,
    /// Taken for this class, rightly or wrongly.
    answers: u64,
    /// Of this class, and taken for it.
    right: u64,
}

impl PerClass {
    /// Of no images.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(classes: usize) -> Result<Self> {
        let counts = memory::collect((0..classes).map(|_| Counts::default()))?;
        Ok(Self { classes: counts })
    }

    /// An image of a class that is taken for `answer`.
    pub fn count(&mut self, class: usize, answer: usize) {
        self.classes[class].support += 1;
        self.classes[answer].answers += 1;
        self.classes[class].right += u64::from(class == answer);
    }

    /// Of each class.
    pub fn figures(&self) -> impl Iterator<Item = ClassFigures> {
        self.classes.iter().map(Counts::figures)
    }

    /// The means over the classes, but for those of which there is neither an image nor an answer, as scikit-learn has it.
    pub fn macro_figures(&self) -> MacroFigures {
        let (mut sum, mut classes) = (MacroFigures::default(), 0.0);
        for counts in self.classes.iter().filter(|counts| counts.support + counts.answers > 0) {
            let ClassFigures { precision, recall, f1, .. } = counts.figures();
            classes += 1.0;
            sum.precision += precision;
            sum.recall += recall;
            sum.f1 += f1;
        }
        let mean = |sum: f64| if classes > 0.0 { sum / classes } else { 0.0 };
        MacroFigures { precision: mean(sum.precision), recall: mean(sum.recall), f1: mean(sum.f1) }
    }
}

impl Counts {
    fn figures(&self) -> ClassFigures {
        let Self { support, answers, right } = *self;
        ClassFigures {
            precision: share(right, answers),
            recall: share(right, support),
            f1: share(2 * right, support + answers),
            support,
        }
    }
}

/// 0 of none, as scikit-learn has it.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three images of class 0, of which one is taken for 1; one of class 1, taken for 2; of class 3, nothing at all.
    fn counted() -> PerClass {
        let mut found = PerClass::new(4).unwrap();
        for (class, answer) in [(0, 0), (0, 1), (0, 0), (1, 2)] {
            found.count(class, answer);
        }
        found
    }

    #[test]
    fn each_class_has_its_figures() {
        let figures = |precision, recall, f1, support| ClassFigures { precision, recall, f1, support };
        let expected = [
            figures(1.0, 2.0 / 3.0, 0.8, 3),
            figures(0.0, 0.0, 0.0, 1),
            figures(0.0, 0.0, 0.0, 0),
            figures(0.0, 0.0, 0.0, 0),
        ];
        assert_eq!(counted().figures().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn means_leave_out_classes_that_do_not_occur() {
        let expected = MacroFigures { precision: 1.0 / 3.0, recall: 2.0 / 9.0, f1: 0.8 / 3.0 };
        assert_eq!(counted().macro_figures(), expected);
        assert_eq!(PerClass::new(2).unwrap().macro_figures(), MacroFigures::default());
    }
}
