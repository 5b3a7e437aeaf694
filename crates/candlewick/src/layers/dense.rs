//! A fully connected layer: `z[o] = b[o] + Σ w[o][i] x[i]`.
//!
//! ```
//! use candlewick::layers::dense;
//! use candlewick::simd::{Float64, Lane};
//!
//! let mut z = [Lane::zero()];
//! dense::forward(Float64, &[Lane::splat(3.0), Lane::splat(5.0)], &[2.0, 1.0], &[0.5], &mut z);
//! assert_eq!(z, [Lane::splat(11.5)]);
//! ```

use crate::simd::{LANES, Lane, Lanes, Real, RegisterTile, cover, cut};
use std::ops::Range;

/// z = x wᵀ + b; x: `[I]`, w: `[O][I]`, b: `[O]`, z: `[O]`.
pub fn forward<L: Lanes>(l: L, x: &[Lane<L::Real>], w: &[L::Real], b: &[L::Real], z: &mut [Lane<L::Real>]) {
    l.run(
        #[inline(always)]
        || {
            for (o, units) in cut(0..z.len(), most_sums(l)) {
                match units {
                    8 => forward_tile::<L, 8>(l, x, w, b, z, o),
                    4 => forward_tile::<L, 4>(l, x, w, b, z, o),
                    2 => forward_tile::<L, 2>(l, x, w, b, z, o),
                    _ => forward_tile::<L, 1>(l, x, w, b, z, o),
                }
            }
        },
    );
}

/// O units, from `o` on.
#[inline(always)]
fn forward_tile<L: Lanes, const O: usize>(
    l: L,
    x: &[Lane<L::Real>],
    w: &[L::Real],
    b: &[L::Real],
    z: &mut [Lane<L::Real>],
    o: usize,
) {
    let mut sums = [l.splat(L::Real::ZERO); O];
    let mut rows = [w; O];
    for j in 0..O {
        sums[j] = l.splat(b[o + j]);
        rows[j] = &w[(o + j) * x.len()..][..x.len()];
    }
    for i in 0..x.len() {
        let input = l.load(&x[i]);
        for j in 0..O {
            sums[j] = l.mul_add(input, l.splat(rows[j][i]), sums[j]);
        }
    }
    for j in 0..O {
        l.store(sums[j], &mut z[o + j]);
    }
}

/// `dx[i] = Σ w[o][i] dz[o]`; w: `[O][I]`, dz: `[O]`, dx: `[I]`.
pub fn input_gradient<L: Lanes>(l: L, w: &[L::Real], dz: &[Lane<L::Real>], dx: &mut [Lane<L::Real>]) {
    l.run(
        #[inline(always)]
        || {
            for (i, inputs) in cut(0..dx.len(), most_sums(l)) {
                match inputs {
                    8 => input_gradient_tile::<L, 8>(l, w, dz, dx, i),
                    4 => input_gradient_tile::<L, 4>(l, w, dz, dx, i),
                    2 => input_gradient_tile::<L, 2>(l, w, dz, dx, i),
                    _ => input_gradient_tile::<L, 1>(l, w, dz, dx, i),
                }
            }
        },
    );
}

/// N inputs, from `i` on.
#[inline(always)]
fn input_gradient_tile<L: Lanes, const N: usize>(
    l: L,
    w: &[L::Real],
    dz: &[Lane<L::Real>],
    dx: &mut [Lane<L::Real>],
    i: usize,
) {
    let inputs = dx.len();
    let mut sums = [l.splat(L::Real::ZERO); N];
    for (o, d) in dz.iter().enumerate() {
        let d = l.load(d);
        let row = &w[o * inputs + i..][..N];
        for j in 0..N {
            sums[j] = l.mul_add(d, l.splat(row[j]), sums[j]);
        }
    }
    for j in 0..N {
        l.store(sums[j], &mut dx[i + j]);
    }
}

/// Records whose x, four lanes for each image, is 32 KiB: the smaller part of a core's nearest cache.
const GROUP: usize = 8;

