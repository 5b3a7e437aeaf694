//! A fully connected layer: `z[o] = b[o] + Σ w[o][i] x[i]`.

use super::Operation;
use super::device::DeviceOperation;
use super::operation::{Accumulators, LaneOperation, Left, Needs, PIECE, Seen, fold, pieces};
use super::plan::{Arithmetic, Describe, Draw, ParameterPlan, Plan, is_yes, yes};
use super::reference::Reference;
use crate::activations::Activation;
use crate::error::Result;
use crate::initializers::Initializer;
use crate::kernels::numbers;
use crate::shape::require_positive;
use crate::simd::{LANES, Lane, Lanes, Largest, Real, RegisterTile, cover, cut};
use candle_core::Tensor;
use candle_nn::{Linear, Module};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A fully connected layer as its user writes it. It flattens what reaches it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dense {
    /// Length of the output.
    pub units: usize,
    /// Whether there is a bias; by default there is.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub use_bias: bool,
    /// Whether steps move weights and bias; by default they do.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub trainable: bool,
    /// How the weights begin; by default as the network's initialiser says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_init: Option<Initializer>,
    /// How the bias begins; by default at zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bias_init: Option<Initializer>,
    /// Applied to the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

impl Dense {
    /// One of as many units, all else as by default.
    pub fn new(units: usize) -> Self {
        Self { units, use_bias: true, trainable: true, kernel_init: None, bias_init: None, activation: None }
    }

    /// Units that fill register tiles and that leave some over, with and without a bias.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        [
            Self { bias_init: Some(Initializer::constant(-0.1)), ..Self::new(1) },
            Self { activation: Some(Activation::Relu), ..Self::new(7) },
            Self { kernel_init: Some(Initializer::he_uniform()), use_bias: false, ..Self::new(9) },
            Self { activation: Some(Activation::Tanh), ..Self::new(24) },
        ]
        .into_iter()
    }
}

impl Describe for Dense {
    fn prefix(&self) -> &'static str {
        "dense"
    }

    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan> {
        let (units, inputs) = (self.units, input.iter().product());
        require_positive(name, &[units], "units")?;
        let draw = Draw::Weight { fan_in: inputs, fan_out: units, init: self.kernel_init };
        let mut parameters = vec![ParameterPlan::weight(vec![units, inputs], draw)];
        parameters.extend(ParameterPlan::bias_if(self.use_bias, name, units, self.bias_init)?);
        parameters.iter_mut().for_each(|parameter| parameter.trainable = self.trainable);
        Ok(Plan {
            output: vec![units],
            parameters,
            arithmetic: Arithmetic::Operation(Operation::Dense(Placed { inputs, units, use_bias: self.use_bias })),
            activation: self.activation,
        })
    }
}

/// A dense layer in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// I
    pub inputs: usize,
    /// O
    pub units: usize,
    /// Whether b is there.
    pub use_bias: bool,
}

/// x: `[I]`, z: `[O]`; own: w, `[O][I]`, then b, `[O]`, if there is one.
impl LaneOperation for Placed {
    fn needs(&self) -> Needs {
        Needs { record: self.turned_len().saturating_add(self.units), ..Needs::default() }
    }

    /// z = x wᵀ + b
    fn forward<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        x: &[Lane<L::Real>],
        z: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        let (w, b) = own.split_at(self.weights());
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

    /// Writes a record of x and dz. The gradient's sum runs over the images, so x is turned. Done for all tiles of a batch at
    /// once, a weight's gradient stays in a register from the first image to the last.
    fn leave<L: Lanes>(&self, _: L, seen: Seen<'_, L::Real>, into: Accumulators<'_, L::Real>, _: &mut [Lane<L::Real>]) {
        let (turned, dz) = into.record.split_at_mut(self.turned_len());
        turn(seen.x, turned);
        dz.copy_from_slice(seen.dy);
    }

