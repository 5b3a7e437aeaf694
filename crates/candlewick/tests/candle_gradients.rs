//! What candle 0.11.1 has wrong, fault by fault: why candlewick has backward passes of its own, and why its reference engine
//! (`engine/candle`), which has candle's, is made of other operations than these.
//!
//! When a test fails, candle has mended that: then let the reference engine take candle's own, and correct the documentation
//! that says otherwise.

use candle_core::{Device, Result, Tensor, Var};

/// The gradient of the sum of `f` by an image of these rows.
fn gradient<const W: usize>(rows: &[[f32; W]], f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Vec<f32>> {
    let x = Var::from_slice(rows.as_flattened(), (1, 1, rows.len(), W), &Device::Cpu)?;
    let gradients = f(&x)?.sum_all()?.backward()?;
    gradients.get(&x).expect("a gradient").flatten_all()?.to_vec1()
}

/// Of max pooling, each maximum gets what came times the mean of the mask of maxima: a window of 2x2 with one of them passes on
/// a quarter, and one of four equals four times what came. A LeNet trained on that does not learn.
#[test]
fn max_pooling_multiplies_the_gradient_by_the_mean_of_the_mask() {
    let of_windows = |image: [[f32; 2]; 2]| gradient(&image, |x| x.max_pool2d(2)).unwrap();
    assert_eq!(of_windows([[1.0, 2.0], [3.0, 4.0]]), [0.0, 0.0, 0.0, 0.25]); // right: 1
    assert_eq!(of_windows([[1.0, 4.0], [3.0, 4.0]]), [0.0, 0.5, 0.0, 0.5]); // right, or 1 for the first
    assert_eq!(of_windows([[4.0, 4.0], [4.0, 4.0]]), [1.0; 4]); // right: 1 of all together
}

/// It finds maxima by comparing the input with the output stretched to its size, which puts windows elsewhere where the size is
/// not a multiple of the window: maxima then get nothing, or what is another window's.
#[test]
fn max_pooling_passes_over_maxima_where_windows_leave_a_remainder() {
    // Two windows, of (1, 2) and (4, 3), and a column left over, in each of two rows. Stretched from two columns to five, the
    // output has the second window's largest value from the fourth column on.
    let dx = gradient(&[[1.0, 2.0, 4.0, 3.0, 0.0], [1.0, 1.0, 1.0, 1.0, 0.0]], |x| x.max_pool2d(2)).unwrap();
    assert_eq!(dx, [0.0, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]); // right: 1 for the 2 and for the 4

    // Three by three windows and a remainder, the largest of each window is one of these.
    let is_largest = |i: usize| matches!(i, 1 | 3 | 4);
    let rows = std::array::from_fn::<[f32; 7], 7, _>(|y| {
        std::array::from_fn(|x| if is_largest(y) && is_largest(x) { (7 * y + x) as f32 } else { 0.0 })
    });
    let dx = gradient(&rows, |x| x.max_pool2d(2)).unwrap();
    assert_eq!(dx.iter().sum::<f32>(), 1.0); // right: 9
    assert_eq!(dx.iter().filter(|dx| **dx != 0.0).count(), 4); // right: 9
}

/// Of average pooling it is the output's stretched in the same way: remainders get some, and all together more than came.
#[test]
fn average_pooling_gives_to_what_no_window_covers() {
    let dx = gradient(&[[0.0; 7]; 7], |x| x.avg_pool2d(2)).unwrap();
    assert_eq!(dx.iter().sum::<f32>(), 12.25); // right: 9
    assert_eq!(dx[48], 0.25); // right: 0, as no window covers the last row and column
}

/// What went wrong, of a gradient that can't be had.
fn refusal(found: Result<Vec<f32>>) -> String {
    found.expect_err("candle has a gradient now").to_string()
}

#[test]
fn pools_whose_windows_are_apart_or_overlap_have_none() {
    let max = refusal(gradient(&[[0.0; 7]; 7], |x| x.max_pool2d_with_stride(3, 2)));
    assert!(max.contains("backward not supported for maxpool2d if ksize (3, 3) != stride (2, 2)"), "{max}");
    let mean = refusal(gradient(&[[0.0; 7]; 7], |x| x.avg_pool2d_with_stride(3, 2)));
    assert!(mean.contains("backward not supported for avgpool2d if ksize (3, 3) != stride (2, 2)"), "{mean}");
}

/// The rows that no window reaches are counted in height only, and taken for those of the width as well.
#[test]
fn convolutions_with_strides_have_none_where_the_sides_leave_unlike_remainders() {
    let kernel = Tensor::ones((1, 1, 3, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(gradient(&[[0.0; 7]; 7], |x| x.conv2d(&kernel, 0, 2, 1, 1)).is_ok());
    let unlike = refusal(gradient(&[[0.0; 8]; 7], |x| x.conv2d(&kernel, 0, 2, 1, 1)));
    assert!(unlike.contains("shape mismatch"), "{unlike}");
}

/// PyTorch's is 0. Where an image is black and biases are zero, as they are at first, it is 0 that comes.
#[test]
fn relu_has_the_slope_1_at_0_and_makes_0_of_not_a_number() {
    assert_eq!(gradient(&[[-1.0, 0.0, 1.0]], Tensor::relu).unwrap(), [0.0, 1.0, 1.0]);
    assert_eq!(Tensor::new(f32::NAN, &Device::Cpu).unwrap().relu().unwrap().to_scalar::<f32>().unwrap(), 0.0);
}

/// Each of equal values has all of the gradient: that of their largest is counted twice.
#[test]
fn the_largest_of_equals_is_counted_twice() {
    assert_eq!(gradient(&[[2.0, 2.0, 1.0]], |x| x.max(3)).unwrap(), [1.0, 1.0, 0.0]); // right: 1 of both together
}
