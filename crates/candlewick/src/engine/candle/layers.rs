//! Each layer in candle's words: a batch of images (N, ...) in, one out.

use super::activations::activate;
use super::windows::{every, windows};
use crate::network::Layer;
use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Linear, Module};

/// A layer with its activation; `own`: its parameters in their order.
pub fn forward(layer: Layer, x: &Tensor, own: &[Tensor]) -> Result<Tensor> {
    match layer {
        Layer::Conv2d { strides, padding, activation, .. } => activate(activation, &conv2d(x, own, strides, padding)?),
        Layer::MaxPool2d { pool_size, strides } => max_pool2d(x, pool_size, strides),
        Layer::AvgPool2d { pool_size, strides } => avg_pool2d(x, pool_size, strides),
        Layer::Dense { activation, .. } => activate(activation, &dense(x, own)?),
    }
}

/// Where windows lie apart, those between are computed and left out: candle's convolution has one stride for both sides, and
/// no gradient where the sides leave unlike remainders.
pub fn conv2d(x: &Tensor, own: &[Tensor], strides: [usize; 2], padding: [usize; 2]) -> Result<Tensor> {
    let x = x.pad_with_zeros(2, padding[0], padding[0])?.pad_with_zeros(3, padding[1], padding[1])?;
    let conv = Conv2d::new(own[0].clone(), Some(own[1].clone()), Conv2dConfig::default());
    let all = conv.forward(&x)?;
    let (_, _, height, width) = all.dims4()?;
    let rows = every(&all, 2, 0, strides[0], height.div_ceil(strides[0]))?;
    every(&rows, 3, 0, strides[1], width.div_ceil(strides[1]))
}

pub fn dense(x: &Tensor, own: &[Tensor]) -> Result<Tensor> {
    Linear::new(own[0].clone(), Some(own[1].clone())).forward(&x.flatten_from(1)?)
}

/// The first of equals is the largest and gets the gradient, and NaN is larger than any number, as in PyTorch. candle's own
/// has another gradient.
pub fn max_pool2d(x: &Tensor, pool_size: [usize; 2], strides: [usize; 2]) -> Result<Tensor> {
    let places = windows(x, pool_size, strides)?;
    places[1..].iter().try_fold(places[0].clone(), |largest, x| {
        let is_larger = (x.gt(&largest)? + x.ne(x)?)?;
        is_larger.where_cond(x, &largest)
    })
}

/// candle's own has another gradient.
pub fn avg_pool2d(x: &Tensor, pool_size: [usize; 2], strides: [usize; 2]) -> Result<Tensor> {
    let places = windows(x, pool_size, strides)?;
    let sum = places[1..].iter().try_fold(places[0].clone(), |sum, x| sum + x)?;
    sum / places.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::finite_differences::check;
    use super::*;
    use crate::layers::windows::examples::SHAPES;
    use candle_core::Device;

    /// Input channels and size, kernels, kernel size, strides, padding: sides alike and unlike, and remainders of all kinds.
    type Convolution = (usize, [usize; 2], usize, [usize; 2], [usize; 2], [usize; 2]);
    const CONVOLUTIONS: [Convolution; 8] = [
        (1, [1, 1], 1, [1, 1], [1, 1], [0, 0]),
        (2, [5, 5], 3, [3, 3], [1, 1], [0, 0]),
        (2, [5, 5], 3, [5, 5], [1, 1], [2, 2]),
        (2, [7, 8], 3, [3, 3], [2, 2], [0, 0]),
        (2, [7, 8], 2, [3, 2], [2, 1], [1, 3]),
        (1, [6, 7], 2, [1, 3], [3, 2], [0, 2]),
        (2, [5, 6], 2, [2, 2], [1, 2], [0, 1]),
        (3, [3, 9], 4, [1, 1], [2, 4], [0, 0]),
    ];

    #[test]
    fn convolutions_have_their_gradients() {
        for (channels, [h, w], kernels, [kh, kw], strides, padding) in CONVOLUTIONS {
            let what = format!("{h}x{w} by {kh}x{kw}, strides {strides:?}, padding {padding:?}");
            let shapes: [&[usize]; 3] = [&[2, channels, h, w], &[kernels, channels, kh, kw], &[kernels]];
            check(&what, &shapes, |tensors| conv2d(&tensors[0], &tensors[1..], strides, padding));
        }
    }

    #[test]
    fn windows_of_a_convolution_lie_where_they_should() {
        // Rows 0 to 4 of one column, padded by a row on each side; windows of two rows, three apart.
        let x = Tensor::arange(0f64, 5.0, &Device::Cpu).unwrap().reshape((1, 1, 5, 1)).unwrap();
        let kernel = Tensor::new(&[1f64, 10.0], &Device::Cpu).unwrap().reshape((1, 1, 2, 1)).unwrap();
        let bias = Tensor::new(&[0.5f64], &Device::Cpu).unwrap();
        let y = conv2d(&x, &[kernel, bias], [3, 1], [1, 0]).unwrap();
        assert_eq!(y.flatten_all().unwrap().to_vec1::<f64>().unwrap(), [0.5, 32.5]); // (0, 0) and (2, 3), not upside down
    }

    #[test]
    fn pools_have_their_gradients() {
        let narrow_then_apart = (2, [4, 5], [2, 2], [1, 2]);
        for (channels, [h, w], pool_size, strides) in SHAPES.into_iter().chain([narrow_then_apart]) {
            let what = format!("{h}x{w} by {pool_size:?}, strides {strides:?}");
            let shapes: [&[usize]; 1] = [&[2, channels, h, w]];
            check(&format!("max of {what}"), &shapes, |x| max_pool2d(&x[0], pool_size, strides));
            check(&format!("mean of {what}"), &shapes, |x| avg_pool2d(&x[0], pool_size, strides));
        }
    }

    #[test]
    fn dense_layers_have_their_gradients() {
        check("dense", &[&[3, 2, 2, 1], &[5, 4], &[5]], |tensors| dense(&tensors[0], &tensors[1..]));
    }

    #[test]
    fn of_equal_values_the_first_gets_the_gradient_and_not_a_number_is_the_largest() {
        let image = |values: [f32; 4]| candle_core::Var::from_slice(&values, (1, 1, 2, 2), &Device::Cpu).unwrap();
        let x = image([1.0, 3.0, 3.0, 3.0]);
        let gradients = max_pool2d(&x, [2, 2], [1, 1]).unwrap().backward().unwrap();
        let dx = gradients.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(dx, [0.0, 1.0, 0.0, 0.0]);
        for at in 0..4 {
            let mut values = [1.0; 4];
            values[at] = f32::NAN;
            let y = max_pool2d(&image(values), [2, 2], [1, 1]).unwrap();
            assert!(y.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0].is_nan(), "at {at}");
        }
    }
}
