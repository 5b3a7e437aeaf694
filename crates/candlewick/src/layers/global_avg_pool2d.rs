//! Global average pooling: (C, H, W) to (C), the mean of each channel. An average pool whose window is the image.

use super::plan::{Arithmetic, Describe, Plan};
use super::windows::Windows;
use super::{Operation, avg_pool2d};
use crate::error::Result;
use crate::shape::image;
use serde::{Deserialize, Serialize};

/// The mean of each channel of (C, H, W), as its user writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GlobalAvgPool2d {}

impl GlobalAvgPool2d {
    /// It has no options.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        std::iter::once(Self {})
    }
}

impl Describe for GlobalAvgPool2d {
    fn prefix(&self) -> &'static str {
        "pool"
    }

    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan> {
        let [channels, height, width] = image(name, input)?;
        let windows = Windows::over(name, input, [height, width], [1, 1], [0, 0])?;
        Ok(Plan {
            output: vec![channels],
            parameters: Vec::new(),
            arithmetic: Arithmetic::Operation(Operation::AvgPool2d(avg_pool2d::Placed { windows })),
            activation: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{Numbers, check_operation, forward};
    use crate::simd::LANES;

    fn plan(input: &[usize]) -> Result<(Vec<usize>, avg_pool2d::Placed)> {
        let Plan { output, arithmetic, .. } = GlobalAvgPool2d {}.plan("pool0", input)?;
        let Arithmetic::Operation(Operation::AvgPool2d(placed)) = arithmetic else { unreachable!("an average pool") };
        Ok((output, placed))
    }

    /// Images of one pixel, of less than the partial sums, of a few more, and of many.
    const INPUTS: [[usize; 3]; 5] = [[2, 1, 1], [3, 1, 5], [2, 3, 3], [1, 7, 7], [2, 16, 17]];

    #[test]
    fn gradients_agree_with_finite_differences() {
        for input in INPUTS {
            let (output, placed) = plan(&input).unwrap();
            assert_eq!(output, [input[0]]);
            check_operation(&format!("{input:?}"), &placed, input.iter().product(), 0, input[0]);
        }
    }

    #[test]
    fn each_channel_becomes_its_mean() {
        for [channels, height, width] in INPUTS {
            let (_, placed) = plan(&[channels, height, width]).unwrap();
            let x = Numbers::new().lanes(channels * height * width);
            let y = forward(&placed, &[], &x, channels);
            for (of_channel, y) in x.chunks(height * width).zip(&y) {
                for lane in 0..LANES {
                    let mean = of_channel.iter().map(|x| x.0[lane]).sum::<f64>() / (height * width) as f64;
                    assert!((y.0[lane] - mean).abs() < 1e-14, "{} instead of {mean}", y.0[lane]);
                }
            }
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let error = plan(&[10]).unwrap_err();
        assert!(error.message.contains("pool0 needs images of shape (C, H, W), but (10)"), "{error}");
    }
}
