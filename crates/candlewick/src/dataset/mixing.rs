//! Which image is mixed with which, and what a mixed one shows.

use super::Dataset;
use crate::augmentations::{Augment, Mixup};
use crate::error::{Code, Error, Result};
use crate::losses::Mix;
use crate::memory;
use crate::random::Chance;

/// The mixup of an epoch.
pub(crate) struct Mixing {
    mixup: Mixup,
    chance: Chance,
    /// The images that others are mixed with, by index, in ascending order: which one it is does not depend on the epoch's order.
    partners: Vec<u32>,
}

impl Mixing {
    /// With any of these `partners`, of a dataset that has them; none where `augment` mixes nothing.
    ///
    /// # Errors
    /// `InvalidArgument` for images that are mixed already, `OutOfMemory`.
    pub fn new(dataset: &Dataset, partners: &[u32], augment: &Augment) -> Result<Option<Self>> {
        let Some((mixup, chance)) = augment.mixup().filter(|_| !partners.is_empty()) else { return Ok(None) };
        if !dataset.mixes.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "these images are mixed already; mix them once"));
        }
        let mut partners = memory::copy(partners)?;
        partners.sort_unstable();
        Ok(Some(Self { mixup, chance, partners }))
    }

    /// Which image the one of this index is mixed with, and the share of the latter.
    pub fn partner(&self, index: u32) -> (u32, f32) {
        let (place, share) = self.mixup.draw(self.chance.words(index as usize, 0), self.partners.len());
        (self.partners[place], share)
    }

    /// The label of a mixed image, which is that of the larger share, and the other.
    pub fn classes(&self, dataset: &Dataset, index: u32) -> (u16, Mix) {
        let (partner, share) = self.partner(index);
        let [label, other] = [index, partner].map(|image| dataset.labels[image as usize]);
        if share < 0.5 {
            return (other, Mix { other: label.into(), share: 1.0 - share });
        }
        (label, Mix { other: other.into(), share })
    }

    /// The targets of a mixed image.
    pub fn targets<'a>(&self, dataset: &'a Dataset, index: u32) -> impl Iterator<Item = f32> + use<'a> {
        let (partner, share) = self.partner(index);
        let [own, others] = [index, partner].map(|image| dataset.targets_of(image));
        let share = f64::from(share);
        own.iter().zip(others).map(move |(own, other)| {
            let mixed = share * f64::from(*own) + (1.0 - share) * f64::from(*other);
            mixed as f32
        })
    }
}
