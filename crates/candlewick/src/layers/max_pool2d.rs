//! Max pooling: `y[c][oy][ox]` = max over the window of `x[c][oy·sy + ky][ox·sx + kx]`.
//!
//! The gradient goes to the first of the window's largest values, as in PyTorch, and is found again by comparing: no index
//! is kept. Where windows overlap, gradients add up. What windows reach into beyond the input is never the largest.

use super::Operation;
use super::device::DeviceOperation;
use super::operation::{LaneOperation, Needs, Seen};
use super::plan::{Arithmetic, Describe, Plan};
use super::reference::{Reference, pairwise};
use super::windows::Windows;
use crate::error::Result;
use crate::simd::{Lane, Lanes, Real};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The largest value of each window of (C, H, W), as its user writes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Options")]
pub struct MaxPool2d {
    /// Height and width of a window.
    pub pool_size: [usize; 2],
    /// Steps between windows; in JSON, the window's size by default.
    pub strides: [usize; 2],
    /// Rows and columns on each side that windows reach into: at most half a window; none by default.
    #[serde(skip_serializing_if = "is_none")]
    pub padding: [usize; 2],
}

fn is_none(padding: &[usize; 2]) -> bool {
    *padding == [0, 0]
}

/// As JSON has them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    pool_size: [usize; 2],
    strides: Option<[usize; 2]>,
    #[serde(default)]
    padding: [usize; 2],
}

impl From<Options> for MaxPool2d {
    fn from(Options { pool_size, strides, padding }: Options) -> Self {
        Self { pool_size, strides: strides.unwrap_or(pool_size), padding }
    }
}

impl MaxPool2d {
    /// One with windows of this height and width, side by side.
    pub fn new(pool_size: [usize; 2]) -> Self {
        Self { pool_size, strides: pool_size, padding: [0, 0] }
    }

    /// Windows that touch, overlap, lie apart and reach beyond the input.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        [
            ([2, 2], [2, 2], [0, 0]),
            ([3, 2], [2, 1], [0, 0]),
            ([1, 2], [3, 3], [0, 0]),
            ([3, 3], [2, 2], [1, 1]),
            ([3, 2], [3, 2], [1, 1]),
        ]
        .into_iter()
        .map(|(pool_size, strides, padding)| Self { strides, padding, ..Self::new(pool_size) })
    }
}

impl Describe for MaxPool2d {
    fn prefix(&self) -> &'static str {
        "pool"
    }

    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan> {
        let windows = Windows::over(name, input, self.pool_size, self.strides, self.padding)?;
        Ok(Plan {
            output: windows.output_shape(),
            parameters: Vec::new(),
            arithmetic: Arithmetic::Operation(Operation::MaxPool2d(Placed { windows })),
            activation: None,
        })
    }
}

/// The layer in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// All sizes.
    pub windows: Windows,
}

/// x: `[C][H][W]`, y: `[C][OH][OW]`.
impl LaneOperation for Placed {
    fn needs(&self) -> Needs {
        let in_place = self.windows.cover_inputs_once();
        Needs { output: true, in_place, again: true, picks_by_size: true, ..Needs::default() }
    }

    fn forward<L: Lanes>(
        &self,
        l: L,
        _: &[L::Real],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        l.run(
            #[inline(always)]
            || {
                self.windows.for_each(
                    #[inline(always)]
                    |output, window| {
                        let mut largest = l.load(&x[window.first]);
                        self.windows.for_each_in(
                            window,
                            #[inline(always)]
                            |i| {
                                let v = l.load(&x[i]);
                                largest = l.where_gt(v, largest, v, largest);
                                largest = l.where_eq(v, v, largest, v); // NaN is the largest, as in PyTorch
                            },
                        );
                        l.store(largest, &mut y[output]);
                    },
                );
            },
        );
    }

    fn input_gradient<L: Lanes>(
        &self,
        l: L,
        _: &[L::Real],
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        l.run(
            #[inline(always)]
            || {
                if !self.windows.cover_inputs_once() {
                    dx.fill(Lane::zero());
                }
                let overlap = self.windows.overlap();
                self.windows.for_each(
                    #[inline(always)]
                    |output, window| {
                        let largest = l.load(&seen.y[output]);
                        let mut remaining = l.load(&seen.dy[output]);
                        self.windows.for_each_in(
                            window,
                            #[inline(always)]
                            |i| {
                                let share = take_share(l, l.load(&seen.x[i]), largest, &mut remaining);
                                let sum = if overlap { l.add(l.load(&dx[i]), share) } else { share };
                                l.store(sum, &mut dx[i]);
                            },
                        );
                    },
                );
            },
        );
    }

    /// A quarter of a network's working memory less to reach for. For windows that cover each input once.
    fn input_gradient_in_place<L: Lanes>(
        &self,
        l: L,
        x: &mut [Lane<L::Real>],
        y: &[Lane<L::Real>],
        dy: &[Lane<L::Real>],
    ) {
        l.run(
            #[inline(always)]
            || {
                self.windows.for_each(
                    #[inline(always)]
                    |output, window| {
                        let largest = l.load(&y[output]);
                        let mut remaining = l.load(&dy[output]);
                        self.windows.for_each_in(
                            window,
                            #[inline(always)]
                            |i| l.store(take_share(l, l.load(&x[i]), largest, &mut remaining), &mut x[i]),
                        );
                    },
                );
            },
        );
    }
}

