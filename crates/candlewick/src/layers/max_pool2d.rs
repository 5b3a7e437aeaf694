//! Max pooling: `y[c][oy][ox]` = max over the window of `x[c][oy·sy + ky][ox·sx + kx]`.
//!
//! The gradient goes to the first of the window's largest values, as in PyTorch, and is found again by comparing: no index
//! is kept. Where windows overlap, gradients add up.

use super::windows::Windows;
use crate::simd::{Lane, Lanes, Real};

/// x: `[C][H][W]`, y: `[C][OH][OW]`.
pub fn forward<L: Lanes>(l: L, windows: &Windows, x: &[Lane<L::Real>], y: &mut [Lane<L::Real>]) {
    l.run(
        #[inline(always)]
        || {
            windows.for_each(
                #[inline(always)]
                |output, corner| {
                    let mut largest = l.load(&x[corner]);
                    windows.for_each_in(
                        corner,
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

/// x and dx: `[C][H][W]`, y and dy: `[C][OH][OW]`.
pub fn backward<L: Lanes>(
    l: L,
    windows: &Windows,
    x: &[Lane<L::Real>],
    y: &[Lane<L::Real>],
    dy: &[Lane<L::Real>],
    dx: &mut [Lane<L::Real>],
) {
    l.run(
        #[inline(always)]
        || {
            if !windows.cover_inputs_once() {
                dx.fill(Lane::zero());
            }
            let overlap = windows.overlap();
            windows.for_each(
                #[inline(always)]
                |output, corner| {
                    let largest = l.load(&y[output]);
                    let mut remaining = l.load(&dy[output]);
                    windows.for_each_in(
                        corner,
                        #[inline(always)]
                        |i| {
                            let share = take_share(l, l.load(&x[i]), largest, &mut remaining);
                            let sum = if overlap { l.add(l.load(&dx[i]), share) } else { share };
                            l.store(sum, &mut dx[i]);
                        },
                    );
                },
            );
        },
    );
}

/// The gradient of a window's next value: all that remains, if it is the largest, after which nothing does.
#[inline(always)]
fn take_share<L: Lanes>(l: L, value: L::Vector, largest: L::Vector, remaining: &mut L::Vector) -> L::Vector {
    let zero = l.splat(L::Real::ZERO);
    let share = l.where_eq(value, largest, *remaining, zero);
    *remaining = l.where_eq(value, largest, zero, *remaining);
    share
}

/// As [`backward`], but dx takes the place of x, a quarter of a network's working memory less to reach for. For windows
/// that cover each input once.
pub fn backward_in_place<L: Lanes>(
    l: L,
    windows: &Windows,
    x: &mut [Lane<L::Real>],
    y: &[Lane<L::Real>],
    dy: &[Lane<L::Real>],
) {
    l.run(
        #[inline(always)]
        || {
            windows.for_each(
                #[inline(always)]
                |output, corner| {
                    let largest = l.load(&y[output]);
                    let mut remaining = l.load(&dy[output]);
                    windows.for_each_in(
                        corner,
                        #[inline(always)]
                        |i| {
                            l.store(take_share(l, l.load(&x[i]), largest, &mut remaining), &mut x[i]);
                        },
                    );
                },
            );
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{Numbers, check, flat, lanes, weighted_sum};
    use crate::layers::windows::examples::{SHAPES, windows};
    use crate::simd::Float64;

    #[test]
    fn gradients_agree_with_finite_differences() {
        for shape in SHAPES {
            let windows = windows(shape);
            let mut numbers = Numbers::new();
            let x = numbers.lanes(windows.channels * windows.input.iter().product::<usize>());
            let outputs = windows.channels * windows.output.iter().product::<usize>();
            let dy = numbers.lanes(outputs);
            let mut y = vec![Lane::zero(); outputs];
            forward(Float64, &windows, &x, &mut y);
            let mut dx = x.clone();
            backward(Float64, &windows, &x, &y, &dy, &mut dx);
            if windows.cover_inputs_once() {
                let mut in_place = x.clone();
                backward_in_place(Float64, &windows, &mut in_place, &y, &dy);
                assert_eq!(in_place, dx);
            }
            check(&format!("{shape:?}"), &flat(&x), &flat(&dx), |x| {
                let mut y = vec![Lane::zero(); outputs];
                forward(Float64, &windows, &lanes(x), &mut y);
                weighted_sum(&y, &dy)
            });
        }
    }

    #[test]
    fn not_a_number_is_the_largest_wherever_it_is() {
        let windows = windows((1, [2, 2], [2, 2], [2, 2]));
        for at in 0..4 {
            let mut x = [Lane::splat(1.0); 4];
            x[at] = Lane::splat(f64::NAN);
            let mut y = [Lane::zero()];
            forward(Float64, &windows, &x, &mut y);
            assert!(y[0].0.iter().all(|y| y.is_nan()));
        }
    }

    #[test]
    fn of_equal_values_the_first_gets_the_gradient() {
        let windows = windows((1, [2, 2], [2, 2], [2, 2]));
        let x = [1.0, 3.0, 3.0, 3.0].map(Lane::splat);
        let mut dx = [Lane::zero(); 4];
        backward(Float64, &windows, &x, &[Lane::splat(3.0)], &[Lane::splat(5.0)], &mut dx);
        assert_eq!(dx, [0.0, 5.0, 0.0, 0.0].map(Lane::splat));
    }
}
