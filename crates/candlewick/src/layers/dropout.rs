//! Dropout: in training, each value is 0 with probability rate, and else 1 / (1 - rate) times as large, as in PyTorch; in answers
//! there is nothing to do.
//!
//! Which values, say the words of [`Chance`], one a value: below rate · 2³², it is dropped.

use super::device::DeviceOperation;
use super::operation::{Batch, LaneOperation, Needs, Seen};
use super::plan::{Arithmetic, Describe, Plan};
use super::{Operation, Reference};
use crate::error::{Code, Error, Result};
use crate::kernels::number;
use crate::random::Chance;
use crate::simd::{Lane, Lanes, Real};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// Dropout, as its user writes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dropout {
    /// Probability of a value to become 0, from 0 to below 1.
    pub rate: f64,
}

impl Dropout {
    /// Usual ones, and one that leaves all.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        [0.5, 0.1, 0.0].into_iter().map(|rate| Self { rate })
    }
}

impl Describe for Dropout {
    fn prefix(&self) -> &'static str {
        "dropout"
    }

    fn plan(&self, name: &str, input: &[usize]) -> Result<Plan> {
        let Self { rate } = *self;
        if !(0.0..1.0).contains(&rate) {
            let message = format!("{name} has a rate of {rate}; it must be at least 0 and below 1");
            return Err(Error::new(Code::InvalidArgument, message));
        }
        Ok(Plan {
            output: input.to_vec(),
            parameters: Vec::new(),
            arithmetic: Arithmetic::Operation(Operation::Dropout(Placed { len: input.iter().product(), rate })),
            activation: None,
        })
    }
}

/// The layer in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Values.
    pub len: usize,
    /// As its user wrote it.
    pub rate: f64,
}

impl Placed {
    /// The least word of a value that stays.
    fn least(&self) -> u32 {
        (self.rate * 2f64.powi(32)).round() as u32
    }

    /// What values that stay are multiplied with.
    fn scale(&self) -> f64 {
        1.0 / (1.0 - self.rate)
    }

    /// `to` = `from` with each value scaled or 0.
    #[inline(always)]
    fn mask<L: Lanes>(&self, l: L, batch: Batch<'_, L::Real>, from: &[Lane<L::Real>], to: &mut [Lane<L::Real>]) {
        let (least, scale) = (self.least(), L::Real::from_f64(self.scale()));
        for (block, (from, to)) in from.chunks(4).zip(to.chunks_mut(4)).enumerate() {
            let words = batch.chance.of_tile(batch.first, block);
            for ((from, to), words) in from.iter().zip(to).zip(words) {
                let mut factors = Lane::zero();
                for (factor, word) in factors.0.iter_mut().zip(words) {
                    *factor = if word < least { L::Real::ZERO } else { scale };
                }
                l.store(l.mul(l.load(from), l.load(&factors)), to);
            }
        }
    }
}

/// x and y: `[len]`; nothing happens but in training.
impl LaneOperation for Placed {
    fn needs(&self) -> Needs {
        Needs { only_in_training: true, ..Needs::default() }
    }

    fn forward<L: Lanes>(
        &self,
        _: L,
        _: &[L::Real],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        y.copy_from_slice(x);
    }

    fn forward_in_training<L: Lanes>(
        &self,
        l: L,
        _: &[L::Real],
        batch: Batch<'_, L::Real>,
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        l.run(
            #[inline(always)]
            || self.mask(l, batch, x, y),
        );
    }

    fn input_gradient<L: Lanes>(
        &self,
        _: L,
        _: &[L::Real],
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        dx.copy_from_slice(seen.dy);
    }

    fn input_gradient_in_training<L: Lanes>(
        &self,
        l: L,
        _: &[L::Real],
        batch: Batch<'_, L::Real>,
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        l.run(
            #[inline(always)]
            || self.mask(l, batch, seen.dy, dx),
        );
    }
}

/// `struct Dropout`
impl DeviceOperation for Placed {
    const KIND: i32 = 7;
    type Words = [i32; 3];

    fn words(&self, _: usize) -> Result<[i32; 3]> {
        Ok([number(self.len)?, self.least() as i32, (self.scale() as f32).to_bits() as i32])
    }
}

impl Reference for Placed {
    fn reference(&self, x: &Tensor, _: &[Tensor]) -> candle_core::Result<Tensor> {
        Ok(x.clone())
    }

