//! An average of the parameters on their way, by which a network answers while its training goes on with the parameters
//! themselves.

use super::settings::require_share;
use crate::error::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// How parameters are averaged. As JSON, `{ "kind": "ema", "decay": 0.999 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Averaging {
    /// A moving average that forgets exponentially.
    Ema(Ema),
}

/// The average begins as the parameters are before the first step. After the t-th, from 1,
///
/// ```text
///   average ← average + (1 - d) (w - average)        d = min(decay, (1 + t) / (10 + t))
/// ```
///
/// as TensorFlow's `ExponentialMovingAverage` has it, and timm's with a warm-up alike: an average of long memory would else be
/// mostly of what parameters were at first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ema {
    /// 0 to below 1: what the average keeps of itself in a step.
    pub decay: f64,
}

impl Averaging {
    /// Whether its settings make sense.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Ema(ema) => require_share("the average's decay", ema.decay),
        }
    }

    /// What the average takes of the parameters after the `number`-th step.
    pub fn share(&self, number: u64) -> f64 {
        match self {
            Self::Ema(ema) => 1.0 - ema.decay.min((1.0 + number as f64) / (10.0 + number as f64)),
        }
    }

    /// The average after a step, in candle's words.
    ///
    /// # Errors
    /// candle's.
    pub(crate) fn reference(&self, number: u64, average: &Tensor, w: &Tensor) -> candle_core::Result<Tensor> {
        average + ((w - average)? * self.share(number))?
    }
}

/// Moves the average of some parameters by its share.
#[inline(always)] // into a kernel, to be compiled for its instruction set
pub fn follow(share: f32, average: &mut [f32], parameters: &[f32]) {
    for (average, w) in average.iter_mut().zip(parameters) {
        *average += share * (w - *average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    const EMA: Averaging = Averaging::Ema(Ema { decay: 0.5 });

    #[test]
    fn three_steps_by_hand() {
        let mut average = [8.0];
        // d = 2/11, 3/12 and 4/13
        for (number, w, expected) in [(1, 19.0, 17.0), (2, 1.0, 5.0), (3, 18.0, 14.0)] {
            follow(EMA.share(number) as f32, &mut average, &[w]);
            assert!((average[0] - expected).abs() < 1e-5, "step {number}: {average:?}, not {expected}");
        }
        assert_eq!(EMA.share(8), 0.5, "9/18");
        assert_eq!(EMA.share(9), 0.5, "10/19 is more than the decay");
    }

    #[test]
    fn parameters_that_rest_are_their_average() {
        let mut average = [0.1, -3.0e30];
        follow(EMA.share(100) as f32, &mut average, &[0.1, -3.0e30]);
        assert_eq!(average, [0.1, -3.0e30]);
    }

    #[test]
    fn it_follows_candle() {
        let tensor = |x: &[f32]| Tensor::new(x, &candle_core::Device::Cpu).unwrap();
        let (mut average, mut expected) = ([1.0, -2.0, 0.0], tensor(&[1.0, -2.0, 0.0]));
        for number in 1..20 {
            let w = [number as f32, -1.0, 1.0 / number as f32];
            follow(EMA.share(number) as f32, &mut average, &w);
            expected = EMA.reference(number, &expected, &tensor(&w)).unwrap();
            for (e, f) in expected.to_vec1::<f32>().unwrap().iter().zip(average) {
                assert!((e - f).abs() <= 1e-6 * e.abs().max(1.0), "step {number}: {f}, not {e}");
            }
        }
    }

    #[test]
    fn a_decay_is_0_to_below_1() {
        assert_eq!(Averaging::Ema(Ema { decay: 0.0 }).check(), Ok(()));
        for decay in [1.0, -0.1, f64::NAN] {
            let error = Averaging::Ema(Ema { decay }).check().unwrap_err();
            assert_eq!((error.code, error.message.contains("the average's decay is")), (Code::InvalidArgument, true));
        }
    }
}
