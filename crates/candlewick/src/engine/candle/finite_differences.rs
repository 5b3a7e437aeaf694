//! candle's gradients of what the reference engine is made of, against differences in float64.

use crate::layers::finite_differences::{Numbers, check as check_gradient};
use candle_core::{Device, Result, Tensor, Var};

/// Holds the gradient of `f` by each of its tensors, of these shapes, against differences.
pub fn check(what: &str, shapes: &[&[usize]], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let mut numbers = Numbers::new();
    let points: Vec<Vec<f64>> = shapes.iter().map(|shape| numbers.vec(shape.iter().product())).collect();
    let tensor = |point: &[f64], shape: &[usize]| Tensor::from_slice(point, shape, &Device::Cpu).unwrap();
    let tensors: Vec<Tensor> = points.iter().zip(shapes).map(|(point, shape)| tensor(point, shape)).collect();
    let outputs = f(&tensors).unwrap();
    let weights = tensor(&numbers.vec(outputs.elem_count()), outputs.dims());
    let loss = |tensors: &[Tensor]| (f(tensors).unwrap() * &weights).unwrap().sum_all().unwrap();

    let variables: Vec<Var> = tensors.iter().map(|tensor| Var::from_tensor(tensor).unwrap()).collect();
    let attached: Vec<Tensor> = variables.iter().map(|variable| variable.as_tensor().clone()).collect();
    let gradients = loss(&attached).backward().unwrap();
    for (i, variable) in variables.iter().enumerate() {
        let gradient = gradients.get(variable).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        check_gradient(&format!("{what}, tensor {i}"), &points[i], &gradient, |point| {
            let mut moved = tensors.clone();
            moved[i] = tensor(point, shapes[i]);
            loss(&moved).to_scalar::<f64>().unwrap()
        });
    }
}