    fn reference_in_training(
        &self,
        x: &Tensor,
        _: &[Tensor],
        chance: Chance,
    ) -> candle_core::Result<(Tensor, Vec<(usize, Tensor)>)> {
        let (images, len) = (x.dim(0)?, x.elem_count() / x.dim(0)?);
        let words = (0..images)
            .flat_map(|image| (0..len.div_ceil(4)).flat_map(move |block| chance.words(image, block)).take(len));
        let factors: Vec<f64> = words.map(|word| if word < self.least() { 0.0 } else { self.scale() }).collect();
        let factors = Tensor::from_vec(factors, x.shape(), x.device())?.to_dtype(x.dtype())?;
        Ok(((x * factors)?, Vec::new()))
    }

    /// The factors, in float64 as well.
    fn values_on_the_way(&self) -> usize {
        self.len.saturating_mul(3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::{Numbers, check_operation, flat};
    use crate::simd::{Float64, LANES};
    use candle_core::Device;

    const CHANCE: Chance = Chance { seed: 3, step: 5, place: 2 };

    /// The images `first` to `first + 15` of ones in training, and the gradient by them of ones.
    fn train(layer: Placed, chance: Chance, first: usize) -> [Vec<Lane<f64>>; 2] {
        let batch = Batch { numbers: &[], first, live: LANES, chance };
        let ones = vec![Lane::splat(1.0); layer.len];
        let (mut y, mut dx) = (vec![Lane::splat(f64::NAN); layer.len], vec![Lane::splat(f64::NAN); layer.len]);
        layer.forward_in_training(Float64, &[], batch, &ones, &mut y, &mut []);
        let seen = Seen { x: &[], y: &[], dy: &ones };
        layer.input_gradient_in_training(Float64, &[], batch, seen, &mut dx, &mut []);
        [y, dx]
    }

    #[test]
    fn answers_are_left_alone() {
        let layer = Placed { len: 7, rate: 0.5 };
        check_operation("dropout", &layer, 7, 0, 7);
        let x = Numbers::new().lanes(7);
        let mut y = vec![Lane::zero(); 7];
        layer.forward(Float64, &[], &x, &mut y, &mut []);
        assert_eq!(y, x);
    }

    #[test]
    fn so_many_values_become_0_and_the_others_make_up_for_them() {
        for rate in [0.0, 0.1, 0.5, 0.9] {
            let layer = Placed { len: 1001, rate };
            let [y, dx] = train(layer, CHANCE, 0);
            assert_eq!(y, dx, "the gradient goes the same way");
            let y = flat(&y);
            let dropped = y.iter().filter(|y| **y == 0.0).count() as f64 / y.len() as f64;
            assert!((dropped - rate).abs() < 0.02, "{dropped} instead of {rate}");
            assert!(y.iter().all(|y| [0.0, 1.0 / (1.0 - rate)].contains(y)));
        }
    }

    #[test]
    fn which_values_follows_from_their_places_alone() {
        let layer = Placed { len: 9, rate: 0.5 };
        let values = |chance, first| train(layer, chance, first)[0].clone();
        let all = values(CHANCE, 0);
        assert_eq!(all, values(CHANCE, 0));
        let next = values(CHANCE, LANES);
        for other in [
            next,
            values(Chance { seed: 4, ..CHANCE }, 0),
            values(Chance { step: 6, ..CHANCE }, 0),
            values(Chance { place: 3, ..CHANCE }, 0),
        ] {
            assert_ne!(all, other);
        }
        for (later, first) in values(CHANCE, 3).iter().zip(&all) {
            assert_eq!(later.0[..13], first.0[3..], "image by image, wherever a tile begins");
        }
    }

    #[test]
    fn candle_drops_the_same_values() {
        let layer = Placed { len: 6, rate: 0.3 };
        let ones = Tensor::ones((LANES, 2, 3), candle_core::DType::F64, &Device::Cpu).unwrap();
        let (y, _) = layer.reference_in_training(&ones, &[], CHANCE).unwrap();
        let y = y.flatten_from(1).unwrap().to_vec2::<f64>().unwrap();
        for (i, lanes) in train(layer, CHANCE, 0)[0].iter().enumerate() {
            for (image, y) in y.iter().enumerate() {
                assert_eq!(y[i], lanes.0[image]);
            }
        }
    }

    #[test]
    fn a_rate_is_a_probability_below_1() {
        for rate in [-0.1, 1.0, f64::NAN] {
            let error = Dropout { rate }.plan("dropout0", &[3]).unwrap_err();
            assert!(
                error.message.contains(&format!("dropout0 has a rate of {rate}; it must be at least 0")),
                "{error}"
            );
        }
        let most = Placed { len: 1, rate: 1.0 - f64::EPSILON };
        assert_eq!(most.least(), u32::MAX);
    }
}