    /// `dx[i] = Σ w[o][i] dz[o]`
    fn input_gradient<L: Lanes>(
        &self,
        l: L,
        own: &[L::Real],
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        let (w, dz) = (&own[..self.weights()], seen.dy);
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

    fn folded(&self) -> Option<(Operation, usize)> {
        let folded = Self { use_bias: true, ..*self };
        Some((Operation::Dense(folded), self.weights() + self.units))
    }

    fn fold(&self, own: &[f32], scale: &[f32], shift: &[f32], folded: &mut [f32]) {
        let (w, b) = own.split_at(self.weights());
        fold(w, b, scale, shift, folded);
    }

    /// The weights of some units each, then all biases, if there are any.
    fn pieces(&self) -> Vec<Range<usize>> {
        let count = self.weights().div_ceil(PIECE);
        let units = self.units.div_ceil(count).next_multiple_of(WHOLE_TILES);
        let weights = pieces(self.weights(), units * self.inputs);
        let bias = self.use_bias.then(|| self.weights()..self.weights() + self.units);
        weights.chain(bias).collect()
    }

    #[inline(always)]
    fn gradient<'a, L: Lanes<Real: 'a>>(
        &self,
        l: L,
        piece: Range<usize>,
        left: Left<impl Iterator<Item = &'a [L::Real]>, impl Iterator<Item = &'a [Lane<L::Real>]> + Clone>,
        gradient: &mut [L::Real],
    ) {
        if piece.start < self.weights() {
            let units = piece.start / self.inputs..piece.end / self.inputs;
            self.weight_gradient(l, left.records, units, gradient);
        } else {
            self.bias_gradient(l, left.records, gradient);
        }
    }
}

/// `struct Dense`; a record is x, then dz.
impl DeviceOperation for Placed {
    const KIND: i32 = 3;
    type Words = [i32; 3];

    fn words(&self, _: usize) -> Result<[i32; 3]> {
        numbers([self.inputs, self.units, usize::from(self.use_bias)])
    }

    fn record_len(&self) -> usize {
        self.inputs.saturating_add(self.units)
    }
}

/// Units that leave no remainder of a register tile.
const WHOLE_TILES: usize = 6;

/// O units, from `o` on; `b` is empty if there is none.
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
        sums[j] = l.splat(b.get(o + j).copied().unwrap_or(L::Real::ZERO));
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

impl Placed {
    fn weights(&self) -> usize {
        self.inputs * self.units
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
    fn weight_gradient<'a, L: Lanes<Real: 'a>>(
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
                        let largest = Largest { wide: [6, 4], narrow: [2, 2] };
                        cover(0..units.len(), block..block + width, largest, &mut kernel);
                    }
                }
            },
        );
    }

    /// `db[o] += Σ dz[o]` over the images of `records`; db: `[O]`.
    fn bias_gradient<'a, L: Lanes<Real: 'a>>(
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
    layout: Placed,
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

impl Reference for Placed {
    fn reference(&self, x: &Tensor, own: &[Tensor]) -> candle_core::Result<Tensor> {
        Linear::new(own[0].clone(), own.get(1).cloned()).forward(&x.flatten_from(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{check_operation, own_gradient};

    #[test]
    fn gradients_agree_with_finite_differences() {
        for (inputs, units) in [(1, 1), (15, 3), (16, 8), (17, 10), (40, 21), (3, 16), (900, 13)] {
            for use_bias in [true, false] {
                let own = (inputs + usize::from(use_bias)) * units;
                let dense = Placed { inputs, units, use_bias };
                check_operation(&format!("{dense:?}"), &dense, inputs, own, units);
            }
        }
    }

    #[test]
    fn all_or_nothing_is_trainable() {
        for trainable in [true, false] {
            let plan = Dense { trainable, ..Dense::new(2) }.plan("dense0", &[3]).unwrap();
            assert!(plan.parameters.len() == 2 && plan.parameters.iter().all(|p| p.trainable == trainable));
        }
    }

    #[test]
    fn no_bias_is_no_parameter() {
        let without = Dense { use_bias: false, ..Dense::new(2) };
        assert_eq!(without.plan("dense0", &[3]).unwrap().parameters.len(), 1);
        let given = Dense { bias_init: Some(Initializer::zeros()), ..without };
        let error = given.plan("dense0", &[3]).unwrap_err();
        assert!(error.message.contains("dense0 has a biasInit, but no bias"), "{error}");
    }

    #[test]
    fn parameter_gradients_add_up_over_records() {
        let tile = |x: f64, dz: [f64; 2]| ([Lane::splat(x)], dz.map(Lane::splat));
        let tiles = [tile(2.0, [9.0, 1.0]), tile(3.0, [9.0, 2.0]), tile(5.0, [0.0, 1.0])];
        let seen: Vec<_> = tiles.iter().map(|(x, dz)| Seen { x, y: &[], dy: dz }).collect();
        let gradient = own_gradient(&Placed { inputs: 1, units: 2, use_bias: true }, 4, &seen);
        assert_eq!(gradient, [16.0 * (18.0 + 27.0), 16.0 * (2.0 + 6.0 + 5.0), 16.0 * 18.0, 16.0 * 4.0]);
    }
}
