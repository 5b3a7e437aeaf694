//! What is counted while images pass: losses and correct answers, always; and on request, of an evaluation, what a [`Tally`] counts.

mod confusion;
mod per_class;
mod report;
mod tally;
mod top_k;

pub use report::{ClassFigures, MacroFigures, Report};
use std::ops::AddAssign;
pub use tally::{Request, Tally};

/// Sums over images; the means are what people read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Sum of the losses of images; of softmax cross-entropy in nats, times the weight of each image's class.
    pub loss: f64,
    /// What the mean loss divides by: images or, where classes weigh differently and images are not mixed, the sum of the weights of
    /// theirs.
    pub weight: f64,
    /// Answers that are right: of softmax cross-entropy, images whose largest logit is their label's, that of the larger share where
    /// they are mixed; of sigmoid cross-entropy, outputs on their target's side of a half.
    pub correct: u64,
    /// Answers that are right or wrong: none for the mean squared error.
    pub answers: u64,
    /// Images counted.
    pub count: u64,
}

impl Metrics {
    /// Loss an image; NaN for no images.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.weight
    }

    /// Share of answers that are right, 0 to 1; NaN for none.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.answers as f64
    }
}

impl AddAssign for Metrics {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.weight += other.weight;
        self.correct += other.correct;
        self.answers += other.answers;
        self.count += other.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_means() {
        let mut metrics = Metrics { loss: 3.0, weight: 0.5, correct: 1, answers: 2, count: 1 };
        metrics += Metrics { loss: 4.0, weight: 7.5, correct: 4, answers: 6, count: 3 };
        assert_eq!(metrics, Metrics { loss: 7.0, weight: 8.0, correct: 5, answers: 8, count: 4 });
        assert_eq!((metrics.mean_loss(), metrics.accuracy()), (0.875, 0.625));
        let none = Metrics::default();
        assert!(none.mean_loss().is_nan() && none.accuracy().is_nan());
    }
}
