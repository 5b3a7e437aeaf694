//! What a network makes its images uniform by, as a part of its input: (x - mean) / deviation, channel by channel.

use crate::error::{Code, Error, Result};
use crate::json;
use serde::{Deserialize, Serialize};

/// Mean and deviation of each channel, of images as they count: of bytes as 0 to 1. The numbers are kept as they were given, and count
/// in float32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// What is taken off.
    pub mean: Vec<f64>,
    /// What the rest is divided by.
    pub deviation: Vec<f64>,
}

impl Normalization {
    /// From JSON, as [`Normalization::json`] writes it.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn read(text: &str) -> Result<Self> {
        json::read("the normalization", r#"{ "mean": [0.5], "deviation": [0.25] }"#, text)
    }

    /// As JSON, to the last bit of each number.
    ///
    /// # Errors
    /// `Internal`.
    pub fn json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::new(Code::Internal, error.to_string()))
    }

    /// Whether it can be of images of so many channels.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub fn check(&self, channels: usize) -> Result<()> {
        let refused = |message: String| Err(Error::new(Code::InvalidArgument, message));
        for (what, numbers) in [("mean", &self.mean), ("deviation", &self.deviation)] {
            if numbers.len() != channels {
                let (count, s) = (numbers.len(), if channels == 1 { "" } else { "s" });
                return refused(format!(
                    "the normalization's {what} has {count} numbers, but images have {channels} channel{s}; give one for each channel"
                ));
            }
        }
        for (channel, (mean, deviation)) in self.mean.iter().zip(&self.deviation).enumerate() {
            if !(*mean as f32).is_finite() {
                return refused(format!(
                    "the normalization's mean of channel {channel} is {mean}; it must be finite in float32"
                ));
            }
            let [_, factor] = of_channel(*mean, *deviation);
            if !(*deviation > 0.0 && factor.is_finite() && factor > 0.0) {
                return refused(format!(
                    "the normalization's deviation of channel {channel} is {deviation}; it must be above 0, and finite in float32 as \
                     its reciprocal must be"
                ));
            }
        }
        Ok(())
    }

    /// The mean of each channel, and the factor that stands for the division by its deviation: one multiplication is the same
    /// everywhere, to the last bit.
    pub fn channels(&self) -> Vec<[f32; 2]> {
        self.mean.iter().zip(&self.deviation).map(|(mean, deviation)| of_channel(*mean, *deviation)).collect()
    }
}

fn of_channel(mean: f64, deviation: f64) -> [f32; 2] {
    [mean as f32, 1.0 / deviation as f32]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(mean: &[f64], deviation: &[f64]) -> String {
        let normalization = Normalization { mean: mean.to_vec(), deviation: deviation.to_vec() };
        let error = normalization.check(2).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        error.message
    }

    #[test]
    fn each_channel_has_a_mean_and_a_deviation_above_0() {
        let fine = Normalization { mean: vec![-0.5, 0.1], deviation: vec![0.25, f64::from(f32::MAX)] };
        assert_eq!(fine.check(2), Ok(()));
        assert_eq!(fine.channels()[0], [-0.5, 4.0]);
        assert!(refused(&[0.0], &[1.0, 1.0]).contains("mean has 1 numbers, but images have 2 channels"));
        assert!(refused(&[0.0, 0.0], &[1.0; 3]).contains("deviation has 3 numbers, but images have 2 channels"));
        for deviation in [0.0, -0.5, f64::NAN, 1e-50, 1e-39, 1e39] {
            assert!(refused(&[0.0; 2], &[1.0, deviation]).contains("deviation of channel 1 is"), "{deviation}");
        }
        for mean in [f64::NAN, f64::INFINITY, 1e39] {
            assert!(refused(&[mean, 0.0], &[1.0; 2]).contains("mean of channel 0 is"), "{mean}");
        }
    }

    #[test]
    fn json_keeps_every_bit() {
        let odd = Normalization { mean: vec![0.1, 1.0 / 3.0], deviation: vec![1e-30, 2.0 / 7.0] };
        assert_eq!(Normalization::read(&odd.json().unwrap()), Ok(odd));
        let whole = Normalization { mean: vec![0.0], deviation: vec![1.0] };
        assert_eq!(Normalization::read(r#"{"mean":[0],"deviation":[1]}"#), Ok(whole), "as JavaScript writes them");
        let error = Normalization::read(r#"{"mean":[0],"deviation":[1],"median":[0]}"#).unwrap_err();
        assert!(error.message.starts_with("the normalization cannot be read: unknown field `median`"), "{error}");
    }
}
