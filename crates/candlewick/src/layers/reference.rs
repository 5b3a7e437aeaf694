//! What the reference engine (`engine/candle`) asks of a layer: the same in candle's words, which candle makes the gradients of.
//!
//! Not all of candle's own gradients are right; tests/candle_gradients.rs names those that are not. Those of the operations that
//! layers are made of here are, as the test below holds.

use super::windows::Windows;
use crate::random::Chance;
use candle_core::{Result, Tensor};

/// A layer in candle's words.
pub trait Reference {
    /// A batch's output (N, ...) from its input; `own`: its parameters, in the order and of the shapes of
    /// [`super::Plan::parameters`].
    ///
    /// # Errors
    /// candle's.
    fn reference(&self, x: &Tensor, own: &[Tensor]) -> Result<Tensor>;

    /// As [`Reference::reference`], in training; and the parameters that the batch moves without a step, by their numbers among the
    /// layer's own.
    ///
    /// # Errors
    /// candle's.
    fn reference_in_training(&self, x: &Tensor, own: &[Tensor], _: Chance) -> Result<(Tensor, Vec<(usize, Tensor)>)> {
        Ok((self.reference(x, own)?, Vec::new()))
    }

    /// Values of one image that it has in memory on the way, beside its input and its output; none, unless it says otherwise.
    fn values_on_the_way(&self) -> usize {
        0
    }
}

/// The places of a tensor along `dim` from the first on, `stride` apart.
pub(super) fn every(x: &Tensor, dim: usize, stride: usize) -> Result<Tensor> {
    if stride == 1 {
        return Ok(x.clone());
    }
    let places: Vec<u32> = (0..x.dim(dim)?).step_by(stride).map(|i| i as u32).collect();
    x.contiguous()?.index_select(&Tensor::new(places, x.device())?, dim)
}

/// All values in one, of pairs of neighbours, of pairs of those, and so on: candle goes back by recursion, and as far as a large
/// window has values the stack does not reach.
pub(super) fn pairwise(mut values: Vec<Tensor>, f: impl Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
    while values.len() > 1 {
        let of_two = |pair: &[Tensor]| if let [a, b] = pair { f(a, b) } else { Ok(pair[0].clone()) };
        values = values.chunks(2).map(of_two).collect::<Result<_>>()?;
    }
    Ok(values.remove(0))
}

impl Windows {
    /// Of images (N, C, H, W), the first value of each window, the second of each, ..., row by row: each (N, C, OH, OW).
    pub(super) fn values(&self, x: &Tensor) -> Result<Vec<Tensor>> {
        let along = |x: &Tensor, i: usize, start| {
            let reach = (self.output[i] - 1) * self.strides[i] + 1;
            every(&x.narrow(2 + i, start, reach)?, 2 + i, self.strides[i])
        };
        let mut values = Vec::with_capacity(self.pool_size[0] * self.pool_size[1]);
        for ky in 0..self.pool_size[0] {
            let rows = along(x, 0, ky)?;
            for kx in 0..self.pool_size[1] {
                values.push(along(&rows, 1, kx)?);
            }
        }
        Ok(values)
    }