/// `struct MaxPool2d`
impl DeviceOperation for Placed {
    const KIND: i32 = 1;
    type Words = [i32; 11];

    fn words(&self, _: usize) -> Result<[i32; 11]> {
        self.windows.words()
    }
}

/// The gradient of a window's next value: all that remains, if it is the largest, after which nothing does.
#[inline(always)]
fn take_share<L: Lanes>(l: L, value: L::Vector, largest: L::Vector, remaining: &mut L::Vector) -> L::Vector {
    let zero = l.splat(L::Real::ZERO);
    let share = l.where_eq(value, largest, *remaining, zero);
    *remaining = l.where_eq(value, largest, zero, *remaining);
    share
}

/// candle's own has another gradient.
impl Reference for Placed {
    fn reference(&self, x: &Tensor, _: &[Tensor]) -> candle_core::Result<Tensor> {
        let [vertical, horizontal] = self.windows.padding;
        let x = &surrounded(&surrounded(x, 2, vertical)?, 3, horizontal)?;
        pairwise(self.windows.values(x)?, |first, second| {
            let is_larger = (second.gt(first)? + second.ne(second)?)?; // NaN differs from itself
            is_larger.where_cond(second, first)
        })
    }

    fn values_on_the_way(&self) -> usize {
        let Windows { channels, input: [height, width], padding, .. } = self.windows;
        let padded =
            if padding == [0, 0] { 0 } else { channels * (height + 2 * padding[0]) * (width + 2 * padding[1]) };
        self.windows.values_len().saturating_add(padded)
    }
}

/// Along `dim`, with as much of nothing on each side: less than any number.
fn surrounded(x: &Tensor, dim: usize, padding: usize) -> candle_core::Result<Tensor> {
    if padding == 0 {
        return Ok(x.clone());
    }
    let mut shape = x.dims().to_vec();
    shape[dim] = padding;
    let nothing = Tensor::full(f32::NEG_INFINITY, shape, x.device())?.to_dtype(x.dtype())?;
    Tensor::cat(&[&nothing, x, &nothing], dim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::layers::finite_differences::{check_operation, forward};
    use crate::layers::windows::examples::{SHAPES, padded, sizes, windows};
    use crate::simd::Float64;

    #[test]
    fn gradients_agree_with_finite_differences() {
        for shape in SHAPES {
            let windows = windows(shape);
            let [input, output] = sizes(&windows);
            check_operation(&format!("{shape:?}"), &Placed { windows }, input, 0, output);
        }
    }

    /// Windows that reach beyond one side or two, of one value and of all, that overlap and that lie apart.
    #[test]
    fn gradients_agree_with_finite_differences_with_padding() {
        for (shape, padding) in [
            ((2, [5, 6], [3, 3], [2, 2]), [1, 1]),
            ((1, [1, 1], [3, 2], [1, 1]), [1, 1]),
            ((1, [3, 3], [3, 3], [3, 3]), [1, 1]),
            ((2, [4, 7], [2, 5], [3, 1]), [1, 2]),
            ((3, [4, 4], [2, 2], [2, 2]), [1, 0]),
        ] {
            let windows = padded(shape, padding);
            let [input, output] = sizes(&windows);
            check_operation(&format!("{windows:?}"), &Placed { windows }, input, 0, output);
        }
    }

    #[test]
    fn padding_is_never_the_largest() {
        let max = Placed { windows: padded((1, [2, 2], [2, 3], [1, 2]), [1, 1]) };
        let y = forward(&max, &[], &[-4.0, -3.0, -2.0, -5.0].map(Lane::splat), 3);
        assert_eq!(y, [-3.0, -2.0, -2.0].map(Lane::splat));
    }

    #[test]
    fn padding_is_at_most_half_a_window() {
        let plan = |padding| MaxPool2d { padding, ..MaxPool2d::new([3, 2]) }.plan("pool0", &[1, 4, 4]);
        assert_eq!(plan([1, 1]).unwrap().output, [1, 2, 3]);
        for (padding, named) in
            [([2, 0], "pool0 has 2 of padding on each side of its height"), ([0, 2], "its width, but windows of 2")]
        {
            let error = plan(padding).unwrap_err();
            assert!(error.code == Code::InvalidArgument && error.message.contains(named), "{error}");
        }
    }

    #[test]
    fn not_a_number_is_the_largest_wherever_it_is() {
        let max = Placed { windows: windows((1, [2, 2], [2, 2], [2, 2])) };
        let reaching = Placed { windows: padded((1, [2, 2], [4, 4], [1, 1]), [1, 1]) };
        for at in 0..4 {
            let mut x = [Lane::splat(1.0); 4];
            x[at] = Lane::splat(f64::NAN);
            for max in [&max, &reaching] {
                assert!(forward(max, &[], &x, 1)[0].0.iter().all(|y| y.is_nan()));
            }
        }
    }

    #[test]
    fn of_equal_values_the_first_gets_the_gradient() {
        let max = Placed { windows: windows((1, [2, 2], [2, 2], [2, 2])) };
        let x = [1.0, 3.0, 3.0, 3.0].map(Lane::splat);
        let (y, dy, mut dx) = ([Lane::splat(3.0)], [Lane::splat(5.0)], [Lane::zero(); 4]);
        max.input_gradient(Float64, &[], Seen { x: &x, y: &y, dy: &dy }, &mut dx, &mut []);
        assert_eq!(dx, [0.0, 5.0, 0.0, 0.0].map(Lane::splat));
    }
}
