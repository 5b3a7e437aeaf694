//! Two images become one, so that between two classes a network learns something in between.

use super::settings::require;
use super::uniform::{WORDS, one_of};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// Makes of an image and of another one the mean of both, λ of the first, pixel by pixel, rounded to a byte, halves up; and of what
/// they show the same. Zhang, Cisse, Dauphin and Lopez-Paz, mixup: Beyond Empirical Risk Minimization, 2017. λ is drawn from
/// Beta(α, α), for each image anew, as in timm's `Mixup` in the mode `elem`. The other image is any of those that are trained on, all
/// alike, itself among them, and what the augmentations before have made of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixup {
    /// α, above 0: the smaller, the closer λ is to 0 or 1; of 1, all are alike.
    pub alpha: f64,
}

impl Mixup {
    /// As [`super::Augmentation::check`].
    pub(super) fn check(self) -> Result<()> {
        let Self { alpha } = self;
        require(alpha > 0.0 && alpha.is_finite(), "mixup's alpha", alpha, "a finite number above 0")
    }

    /// Which of so many images is the other one, and λ.
    pub(crate) fn draw(self, [other, radius, angle, _]: [u32; 4], images: usize) -> (usize, f32) {
        (one_of(other, images), self.share([radius, angle]))
    }

    /// Of Beta(α, α): Devroye, Random Variate Generation in One Line of Code, 1996, after Ulrich and Bailey. It rejects nothing.
    /// With c the cosine of a random angle and p = U^(1/α), it is 1/2 + c √(1 - p) / √(p + (1 - p) c²) / 2, whose p may be 0.
    fn share(self, words: [u32; 2]) -> f32 {
        let [uniform, turn] = words.map(|word| (f64::from(word) + 0.5) / WORDS); // neither 0 nor 1, and so no cosine is 0
        let (exponent, cosine) = (libm::log(uniform) / self.alpha, libm::cos(TAU * turn));
        let (p, rest) = (libm::exp(exponent), -libm::expm1(exponent));
        let share = 0.5 + 0.5 * cosine * rest.sqrt() / (p + rest * cosine * cosine).sqrt();
        share.clamp(0.0, 1.0) as f32
    }

