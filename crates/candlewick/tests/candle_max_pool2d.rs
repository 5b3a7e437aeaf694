//! Why candlewick has backward passes of its own: candle's gradient of `max_pool2d` is wrong.
//!
//! candle 0.11.1 (`backprop.rs`, `Op::MaxPool2D`) multiplies the gradient by the mean of the mask of maxima, so that a 2x2
//! window with one maximum passes on a quarter of it. A LeNet trained on that does not learn. When this test fails, candle
//! has mended it: then correct the documentation that says otherwise.

use candle_core::{Device, Var};

#[test]
fn candle_passes_on_a_quarter_of_the_gradient() {
    let x = Var::from_slice(&[1f32, 2.0, 3.0, 4.0], (1, 1, 2, 2), &Device::Cpu).unwrap();
    let y = x.max_pool2d(2).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    let dx = gradients.get(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let right = [0.0, 0.0, 0.0, 1.0];
    assert_ne!(dx, right, "candle's max_pool2d gradient has become right");
    assert_eq!(dx, [0.0, 0.0, 0.0, 0.25]);
}