/// What a whole batch's gradient of the parameters needs of each of its tiles, put aside in the backward pass. Done for all
/// tiles at once, a weight's gradient stays in a register from the first image to the last.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// I
    pub inputs: usize,
    /// O
    pub units: usize,
}

impl Record {
    /// Lanes of memory.
    pub fn lanes(&self) -> usize {
        self.turned_len().saturating_add(self.units)
    }

    /// Writes x: `[I]` and dz: `[O]` of a tile. The gradient's sum runs over the images, so x is turned.
    pub fn write<R: Real>(&self, x: &[Lane<R>], dz: &[Lane<R>], record: &mut [Lane<R>]) {
        let (turned, rest) = record.split_at_mut(self.turned_len());
        turn(x, turned);
        rest.copy_from_slice(dz);
    }

    /// x: `[I / 16][image]` lanes of sixteen inputs, and dz: `[O]`.
    fn read<'a, R>(&self, record: &'a [Lane<R>]) -> (&'a [Lane<R>], &'a [Lane<R>]) {
        record.split_at(self.turned_len())
    }

    fn turned_len(&self) -> usize {
        self.blocks().saturating_mul(LANES)
    }

    /// Inputs in lanes.
    fn blocks(&self) -> usize {
        self.inputs.div_ceil(LANES)
    }

    /// `dw[o][i] += Σ dz[o] x[i]` over the images of `records`; dw: `[units.len()][I]`.
    pub fn weight_gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        l: L,
        records: impl Iterator<Item = &'a [Lane<L::Real>]> + Clone,
        units: Range<usize>,
        dw: &mut [L::Real],
    ) {
        l.run(
            #[inline(always)]
            || {
                let count = records.clone().count();
                for (block, width) in cut(0..self.blocks(), 4) {
                    // A block's inputs of some records stay in the nearest cache, for all units to pass by.
                    for group in (0..count).step_by(GROUP) {
                        let records = records.clone().skip(group).take(GROUP);
                        let mut kernel = WeightGradient { l, layout: *self, records, first: units.start, dw };
                        cover(units.len(), block..block + width, [6, 4], &mut kernel);
                    }
                }
            },
        );
    }

    /// `db[o] += Σ dz[o]` over the images of `records`; db: `[O]`.
    pub fn bias_gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        l: L,
        records: impl Iterator<Item = &'a [Lane<L::Real>]> + Clone,
        db: &mut [L::Real],
    ) {
        l.run(
            #[inline(always)]
            || {
                for (o, db) in db.iter_mut().enumerate() {
                    let mut sum = l.splat(L::Real::ZERO);
                    for record in records.clone() {
                        sum = l.add(sum, l.load(&self.read(record).1[o]));
                    }
                    *db += l.sum(sum);
                }
            },
        );
    }
}

/// From x: `[I]` lanes of sixteen images to `[I / 16][image]` lanes of sixteen inputs, the last filled up with zeros.
fn turn<R: Real>(x: &[Lane<R>], turned: &mut [Lane<R>]) {
    for (inputs, turned) in x.chunks(LANES).zip(turned.chunks_exact_mut(LANES)) {
        for (image, to) in turned.iter_mut().enumerate() {
            if let Some(inputs) = inputs.as_array::<LANES>() {
                *to = Lane(std::array::from_fn(|i| inputs[i].0[image]));
            } else {
                *to = Lane::zero();
                for (to, from) in to.0.iter_mut().zip(inputs) {
                    *to = from.0[image];
                }
            }
        }
    }
}

/// Units, counted from `first` on, by blocks of sixteen inputs.
struct WeightGradient<'a, L: Lanes, I> {
    l: L,
    layout: Record,
    records: I,
    first: usize,
    dw: &'a mut [L::Real],
}

