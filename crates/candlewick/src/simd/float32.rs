//! Lanes of float32 on any instruction set: one AVX-512 register, two of AVX2, four of NEON.
//!
//! `fearless_simd` chooses the instructions; this file chooses those of its operations whose result is the same on all of
//! them: the fused multiply-add (`mul_add_precise`), comparisons and selects instead of `max`, sums in an order of our own,
//! and [`exp`](Float32::exp) and its like made of these, as a platform's libm differs from the next.

use super::{LANES, Lane, Lanes, fused};
use fearless_simd::{Bytes, Select, Simd, SimdBase, f32x4, f32x16, f64x2, u8x16, u32x16};

/// q of [`Lanes::ln_1p`], from the highest power down.
const LN_1P: [f32; 9] = [
    -3.318_479_4e-3,
    2.020_462e-2,
    -5.766_452_4e-2,
    1.068_056_5e-1,
    -1.535_540_3e-1,
    1.969_540_3e-1,
    -2.495_858_8e-1,
    3.333_051_1e-1,
    -4.999_993_3e-1,
];

/// g of [`Lanes::normal_cdf`], from the highest power down.
const NORMAL_TAIL: [f32; 10] = [
    -7.976_133e-2,
    2.800_199_3e-1,
    -3.146_459_8e-1,
    1.399_705_1e-1,
    -1.512_859e-1,
    5.670_667_7e-2,
    2.917_037_2e-1,
    1.696_28e-1,
    -1.243_393_4,
    1.25,
];

/// Sixteen float32 on the instruction set `S`.
#[derive(Clone, Copy, Debug)]
pub struct Float32<S: Simd>(pub S);

impl<S: Simd> Float32<S> {
    /// c₀ + c₁ x + c₂ x² + ..., by Horner's rule; `coefficients` from the highest power down.
    #[inline(always)]
    fn polynomial(self, x: f32x16<S>, coefficients: &[f32]) -> f32x16<S> {
        let mut sum = self.splat(coefficients[0]);
        for &c in &coefficients[1..] {
            sum = self.mul_add(sum, x, self.splat(c));
        }
        sum
    }

