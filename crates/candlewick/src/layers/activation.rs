//! Activations, element by element: y = f(x), and dx = dy f'(x) written in terms of y.
//!
//! ```
//! use candlewick::layers::activation;
//! use candlewick::network::Activation;
//! use candlewick::simd::{Float64, Lane};
//!
//! let mut y = [Lane::zero()];
//! activation::forward(Float64, Activation::Sigmoid, &[Lane::splat(0.0)], &mut y);
//! assert_eq!(y, [Lane::splat(0.5)]);
//! ```

use crate::network::Activation;
use crate::simd::{Lane, Lanes, Real};

/// y = f(x); `x` and `y`: `[n]`.
pub fn forward<L: Lanes>(l: L, activation: Activation, x: &[Lane<L::Real>], y: &mut [Lane<L::Real>]) {
    l.run(
        #[inline(always)]
        || match activation {
            Activation::None => y.copy_from_slice(x),
            Activation::Sigmoid => map(l, x, y, sigmoid),
            Activation::Relu => map(l, x, y, relu),
            Activation::Tanh => map(l, x, y, tanh),
        },
    );
}

/// dx = dy f'(x); `y`, `dy` and `dx`: `[n]`.
pub fn backward<L: Lanes>(
    l: L,
    activation: Activation,
    y: &[Lane<L::Real>],
    dy: &[Lane<L::Real>],
    dx: &mut [Lane<L::Real>],
) {
    l.run(
        #[inline(always)]
        || match activation {
            Activation::None => dx.copy_from_slice(dy),
            Activation::Sigmoid => slope(l, y, dy, dx, sigmoid_slope),
            Activation::Relu => slope(l, y, dy, dx, relu_slope),
            Activation::Tanh => slope(l, y, dy, dx, tanh_slope),
        },
    );
}

#[inline(always)]
fn map<L: Lanes>(l: L, x: &[Lane<L::Real>], y: &mut [Lane<L::Real>], f: impl Fn(L, L::Vector) -> L::Vector) {
    for (x, y) in x.iter().zip(y) {
        l.store(f(l, l.load(x)), y);
    }
}

#[inline(always)]
fn slope<L: Lanes>(
    l: L,
    y: &[Lane<L::Real>],
    dy: &[Lane<L::Real>],
    dx: &mut [Lane<L::Real>],
    f: impl Fn(L, L::Vector) -> L::Vector,
) {
    for ((y, dy), dx) in y.iter().zip(dy).zip(dx) {
        l.store(l.mul(l.load(dy), f(l, l.load(y))), dx);
    }
}

/// 1 / (1 + e⁻ˣ)
#[inline(always)]
fn sigmoid<L: Lanes>(l: L, x: L::Vector) -> L::Vector {
    let one = l.splat(L::Real::ONE);
    l.div(one, l.add(one, l.exp(l.sub(l.splat(L::Real::ZERO), x))))
}

#[inline(always)]
fn sigmoid_slope<L: Lanes>(l: L, y: L::Vector) -> L::Vector {
    l.mul(y, l.sub(l.splat(L::Real::ONE), y))
}

#[inline(always)]
fn relu<L: Lanes>(l: L, x: L::Vector) -> L::Vector {
    let zero = l.splat(L::Real::ZERO);
    // The comparison is this way round so that NaN passes through.
    l.where_gt(zero, x, zero, x)
}

#[inline(always)]
fn relu_slope<L: Lanes>(l: L, y: L::Vector) -> L::Vector {
    let zero = l.splat(L::Real::ZERO);
    l.where_gt(y, zero, l.splat(L::Real::ONE), zero)
}

/// For |x| ≥ 0.1, 1 - 2 / (e²ˣ + 1); nearer to zero, where that cancels, the Taylor series
/// x - x³/3 + 2x⁵/15 - 17x⁷/315, whose next term is below 3e-11.
#[inline(always)]
fn tanh<L: Lanes>(l: L, x: L::Vector) -> L::Vector {
    let constant = |c: f64| l.splat(L::Real::from_f64(c));
    let e = l.exp(l.add(x, x));
    let far = l.sub(constant(1.0), l.div(constant(2.0), l.add(e, constant(1.0))));
    let x2 = l.mul(x, x);
    let series = l.mul_add(x2, constant(-17.0 / 315.0), constant(2.0 / 15.0));
    let series = l.mul_add(x2, series, constant(-1.0 / 3.0));
    let near = l.mul_add(l.mul(x2, x), series, x);
    l.where_gt(constant(0.01), x2, near, far)
}

#[inline(always)]
fn tanh_slope<L: Lanes>(l: L, y: L::Vector) -> L::Vector {
    l.sub(l.splat(L::Real::ONE), l.mul(y, y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{Numbers, check, flat, lanes, weighted_sum};
    use crate::simd::{Float64, InstructionSet, Kernel, LANES};

    #[test]
    fn gradients_are_the_slopes() {
        let mut numbers = Numbers::new();
        let x = numbers.lanes(7);
        let weights = numbers.lanes(7);
        for activation in Activation::ALL {
            let mut y = x.clone();
            forward(Float64, activation, &x, &mut y);
            let mut dx = x.clone();
            backward(Float64, activation, &y, &weights, &mut dx);
            check(&format!("{activation:?}"), &flat(&x), &flat(&dx), |x| {
                let mut y = vec![Lane::zero(); 7];
                forward(Float64, activation, &lanes(x), &mut y);
                weighted_sum(&y, &weights)
            });
        }
    }

    struct Forward(Activation, [f32; LANES]);

    impl Kernel for Forward {
        type Output = [f32; LANES];
        fn run<L: Lanes<Real = f32>>(self, l: L) -> [f32; LANES] {
            let mut y = [Lane::zero()];
            forward(l, self.0, &[Lane(self.1)], &mut y);
            y[0].0
        }
    }

    #[test]
    fn float32_agrees_with_the_standard_library() {
        let expected = |activation, x: f64| match activation {
            Activation::None => x,
            Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Activation::Relu => x.max(0.0),
            Activation::Tanh => x.tanh(),
        };
        let points: Vec<f32> = (-3200..3200).map(|i| i as f32 / 200.0 + 0.001).collect();
        for activation in Activation::ALL {
            for x in points.as_chunks::<LANES>().0 {
                for (x, y) in x.iter().zip(InstructionSet::chosen().unwrap().run(Forward(activation, *x))) {
                    let expected = expected(activation, f64::from(*x));
                    let error = (f64::from(y) - expected).abs();
                    // 1 - 2 / (e²ˣ + 1) loses three bits at 0.1.
                    assert!(error <= 2e-6 * expected.abs(), "{activation:?}({x}) = {y}, expected {expected}");
                }
            }
        }
    }
}