    /// Mixes another image into one, whose share is λ.
    pub(crate) fn mix(image: &mut [u8], other: &[u8], share: f32) {
        let share = f64::from(share);
        for (pixel, other) in image.iter_mut().zip(other) {
            *pixel = (share * f64::from(*pixel) + (1.0 - share) * f64::from(*other) + 0.5) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Chance;
    use std::f64::consts::FRAC_2_PI;

    const COUNT: usize = 100_000;

    /// Shares and places among ten images.
    fn drawn(alpha: f64) -> Vec<(usize, f32)> {
        let chance = Chance { seed: 1, step: 1, place: 0 };
        (0..COUNT).map(|index| Mixup { alpha }.draw(chance.words(index, 0), 10)).collect()
    }

    /// The mean and the variance of Beta(α, α) are 1/2 and 1 / (8α + 4). The deviations of what is found from them are those of so
    /// many numbers.
    #[test]
    fn shares_have_the_mean_and_the_variance_of_their_distribution() {
        for alpha in [0.01, 0.2, 0.5, 1.0, 2.0, 7.5, 1000.0] {
            let shares: Vec<f64> = drawn(alpha).into_iter().map(|(_, share)| share.into()).collect();
            let expected = 1.0 / (8.0 * alpha + 4.0);
            let mean = shares.iter().sum::<f64>() / COUNT as f64;
            let variance = shares.iter().map(|share| (share - 0.5) * (share - 0.5)).sum::<f64>() / COUNT as f64;
            let deviation = (expected / COUNT as f64).sqrt();
            assert!((mean - 0.5).abs() < 3.0 * deviation, "{alpha}: {mean}");
            assert!((variance / expected - 1.0).abs() < 0.015, "{alpha}: {variance}, not {expected}");
        }
    }

    /// Where it has a closed form: an arcsine, all alike, 3x² - 2x³ and 10x³ - 15x⁴ + 6x⁵.
    #[test]
    fn as_many_shares_are_below_each_number_as_the_distribution_has_there() {
        let polynomial = |x: f64, [a, b, c]: [f64; 3]| x * x * (a + x * (b + x * c));
        let functions: [(f64, &dyn Fn(f64) -> f64); 4] = [
            (0.5, &|x| FRAC_2_PI * x.sqrt().asin()),
            (1.0, &|x| x),
            (2.0, &|x| polynomial(x, [3.0, -2.0, 0.0])),
            (3.0, &|x| x * polynomial(x, [10.0, -15.0, 6.0])),
        ];
        for (alpha, function) in functions {
            let mut shares: Vec<f64> = drawn(alpha).into_iter().map(|(_, share)| share.into()).collect();
            shares.sort_by(f64::total_cmp);
            let off = |(place, share): (usize, &f64)| (function(*share) - (place as f64 + 0.5) / COUNT as f64).abs();
            let most = shares.iter().enumerate().map(off).fold(0.0, f64::max);
            // Kolmogorov's and Smirnov's: of a hundred such draws, one is off by this.
            assert!(most < 1.63 / (COUNT as f64).sqrt(), "{alpha}: {most}");
        }
    }

    /// SciPy 1.17's `beta(0.2, 0.2).cdf`.
    #[test]
    fn most_shares_of_a_small_alpha_are_next_to_0_or_1() {
        let shares = drawn(0.2);
        for (most, expected) in [(0.001, 0.132_201_29), (0.01, 0.209_777_69), (0.1, 0.336_689_78), (0.25, 0.414_055_52)]
        {
            let parts = [|share: f32| share, |share| 1.0 - share]
                .map(|side| shares.iter().filter(|(_, share)| side(*share) < most).count() as f64 / COUNT as f64);
            assert!(parts.iter().all(|part| (part - expected).abs() < 0.005), "{most}: {parts:?}, not {expected}");
        }
    }

    #[test]
    fn the_other_image_is_any_of_them() {
        let mut times = [0; 10];
        drawn(0.2).into_iter().for_each(|(place, _)| times[place] += 1);
        assert!(times.iter().all(|times| (9700..10_300).contains(times)), "{times:?}");
    }

    #[test]
    fn the_ends_of_all_words_have_shares_too() {
        for alpha in [f64::MIN_POSITIVE, 1e-3, 0.2, 1.0, 1e6, f64::MAX] {
            for radius in [0, 1, 1 << 31, u32::MAX] {
                for angle in [0, (1 << 30) - 1, 1 << 30, 1 << 31, u32::MAX] {
                    let share = Mixup { alpha }.share([radius, angle]);
                    assert!((0.0..=1.0).contains(&share), "{alpha}, {radius}, {angle}: {share}");
                }
            }
        }
        assert_eq!(Mixup { alpha: 1e-3 }.share([1 << 31, 0]), 1.0);
        assert_eq!(Mixup { alpha: 1e-3 }.share([1 << 31, 1 << 31]), 0.0);
    }

    #[test]
    fn pixels_are_means_rounded_to_bytes() {
        let mixed = |share| {
            let mut image = [0, 255, 10, 11, 200];
            Mixup::mix(&mut image, &[255, 0, 10, 12, 100], share);
            image
        };
        assert_eq!(mixed(1.0), [0, 255, 10, 11, 200]);
        assert_eq!(mixed(0.0), [255, 0, 10, 12, 100]);
        assert_eq!(mixed(0.5), [128, 128, 10, 12, 150]);
        assert_eq!(mixed(0.75), [64, 191, 10, 11, 175]);
    }

    #[test]
    fn alpha_is_above_0() {
        assert_eq!(Mixup { alpha: 1e-9 }.check(), Ok(()));
        for (alpha, shown) in [(0.0, "0.0"), (-1.0, "-1.0"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
            let error = Mixup { alpha }.check().unwrap_err();
            assert_eq!(error.message, format!("mixup's alpha is {shown}; it must be a finite number above 0"));
        }
    }
}