    /// eˣ = 2ⁿ eʳ with n = round(x / ln 2), r = x - n ln 2 and |r| ≤ ln 2 / 2, where a polynomial of degree 7 serves
    /// (the coefficients of Cephes' `expf`): eʳ - 1, and 2ⁿ. Beyond ±87 those of ±87, and NaN for NaN.
    #[inline(always)]
    fn exp_parts(self, v: f32x16<S>) -> (f32x16<S>, f32x16<S>) {
        let limit = self.splat(87.0);
        let x = self.where_gt(v, limit, limit, v);
        let x = self.where_gt(self.splat(-87.0), x, self.splat(-87.0), x);
        // Adding 1.5 · 2²³ leaves round(x / ln 2) in the low bits of the float: no conversion, the same on all machines.
        let shifter = self.splat(12_582_912.0);
        let shifted = self.mul_add(x, self.splat(std::f32::consts::LOG2_E), shifter);
        let n = shifted - shifter;
        let r = self.mul_add(n, self.splat(-0.693_359_4), x); // ln 2 in two parts, the first of few bits
        let r = self.mul_add(n, self.splat(2.121_944_4e-4), r);
        let p =
            self.polynomial(r, &[1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
        let exponent: u32x16<S> = shifted.bitcast();
        let two_n: f32x16<S> = ((exponent << 23) + u32x16::splat(self.0, 0x3f80_0000)).bitcast();
        (self.mul_add(p * r, r, r), two_n)
    }

    /// The first two levels of the tree of [`Lanes::sum`]: lanes i, i + 4, i + 8 and i + 12.
    #[inline(always)]
    fn quarter(self, v: f32x16<S>) -> f32x4<S> {
        let (a, b) = self.0.split_f32x16(v);
        let (a, b) = self.0.split_f32x8(a + b);
        a + b
    }
}

impl<S: Simd> Lanes for Float32<S> {
    type Real = f32;
    type Vector = f32x16<S>;
    const WIDE: bool = S::f32s::LEN == LANES;

    #[inline(always)]
    fn run<R>(self, kernel: impl FnOnce() -> R) -> R {
        self.0.vectorize(kernel)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> f32x16<S> {
        f32x16::splat(self.0, x)
    }
    #[inline(always)]
    fn load(self, from: &Lane<f32>) -> f32x16<S> {
        f32x16::load_array_ref(self.0, &from.0)
    }
    #[inline(always)]
    fn store(self, v: f32x16<S>, to: &mut Lane<f32>) {
        v.store_array(&mut to.0);
    }
    #[inline(always)]
    fn load_slice(self, from: &[f32]) -> f32x16<S> {
        f32x16::from_slice(self.0, &from[..LANES])
    }
    #[inline(always)]
    fn store_slice(self, v: f32x16<S>, to: &mut [f32]) {
        v.store_slice(&mut to[..LANES]);
    }
    #[inline(always)]
    fn add(self, a: f32x16<S>, b: f32x16<S>) -> f32x16<S> {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32x16<S>, b: f32x16<S>) -> f32x16<S> {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32x16<S>, b: f32x16<S>) -> f32x16<S> {
        a * b
    }
    #[inline(always)]
    fn div(self, a: f32x16<S>, b: f32x16<S>) -> f32x16<S> {
        a / b
    }
    #[inline(always)]
    fn mul_add(self, a: f32x16<S>, b: f32x16<S>, c: f32x16<S>) -> f32x16<S> {
        if self.0.level().is_fallback() {
            f32x16::load_array(self.0, fused::mul_add(*a.as_array(), *b.as_array(), *c.as_array()))
        } else {
            self.0.mul_add_precise_f32x16(a, b, c)
        }
    }
    #[inline(always)]
    fn where_gt(self, a: f32x16<S>, b: f32x16<S>, yes: f32x16<S>, no: f32x16<S>) -> f32x16<S> {
        self.0.simd_gt_f32x16(a, b).select(yes, no)
    }
    #[inline(always)]
    fn where_eq(self, a: f32x16<S>, b: f32x16<S>, yes: f32x16<S>, no: f32x16<S>) -> f32x16<S> {
        self.0.simd_eq_f32x16(a, b).select(yes, no)
    }

    #[inline(always)]
    fn exp(self, v: f32x16<S>) -> f32x16<S> {
        let (less_1, two_n) = self.exp_parts(v);
        (less_1 + self.splat(1.0)) * two_n
    }

    /// 2ⁿ (eʳ - 1) + (2ⁿ - 1), in the terms of [`exp`](Self::exp) and within its bounds. Near zero n is 0 and nothing cancels.
    #[inline(always)]
    fn exp_m1(self, v: f32x16<S>) -> f32x16<S> {
        let (less_1, two_n) = self.exp_parts(v);
        self.mul_add(two_n, less_1, two_n - self.splat(1.0))
    }

    /// v + v² q(v), where q is the polynomial of degree 8 that is nearest to (ln(1 + v) - v) / v² in terms of the logarithm's own
    /// size: it is off by 5e-9 of that, by Remez's algorithm.
    #[inline(always)]
    fn ln_1p(self, v: f32x16<S>) -> f32x16<S> {
        let q = self.polynomial(v, &LN_1P);
        self.mul_add(v * v, q, v)
    }

    /// Φ(-t) = e^(-t²/2) q g(t q) with q = 1 / (t + 2.5) for t ≥ 0, where g is the polynomial of degree 9 that is nearest in terms of
    /// its own size: it is off by 1.5e-8 of that, by Remez's algorithm. What rounding takes from t² the exponential gets back, or its
    /// error would be t² / 2 times as large. Zero below -13.19, where the true value is below 5e-40.
    #[inline(always)]
    fn normal_cdf(self, v: f32x16<S>) -> f32x16<S> {
        let (zero, half, end) = (self.splat(0.0), self.splat(-0.5), self.splat(13.19));
        let t = self.where_gt(zero, v, zero - v, v);
        let t = self.where_gt(t, end, end, t);
        let q = self.splat(1.0) / (t + self.splat(2.5));
        let g = self.polynomial(t * q, &NORMAL_TAIL) * q;
        let square = t * t;
        let rest = self.mul_add(t, t, zero - square);
        let e = self.exp(square * half);
        let tail = self.mul_add(e, rest * half, e) * g;
        let tail = self.where_gt(zero - end, v, zero, tail);
        self.where_gt(v, zero, self.splat(1.0) - tail, tail)
    }

    #[inline(always)]
    fn sum(self, v: f32x16<S>) -> f32 {
        let q = self.quarter(v);
        let q = q.as_array();
        (q[0] + q[2]) + (q[1] + q[3])
    }

    #[inline(always)]
    fn sum_each(self, [a, b, c, d]: [f32x16<S>; 4]) -> [f32; 4] {
        let (a, b, c, d) = (self.quarter(a), self.quarter(b), self.quarter(c), self.quarter(d));
        let ab = a.zip_low(b) + a.zip_high(b); // a0 + a2, b0 + b2, a1 + a3, b1 + b3
        let cd = c.zip_low(d) + c.zip_high(d);
        let (ab, cd): (f64x2<S>, f64x2<S>) = (ab.bitcast(), cd.bitcast()); // to move two floats at a time
        let sums = ab.zip_low(cd).bitcast::<f32x4<S>>() + ab.zip_high(cd).bitcast::<f32x4<S>>();
        *sums.as_array()
    }

    /// In blocks of 4 x 4, which no instruction set has to shuffle across the halves of a register.
    #[inline(always)]
    fn turn(self, rows: [&Lane<f32>; LANES], columns: &mut [Lane<f32>; LANES]) {
        for i in (0..LANES).step_by(4) {
            for j in (0..LANES).step_by(4) {
                let mut block = [f32x4::splat(self.0, 0.0); 4];
                for k in 0..4 {
                    block[k] = f32x4::from_slice(self.0, &rows[i + k].0[j..j + 4]);
                }
                let [a, b, c, d] = block;
                let (low, high) = ([a.zip_low(c), b.zip_low(d)], [a.zip_high(c), b.zip_high(d)]);
                let turned = [
                    low[0].zip_low(low[1]), // a0, b0, c0, d0
                    low[0].zip_high(low[1]),
                    high[0].zip_low(high[1]),
                    high[0].zip_high(high[1]),
                ];
                for k in 0..4 {
                    turned[k].store_slice(&mut columns[j + k].0[i..i + 4]);
                }
            }
        }
    }

    /// Zipping row i with row i + 8 shuffles all bytes like a pack of cards; four times of it turn sixteen by sixteen.
    #[inline(always)]
    fn turn_bytes(self, rows: [[u8; LANES]; LANES]) -> [[u8; LANES]; LANES] {
        let mut vectors = [u8x16::splat(self.0, 0); LANES];
        for i in 0..LANES {
            vectors[i] = u8x16::load_array(self.0, rows[i]);
        }
        for _ in 0..4 {
            let before = vectors;
            for i in 0..8 {
                vectors[2 * i] = before[i].zip_low(before[i + 8]);
                vectors[2 * i + 1] = before[i].zip_high(before[i + 8]);
            }
        }
        let mut columns = rows;
        for i in 0..LANES {
            columns[i] = *vectors[i].as_array();
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::super::{InstructionSet, Kernel};
    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Function {
        Exp,
        ExpM1,
        Ln1p,
        NormalCdf,
        Sum,
        SumEach,
    }

    struct Apply(Function, [f32; LANES]);

    impl Kernel for Apply {
        type Output = [f32; LANES];
        fn run<L: Lanes<Real = f32>>(self, l: L) -> [f32; LANES] {
            let x = l.load(&Lane(self.1));
            let mut out = Lane::zero();
            l.store(
                match self.0 {
                    Function::Exp => l.exp(x),
                    Function::ExpM1 => l.exp_m1(x),
                    Function::Ln1p => l.ln_1p(x),
                    Function::NormalCdf => l.normal_cdf(x),
                    Function::Sum => l.splat(l.sum(x)),
                    Function::SumEach => {
                        let two = l.splat(2.0);
                        let sums = l.sum_each([x, l.mul(x, two), l.mul(x, l.mul(two, two)), l.splat(1.0)]);
                        l.load(&Lane(std::array::from_fn(|i| sums[i % 4])))
                    }
                },
                &mut out,
            );
            out.0
        }
    }

    /// Holds `function` against float64, to so many units of 1.2e-7, and all instruction sets against each other.
    fn check(function: Function, units: f64, inputs: impl Iterator<Item = f32>, expected: fn(f64) -> f64) {
        let inputs: Vec<f32> = inputs.collect();
        for x in inputs.as_chunks::<LANES>().0 {
            let best = InstructionSet::best().run(Apply(function, *x));
            for other in InstructionSet::available() {
                assert_eq!(
                    best.map(f32::to_bits),
                    other.run(Apply(function, *x)).map(f32::to_bits),
                    "{}",
                    other.name()
                );
            }
            for (x, y) in x.iter().zip(best) {
                let expected = expected(f64::from(*x));
                let error = (f64::from(y) - expected).abs() / expected.abs();
                assert!(error < units * 1.2e-7, "f({x}) = {y}, expected {expected}");
            }
        }
    }

    #[test]
    fn exp_is_within_two_units_of_the_true_value() {
        check(Function::Exp, 2.0, (-8700..8700).map(|i| i as f32 / 100.0), f64::exp);
    }

    /// Numbers of both signs, as many of each order of magnitude from 1e-30 to 1.
    fn small() -> impl Iterator<Item = f32> {
        (0..3200).map(|i| (10f32).powf(-(i as f32) / 107.0) * if i % 3 == 0 { -1.0 } else { 1.0 })
    }

    #[test]
    fn exp_m1_and_ln_1p_are_no_less_exact_near_zero() {
        check(Function::ExpM1, 2.0, (-8700..8700).map(|i| (i as f32 + 0.5) / 100.0), f64::exp_m1);
        check(Function::ExpM1, 2.0, small(), f64::exp_m1);
        check(Function::Ln1p, 2.0, (1..=3200).map(|i| i as f32 / 3200.0), f64::ln_1p);
        check(Function::Ln1p, 2.0, small().map(f32::abs), f64::ln_1p);
    }

    #[test]
    fn the_normal_distribution_is_no_less_exact_in_its_tail() {
        let exact = |x: f64| 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
        check(Function::NormalCdf, 6.0, (-12_800..=12_800).map(|i| i as f32 / 1000.0), exact);
        check(Function::NormalCdf, 6.0, small(), exact);
    }

    #[test]
    fn functions_end_well() {
        const ENDS: [f32; 4] = [f32::NEG_INFINITY, -3e38, 3e38, f32::INFINITY];
        let x = std::array::from_fn(|i| ENDS[i % 4]);
        for set in InstructionSet::available() {
            let of = |function| set.run(Apply(function, x))[..4].to_vec();
            assert_eq!(of(Function::ExpM1)[..2], [-1.0, -1.0], "{}", set.name());
            assert_eq!(of(Function::NormalCdf), [0.0, 0.0, 1.0, 1.0], "{}", set.name());
        }
    }

    #[test]
    fn not_a_number_stays_so() {
        for function in [Function::Exp, Function::ExpM1, Function::Ln1p, Function::NormalCdf] {
            for set in InstructionSet::available() {
                let y = set.run(Apply(function, [f32::NAN; LANES]));
                assert!(y.iter().all(|y| y.is_nan()), "{function:?} on {}", set.name());
            }
        }
    }

    #[test]
    fn sums_are_a_fixed_tree() {
        let x: [f32; LANES] = std::array::from_fn(|i| 1.0 / (i as f32 + 1.3) - 0.2);
        let mut tree = x;
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                tree[i] += tree[i + half];
            }
        }
        for set in InstructionSet::available() {
            assert_eq!(set.run(Apply(Function::Sum, x))[0].to_bits(), tree[0].to_bits(), "{}", set.name());
            let each = set.run(Apply(Function::SumEach, x));
            assert_eq!(each[..4], [tree[0], 2.0 * tree[0], 4.0 * tree[0], 16.0], "{}", set.name());
        }
    }
}
