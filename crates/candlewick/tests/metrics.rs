//! The sums that engines count, and the means that people read.

use candlewick::metrics::Metrics;

#[test]
fn means_are_of_all_images_counted() {
    let mut sum = Metrics { loss: 1.0, weight: 2.0, correct: 1, answers: 2, count: 2 };
    sum += Metrics { loss: 2.5, weight: 8.0, correct: 2, answers: 8, count: 8 };
    assert_eq!(sum, Metrics { loss: 3.5, weight: 10.0, correct: 3, answers: 10, count: 10 });
    assert_eq!((sum.mean_loss(), sum.accuracy()), (0.35, 0.3));
    assert!(Metrics::default().mean_loss().is_nan() && Metrics::default().accuracy().is_nan());
}
