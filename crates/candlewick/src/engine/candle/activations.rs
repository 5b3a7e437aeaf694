//! Each activation in candle's words.

use crate::network::Activation;
use candle_core::{Result, Tensor};

pub fn activate(activation: Activation, x: &Tensor) -> Result<Tensor> {
    match activation {
        Activation::None => Ok(x.clone()),
        Activation::Sigmoid => candle_nn::ops::sigmoid(x),
        Activation::Relu => relu(x),
        Activation::Tanh => x.tanh(),
    }
}

/// candle's own has the slope 1 at 0, where PyTorch's is 0, and makes 0 of NaN.
fn relu(x: &Tensor) -> Result<Tensor> {
    let zeros = x.zeros_like()?;
    x.le(&zeros)?.where_cond(&zeros, x)
}

#[cfg(test)]
mod tests {
    use super::super::finite_differences::check;
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn activations_have_their_gradients() {
        for activation in Activation::ALL {
            check(&format!("{activation:?}"), &[&[3, 7]], |x| activate(activation, &x[0]));
        }
    }

    #[test]
    fn relu_is_flat_at_0_and_lets_not_a_number_through() {
        let x = Var::new(&[-1f32, -0.0, 0.0, 1.0, f32::NAN], &Device::Cpu).unwrap();
        let y = relu(&x).unwrap();
        let dx = y.backward().unwrap().get(&x).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(dx[..4], [0.0, 0.0, 0.0, 1.0]);
        let y = y.to_vec1::<f32>().unwrap();
        assert!(y[..4] == [0.0, 0.0, 0.0, 1.0] && y[4].is_nan(), "{y:?}");
    }
}
