//! Average pooling: `y[c][oy][ox]` = mean over the window of `x[c][oy·sy + ky][ox·sx + kx]`.

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

/// The mean of each window of (C, H, W), as its user writes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "Options")]
pub struct AvgPool2d {
    /// Height and width of a window.
    pub pool_size: [usize; 2],
    /// Steps between windows; in JSON, the window's size by default.
    pub strides: [usize; 2],
}

/// As JSON has them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    pool_size: [usize; 2],
    strides: Option<[usize; 2]>,
}

impl From<Options> for AvgPool2d {
    fn from(Options { pool_size, strides }: Options) -> Self {
        Self { pool_size, strides: strides.unwrap_or(pool_size) }
    }
}

impl AvgPool2d {
    /// One with windows of this height and width, side by side.
    pub fn new(pool_size: [usize; 2]) -> Self {
        Self { pool_size, strides: pool_size }
    }

    /// Windows that touch, overlap and lie apart.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        [([2, 2], [2, 2]), ([3, 2], [2, 1]), ([1, 2], [3, 3])]
            .into_iter()
            .map(|(pool_size, strides)| Self { strides, ..Self::new(pool_size) })
    }
}

impl Describe for AvgPool2d {
    fn prefix(&self) -> &'static str {
        "pool"
    }

    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan> {
        let windows = Windows::over(name, input, self.pool_size, self.strides, [0, 0])?;
        Ok(Plan {
            output: windows.output_shape(),
            parameters: Vec::new(),
            arithmetic: Arithmetic::Operation(Operation::AvgPool2d(Placed { windows })),
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
        Needs { again: true, ..Needs::default() }
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
                let share = self.share(l);
                if self.windows.are_planes() {
                    for (x, y) in x.chunks_exact(self.windows.plane()).zip(y) {
                        l.store(l.mul(sum(l, x), share), y);
                    }
                    return;
                }
                self.windows.for_each(
                    #[inline(always)]
                    |output, window| {
                        let mut sum = l.splat(L::Real::ZERO);
                        self.windows.for_each_in(
                            window,
                            #[inline(always)]
                            |i| sum = l.add(sum, l.load(&x[i])),
                        );
                        l.store(l.mul(sum, share), &mut y[output]);
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
                let share = self.share(l);
                if self.windows.are_planes() {
                    for (dx, dy) in dx.chunks_exact_mut(self.windows.plane()).zip(seen.dy) {
                        let d = l.mul(l.load(dy), share);
                        dx.iter_mut().for_each(|dx| l.store(d, dx));
                    }
                    return;
                }
                dx.fill(Lane::zero());
                self.windows.for_each(
                    #[inline(always)]
                    |output, window| {
                        let d = l.mul(l.load(&seen.dy[output]), share);
                        self.windows.for_each_in(
                            window,
                            #[inline(always)]
                            |i| l.store(l.add(l.load(&dx[i]), d), &mut dx[i]),
                        );
                    },
                );
            },
        );
    }
}

/// `struct AvgPool2d`
impl DeviceOperation for Placed {
    const KIND: i32 = 2;
    type Words = [i32; 11];

    fn words(&self, _: usize) -> Result<[i32; 11]> {
        self.windows.words()
    }
}

impl Placed {
    #[inline(always)]
    fn share<L: Lanes>(&self, l: L) -> L::Vector {
        let [height, width] = self.windows.pool_size;
        l.splat(L::Real::ONE / L::Real::from_f64((height * width) as f64))
    }
}

/// The sum of a whole plane, of eight partial sums, so that no addition waits for the last.
#[inline(always)]
fn sum<L: Lanes>(l: L, x: &[Lane<L::Real>]) -> L::Vector {
    let mut partial = [l.splat(L::Real::ZERO); 8];
    let (whole, rest) = x.as_chunks::<8>();
    for values in whole {
        for (sum, x) in partial.iter_mut().zip(values) {
            *sum = l.add(*sum, l.load(x));
        }
    }
    for (sum, x) in partial.iter_mut().zip(rest) {
        *sum = l.add(*sum, l.load(x));
    }
    let [a, b, c, d, e, f, g, h] = partial;
    l.add(l.add(l.add(a, b), l.add(c, d)), l.add(l.add(e, f), l.add(g, h)))
}

/// candle's own has another gradient.
impl Reference for Placed {
    fn reference(&self, x: &Tensor, _: &[Tensor]) -> candle_core::Result<Tensor> {
        let values = self.windows.values(x)?;
        let count = values.len() as f64;
        pairwise(values, |a, b| a + b)? / count
    }

    fn values_on_the_way(&self) -> usize {
        self.windows.values_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{check_operation, forward};
    use crate::layers::windows::examples::{SHAPES, sizes, windows};

    #[test]
    fn gradients_agree_with_finite_differences() {
        for shape in SHAPES {
            let windows = windows(shape);
            let [input, output] = sizes(&windows);
            check_operation(&format!("{shape:?}"), &Placed { windows }, input, 0, output);
        }
    }

    #[test]
    fn a_window_gives_its_mean() {
        let mean = Placed { windows: windows((1, [2, 2], [2, 2], [2, 2])) };
        assert_eq!(forward(&mean, &[], &[1.0, 2.0, 3.0, 6.0].map(Lane::splat), 1), [Lane::splat(3.0)]);
    }
}
