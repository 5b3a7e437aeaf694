//! Each optimiser in candle's words.

use crate::optimizer::Sgd;
use candle_core::{Result, Tensor};

/// A parameter after a step down its gradient, and its velocity then. candle-nn's own has neither momentum nor weight decay.
pub fn sgd(sgd: &Sgd, parameter: &Tensor, gradient: &Tensor, velocity: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
    let [learning_rate, momentum, weight_decay] = [sgd.learning_rate, sgd.momentum, sgd.weight_decay].map(f64::from);
    // Not 0 times a parameter, which is no number where the parameter is none.
    let gradient = if weight_decay > 0.0 { (gradient + (parameter * weight_decay)?)? } else { gradient.clone() };
    let velocity = match velocity {
        Some(velocity) => ((velocity * momentum)? + gradient)?,
        None => gradient,
    };
    Ok(((parameter - (&velocity * learning_rate)?)?, velocity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn two_steps_by_hand() {
        let settings = Sgd { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.25 };
        let tensor = |x: f64| Tensor::new(x, &Device::Cpu).unwrap();
        let (mut w, mut v) = (tensor(2.0), tensor(0.0));
        for (expected_w, expected_v) in [(1.25, 1.5), (0.21875, 2.0625)] {
            (w, v) = sgd(&settings, &w, &tensor(1.0), Some(&v)).unwrap();
            assert_eq!([&w, &v].map(|t| t.to_scalar::<f64>().unwrap()), [expected_w, expected_v]);
        }
    }

    #[test]
    fn without_decay_a_weight_that_is_lost_pulls_at_nothing() {
        let tensor = |x: f32| Tensor::new(x, &Device::Cpu).unwrap();
        let (w, _) = sgd(&Sgd::new(0.5).unwrap(), &tensor(f32::INFINITY), &tensor(1.0), None).unwrap();
        assert_eq!(w.to_scalar::<f32>().unwrap(), f32::INFINITY);
    }
}
