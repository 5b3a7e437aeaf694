//! Average pooling: `y[c][oy][ox]` = mean over the window of `x[c][oy·sy + ky][ox·sx + kx]`.

use super::windows::Windows;
use crate::simd::{Lane, Lanes, Real};

#[inline(always)]
fn share<L: Lanes>(l: L, windows: &Windows) -> L::Vector {
    let [height, width] = windows.pool_size;
    l.splat(L::Real::ONE / L::Real::from_f64((height * width) as f64))
}

/// x: `[C][H][W]`, y: `[C][OH][OW]`.
pub fn forward<L: Lanes>(l: L, windows: &Windows, x: &[Lane<L::Real>], y: &mut [Lane<L::Real>]) {
    l.run(
        #[inline(always)]
        || {
            let share = share(l, windows);
            windows.for_each(
                #[inline(always)]
                |output, corner| {
                    let mut sum = l.splat(L::Real::ZERO);
                    windows.for_each_in(
                        corner,
                        #[inline(always)]
                        |i| sum = l.add(sum, l.load(&x[i])),
                    );
                    l.store(l.mul(sum, share), &mut y[output]);
                },
            );
        },
    );
}

/// dx: `[C][H][W]`, dy: `[C][OH][OW]`.
pub fn backward<L: Lanes>(l: L, windows: &Windows, dy: &[Lane<L::Real>], dx: &mut [Lane<L::Real>]) {
    l.run(
        #[inline(always)]
        || {
            let share = share(l, windows);
            dx.fill(Lane::zero());
            windows.for_each(
                #[inline(always)]
                |output, corner| {
                    let d = l.mul(l.load(&dy[output]), share);
                    windows.for_each_in(
                        corner,
                        #[inline(always)]
                        |i| l.store(l.add(l.load(&dx[i]), d), &mut dx[i]),
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
            let mut dx = x.clone();
            backward(Float64, &windows, &dy, &mut dx);
            check(&format!("{shape:?}"), &flat(&x), &flat(&dx), |x| {
                let mut y = vec![Lane::zero(); outputs];
                forward(Float64, &windows, &lanes(x), &mut y);
                weighted_sum(&y, &dy)
            });
        }
    }

    #[test]
    fn a_window_gives_its_mean() {
        let windows = windows((1, [2, 2], [2, 2], [2, 2]));
        let mut y = [Lane::zero()];
        forward(Float64, &windows, &[1.0, 2.0, 3.0, 6.0].map(Lane::splat), &mut y);
        assert_eq!(y, [Lane::splat(3.0)]);
    }
}