impl<'a, L: Lanes<Real: 'a>, I: Iterator<Item = &'a [Lane<L::Real>]> + Clone> RegisterTile
    for WeightGradient<'_, L, I>
{
    type Lanes = L;

    #[inline(always)]
    fn tile<const O: usize, const B: usize>(&mut self, o: usize, block: usize) {
        let Self { l, layout, .. } = *self;
        let mut sums = [[l.splat(L::Real::ZERO); B]; O];
        for record in self.records.clone() {
            let (turned, dz) = layout.read(record);
            let units = &dz[self.first + o..][..O];
            let columns = &turned[block * LANES..][..B * LANES];
            for image in 0..LANES {
                let mut x = [l.splat(L::Real::ZERO); B];
                for j in 0..B {
                    x[j] = l.load(&columns[j * LANES + image]);
                }
                for i in 0..O {
                    let d = l.splat(units[i].0[image]);
                    for j in 0..B {
                        sums[i][j] = l.mul_add(x[j], d, sums[i][j]);
                    }
                }
            }
        }
        for i in 0..O {
            let row = &mut self.dw[(o + i) * layout.inputs..][..layout.inputs];
            for j in 0..B {
                add(l, sums[i][j], &mut row[(block + j) * LANES..]);
            }
        }
    }
}

/// Adds sixteen sums to the front of `row`, or as many as it is long.
#[inline(always)]
fn add<L: Lanes>(l: L, sums: L::Vector, row: &mut [L::Real]) {
    if let Some(row) = row.get_mut(..LANES) {
        l.store_slice(l.add(l.load_slice(row), sums), row);
    } else {
        let mut rest = Lane::zero();
        l.store(sums, &mut rest);
        for (value, sum) in row.iter_mut().zip(rest.0) {
            *value += sum;
        }
    }
}

/// Outputs whose sums are held in registers at once.
#[inline(always)]
fn most_sums<L: Lanes>(_: L) -> usize {
    if L::WIDE { 8 } else { 4 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{Numbers, check, flat, lanes, weighted_sum};
    use crate::simd::Float64;

    #[test]
    fn gradients_agree_with_finite_differences() {
        for (inputs, units) in [(1, 1), (15, 3), (16, 8), (17, 10), (40, 21), (3, 16)] {
            let mut numbers = Numbers::new();
            let (x, w, b) = (numbers.lanes(inputs), numbers.vec(inputs * units), numbers.vec(units));
            let dz = numbers.lanes(units);
            let (mut dx, mut dw, mut db) = (x.clone(), vec![0.0; w.len()], vec![0.0; units]);
            input_gradient(Float64, &w, &dz, &mut dx);
            let layout = Record { inputs, units };
            let mut record = vec![Lane::splat(f64::NAN); layout.lanes()];
            layout.write(&x, &dz, &mut record);
            layout.weight_gradient(Float64, [&record[..]].into_iter(), 0..units, &mut dw);
            layout.bias_gradient(Float64, [&record[..]].into_iter(), &mut db);
            let loss = |x: &[Lane<f64>], w: &[f64], b: &[f64]| {
                let mut z = vec![Lane::zero(); units];
                forward(Float64, x, w, b, &mut z);
                weighted_sum(&z, &dz)
            };
            check(&format!("dx of {inputs} to {units}"), &flat(&x), &flat(&dx), |x| loss(&lanes(x), &w, &b));
            check(&format!("dw of {inputs} to {units}"), &w, &dw, |w| loss(&x, w, &b));
            check(&format!("db of {inputs} to {units}"), &b, &db, |b| loss(&x, &w, b));
        }
    }

    #[test]
    fn parameter_gradients_add_up_over_records() {
        let layout = Record { inputs: 1, units: 2 };
        let record = |x, dz: [f64; 2]| {
            let mut record = vec![Lane::splat(f64::NAN); layout.lanes()];
            layout.write(&[Lane::splat(x)], &dz.map(Lane::splat), &mut record);
            record
        };
        let records = [record(2.0, [9.0, 1.0]), record(3.0, [9.0, 2.0])];
        let (mut dw, mut db) = ([1.0], [1.0; 2]);
        layout.weight_gradient(Float64, records.iter().map(Vec::as_slice), 1..2, &mut dw);
        layout.bias_gradient(Float64, records.iter().map(Vec::as_slice), &mut db);
        assert_eq!((dw, db), ([1.0 + 16.0 * (2.0 + 6.0)], [1.0 + 16.0 * 18.0, 1.0 + 16.0 * 3.0]));
    }
}