    /// Numbers in [`Windows::values`] of one image.
    pub(super) fn values_len(&self) -> usize {
        let windows = [self.channels, self.output[0], self.output[1]];
        windows.into_iter().chain(self.pool_size).fold(1, usize::saturating_mul)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;
    use crate::layers::finite_differences::{Numbers, forward, input_gradient, own_gradient};
    use crate::layers::windows::examples::SHAPES;
    use crate::layers::{Arithmetic, AvgPool2d, Conv2d, Layer, MaxPool2d, Operation, Seen, activation};
    use crate::simd::{LANES, Lane};
    use candle_core::{Device, Var};

    /// A tile as a batch of sixteen images of this shape.
    fn batch(tile: &[Lane<f64>], shape: &[usize]) -> Tensor {
        let values: Vec<f64> = (0..LANES).flat_map(|image| tile.iter().map(move |lane| lane.0[image])).collect();
        Tensor::from_vec(values, [&[LANES], shape].concat(), &Device::Cpu).unwrap()
    }

    fn assert_near(what: &str, found: &Tensor, expected: &Tensor) {
        assert_eq!(found.dims(), expected.dims(), "{what}");
        let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        let difference = difference.to_scalar::<f64>().unwrap();
        // The series of tanh leaves out 3e-11.
        assert!(difference < 1e-10, "{what} is off by {difference:e}");
    }

    /// Holds candle's output and gradients against those of the lanes, which are held against differences where the layer is.
    fn agree(what: &str, operation: &Operation, input: &[usize], parameters: &[Vec<usize>], output: &[usize]) {
        let len = |shape: &[usize]| shape.iter().product::<usize>();
        let mut numbers = Numbers::new();
        let own: Vec<Vec<f64>> = parameters.iter().map(|shape| numbers.vec(len(shape))).collect();
        let (x, dy, flat) = (numbers.lanes(len(input)), numbers.lanes(len(output)), own.concat());
        let y = forward(operation, &flat, &x, len(output));
        let seen = Seen { x: &x, y: &y, dy: &dy };
        let dx = input_gradient(operation, &flat, seen);

        let image = Var::from_tensor(&batch(&x, input)).unwrap();
        let variable =
            |(values, shape): (&Vec<f64>, &Vec<usize>)| Var::from_slice(values, &shape[..], &Device::Cpu).unwrap();
        let variables: Vec<Var> = own.iter().zip(parameters).map(variable).collect();
        let attached: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
        let found = operation.reference(&image, &attached).unwrap();
        let found = found.reshape([&[LANES], output].concat()).unwrap();
        assert_near(what, &found, &batch(&y, output));
        let gradients = (found * batch(&dy, output)).unwrap().sum_all().unwrap().backward().unwrap();
        assert_near(&format!("dx of {what}"), gradients.get(&image).unwrap(), &batch(&dx, input));
        let gradient = own_gradient(operation, flat.len(), &[seen]);
        let mut rest = &gradient[..];
        for (variable, shape) in variables.iter().zip(parameters) {
            let (values, others) = rest.split_at(len(shape));
            rest = others;
            let expected = Tensor::from_slice(values, &shape[..], &Device::Cpu).unwrap();
            assert_near(&format!("d own of {what}"), gradients.get(variable).unwrap(), &expected);
        }
    }

    fn check(layer: Layer, input: &[usize]) {
        let plan = layer.describe().plan("layer", input).unwrap();
        let parameters: Vec<Vec<usize>> = plan.parameters.into_iter().map(|parameter| parameter.shape).collect();
        let Arithmetic::Operation(operation) = &plan.arithmetic else { return };
        if !matches!(operation, Operation::BatchNorm(_)) {
            // Which says for itself what it does in training.
            agree(&format!("{layer:?} of {input:?}"), operation, input, &parameters, &plan.output);
        }
    }

    #[test]
    fn layers_agree_with_the_lanes() {
        for input in [[2, 6, 6], [4, 7, 8]] {
            Layer::examples().into_iter().for_each(|layer| check(layer, &input));
        }
    }

    #[test]
    fn activations_agree_with_the_lanes() {
        for &function in Activation::EXAMPLES {
            let operation = Operation::Activation(activation::Placed { function });
            agree(&format!("{function:?}"), &operation, &[7], &[], &[7]);
        }
    }

    #[test]
    fn windows_of_all_sorts_agree_with_the_lanes() {
        // And such as touch in one direction and lie apart in the other.
        for (channels, [h, w], pool_size, strides) in SHAPES.into_iter().chain([(2, [4, 5], [2, 2], [1, 2])]) {
            check(Layer::MaxPool2d(MaxPool2d { strides, ..MaxPool2d::new(pool_size) }), &[channels, h, w]);
            check(Layer::AvgPool2d(AvgPool2d { strides, ..AvgPool2d::new(pool_size) }), &[channels, h, w]);
        }
        for (input, kernel_size, strides, padding) in [
            ([1, 1, 1], [1, 1], [1, 1], [0, 0]),
            ([2, 5, 5], [5, 5], [1, 1], [2, 2]),
            ([2, 7, 8], [3, 3], [2, 2], [0, 0]),
            ([2, 7, 8], [3, 2], [2, 1], [1, 3]),
            ([1, 6, 7], [1, 3], [3, 2], [0, 2]),
            ([2, 5, 6], [2, 2], [1, 2], [0, 1]),
            ([3, 3, 9], [1, 1], [2, 4], [3, 0]),
        ] {
            check(Layer::Conv2d(Conv2d { strides, padding: padding.into(), ..Conv2d::new(2, kernel_size) }), &input);
        }
    }

    #[test]
    fn of_equal_values_the_first_gets_the_gradient_and_not_a_number_is_the_largest() {
        let max = Layer::MaxPool2d(MaxPool2d { strides: [1, 1], ..MaxPool2d::new([2, 2]) });
        let Arithmetic::Operation(max) = max.describe().plan("max", &[1, 2, 2]).unwrap().arithmetic else {
            unreachable!("max pooling is one operation")
        };
        let image = |values: [f32; 4]| Var::from_slice(&values, (1, 1, 2, 2), &Device::Cpu).unwrap();
        let x = image([1.0, 3.0, 3.0, 3.0]);
        let gradients = max.reference(&x, &[]).unwrap().backward().unwrap();
        let dx = gradients.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(dx, [0.0, 1.0, 0.0, 0.0]);
        for at in 0..4 {
            let mut values = [1.0; 4];
            values[at] = f32::NAN;
            let y = max.reference(&image(values), &[]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert!(y[0].is_nan(), "at {at}");
        }
    }

    #[test]
    fn functions_are_sound_at_their_edges() {
        let x = Var::new(&[-1f32, -0.0, 0.0, 1.0, -1e3, 1e3, f32::NAN], &Device::Cpu).unwrap();
        for &function in Activation::EXAMPLES {
            let y = function.reference(&x).unwrap();
            let dx = y.backward().unwrap().get(&x).unwrap().to_vec1::<f32>().unwrap();
            assert!(dx[..6].iter().all(|dx| dx.is_finite()), "{function:?}: {dx:?}");
            assert!(y.to_vec1::<f32>().unwrap()[6].is_nan(), "{function:?}");
        }
        let dx = Activation::Relu.reference(&x).unwrap().backward().unwrap().get(&x).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(dx[..4], [0.0, 0.0, 0.0, 1.0]);
    }
}
