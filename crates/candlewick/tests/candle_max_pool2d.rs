//! Why candlewick has backward passes of its own: candle's gradient of `max_pool2d` is wrong, in two ways.
//!
//! candle 0.11.1 (`backprop.rs`, `Op::MaxPool2D`)
//!
//! - multiplies the gradient by the mean of the mask of maxima, so that a 2x2 window with one maximum passes on a quarter of
//!   it. A LeNet trained on that does not learn;
//! - finds maxima by comparing the input with the output stretched to its size, which puts windows elsewhere where the size is
//!   not a multiple of the window: maxima then get nothing, or what is another window's.
//!
//! When a test fails, candle has mended that: then correct the documentation that says otherwise.

use candle_core::{Device, Var};

/// The gradient of the sum of `max_pool2d(2)`, of an image of `height` x `width`.
fn gradient(image: &[f32], height: usize, width: usize) -> Vec<f32> {
    let x = Var::from_slice(image, (1, 1, height, width), &Device::Cpu).unwrap();
    let y = x.max_pool2d(2).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    gradients.get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn candle_passes_on_a_quarter_of_the_gradient() {
    let dx = gradient(&[1.0, 2.0, 3.0, 4.0], 2, 2);
    let right = [0.0, 0.0, 0.0, 1.0];
    assert_ne!(dx, right, "candle's max_pool2d gradient has become right");
    assert_eq!(dx, [0.0, 0.0, 0.0, 0.25]);
}

/// Two windows, of (1, 2) and (4, 3), and a column left over, in each of two rows. Stretched from two columns to five, the
/// output has the second window's largest value from the fourth column on.
#[test]
fn candle_passes_over_maxima_where_windows_leave_a_remainder() {
    let dx = gradient(&[1.0, 2.0, 4.0, 3.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0], 2, 5);
    let right = [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_ne!(dx, right, "candle's max_pool2d gradient has become right");
    assert_eq!(dx, [0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}
