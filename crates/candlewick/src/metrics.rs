//! What is counted while images pass: loss and correct answers.

use std::ops::AddAssign;

/// Sums over images; the means are what people read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Sum of the losses, in nats.
    pub loss: f64,
    /// Images whose largest logit is their label's.
    pub correct: u64,
    /// Images counted.
    pub count: u64,
}

impl Metrics {
    /// Loss an image; NaN for no images.
    pub fn mean_loss(&self) -> f64 {
        self.loss / self.count as f64
    }

    /// Share of images answered correctly, 0 to 1; NaN for no images.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.count as f64
    }
}

impl AddAssign for Metrics {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.correct += other.correct;
        self.count += other.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_means() {
        let mut metrics = Metrics { loss: 3.0, correct: 1, count: 2 };
        metrics += Metrics { loss: 4.0, correct: 4, count: 6 };
        assert_eq!(metrics, Metrics { loss: 7.0, correct: 5, count: 8 });
        assert_eq!((metrics.mean_loss(), metrics.accuracy()), (0.875, 0.625));
        let none = Metrics::default();
        assert!(none.mean_loss().is_nan() && none.accuracy().is_nan());
    }
}
