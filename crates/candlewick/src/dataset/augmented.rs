//! The images of a training, changed at random.

use super::pixels::Pixels;
use super::{Dataset, Mixing, new_id};
use crate::augmentations::{Augment, Mixup};
use crate::engine::{Images, Training, pool};
use crate::error::{Code, Error, Result};
use crate::memory::{self, show_bytes};
use crate::shape::show;
use crate::simd::LANES;
use rayon::prelude::*;

impl Dataset {
    /// The images that `order` names, in this order, each changed as `augment` says, with their labels and targets, as a dataset of
    /// their own. An image becomes the same wherever it stands in the order, on any number of `threads`; all processors for `None`.
    /// Where they are mixed, it is with any of `partners`.
    ///
    /// # Errors
    /// `InvalidArgument` for an image that is not there, settings that make no sense for these images, or no threads;
    /// `DataMismatch` for images of float32; `OutOfMemory`.
    pub fn augmented(
        &self,
        order: &[u32],
        augment: &Augment,
        partners: &[u32],
        threads: Option<usize>,
    ) -> Result<Self> {
        let (shape, target_len, count) = (self.shape, self.target_len, order.len());
        let too_many = |_| too_many(count, shape);
        let mut pixels = memory::zeros(count.saturating_mul(self.image_len())).map_err(too_many)?;
        self.augment_into(order, augment, partners, threads, &mut pixels)?;
        let mixing = Mixing::new(self, partners, augment)?;
        let classes = mixing.as_ref().filter(|_| !self.labels.is_empty());
        let (labels, mixes) = match classes.map(|mixing| order.iter().map(|index| mixing.classes(self, *index))) {
            Some(classes) => {
                (memory::collect(classes.clone().map(|(label, _)| label)), memory::collect(classes.map(|(_, mix)| mix)))
            }
            None => (rows(&self.labels, 1, order), rows(&self.mixes, 1, order)),
        };
        let (labels, mixes) = (labels.map_err(too_many)?, mixes.map_err(too_many)?);
        let mut targets = rows(&self.targets, target_len, order).map_err(too_many)?;
        if let Some(mixing) = mixing.filter(|_| target_len > 0) {
            for (row, index) in targets.chunks_exact_mut(target_len).zip(order) {
                row.iter_mut().zip(mixing.targets(self, *index)).for_each(|(to, target)| *to = target);
            }
        }
        Ok(Self { id: new_id(), shape, count, pixels: Pixels::Bytes(pixels), labels, mixes, targets, target_len })
    }

    /// The same images, pixels alone, to `into`, which has as many as they need; mixed with any of `partners`, if at all.
    ///
    /// # Errors
    /// As for [`Self::augmented`].
    pub fn augment_into(
        &self,
        order: &[u32],
        augment: &Augment,
        partners: &[u32],
        threads: Option<usize>,
        into: &mut [u8],
    ) -> Result<()> {
        order.iter().chain(partners).try_for_each(|index| self.check_index(*index))?;
        augment.check(self.shape)?;
        self.check_bytes()?;
        let mixing = Mixing::new(self, partners, augment)?;
        let mut room = memory::zeros(self.room(order.len()))?;
        pool::lease(pool::check(threads)?)?.install(|| self.change(order, augment, mixing.as_ref(), into, &mut room));
        Ok(())
    }

    /// By the threads that this is called on, in as much `room` as [`Self::room`] says.
    fn change(&self, order: &[u32], augment: &Augment, mixing: Option<&Mixing>, into: &mut [u8], room: &mut [u8]) {
        let (len, pixels) = (self.image_len(), self.pixels());
        let make = |image: &mut [u8], index: u32| {
            image.copy_from_slice(&pixels[index as usize * len..][..len]);
            augment.apply(image, self.shape, index);
        };
        let pieces = into.par_chunks_mut(LANES * len).zip(order.par_chunks(LANES)).zip(room.par_chunks_exact_mut(len));
        pieces.for_each(|((images, order), other)| {
            for (image, index) in images.chunks_exact_mut(len).zip(order) {
                make(image, *index);
                if let Some((partner, share)) = mixing.map(|mixing| mixing.partner(*index)) {
                    make(other, partner);
                    Mixup::mix(image, other, share);
                }
            }
        });
    }

    /// An image's pixels for each piece of so many images that are changed: of those that others are mixed with, one at a time.
    fn room(&self, images: usize) -> usize {
        images.div_ceil(LANES).saturating_mul(self.image_len())
    }
}

/// The images of one batch after the other, changed in memory that the next batch's take over, where they are changed at all.
pub struct Augmented<'a> {
    augment: Option<&'a Augment>,
    mixing: Option<Mixing>,
    pixels: Vec<u8>,
    room: Vec<u8>,
}

impl<'a> Augmented<'a> {
    /// Room for batches of up to so many images of a training, which was checked.
    ///
    /// # Errors
    /// `InvalidArgument` for images that are mixed already, `OutOfMemory`.
    pub fn with_room(training: &Training<'a>, images: usize) -> Result<Self> {
        let Training { dataset, augment, partners, .. } = *training;
        let Some(augment) = augment else {
            return Ok(Self { augment, mixing: None, pixels: Vec::new(), room: Vec::new() });
        };
        Ok(Self {
            augment: Some(augment),
            mixing: Mixing::new(dataset, partners, augment)?,
            pixels: memory::zeros(images.saturating_mul(dataset.image_len()))?,
            room: memory::zeros(dataset.room(images))?,
        })
    }

    /// How they are mixed, if they are.
    pub fn mixing(&self) -> Option<&Mixing> {
        self.mixing.as_ref()
    }

    /// Those that `indices` names, no more of them than there is room for; made by the threads that this is called on.
    pub fn images<'b>(&'b mut self, dataset: &'b Dataset, indices: &'b [u32]) -> Images<'b> {
        let Some(augment) = self.augment else { return dataset.images(indices) };
        let pixels = &mut self.pixels[..indices.len() * dataset.image_len()];
        dataset.change(indices, augment, self.mixing.as_ref(), pixels, &mut self.room);
        Images::Bytes(pixels)
    }
}

/// Copies of the rows of length `len` that `order` names; none where there are none.
fn rows<T: Copy>(values: &[T], len: usize, order: &[u32]) -> Result<Vec<T>> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut all = memory::room(order.len().saturating_mul(len))?;
    order.iter().for_each(|&index| all.extend_from_slice(&values[index as usize * len..][..len]));
    Ok(all)
}

fn too_many(count: usize, shape: [usize; 3]) -> Error {
    let size = shape.iter().fold(count, |n, d| n.saturating_mul(*d));
    let message = format!(
        "an epoch of {count} augmented images of shape {} needs {} beside the images themselves, more memory than there is; \
         train on fewer, or without augmentations",
        show(&shape),
        show_bytes(size)
    );
    Error::new(Code::OutOfMemory, message)
}

#[cfg(test)]
mod tests {
    use super::super::DatasetBuilder;
    use super::*;
    use crate::augmentations::{Augmentation, Mixup, RandomFlip, RandomShift};
    use crate::losses::Mix;
    use std::collections::HashMap;

    const SHAPE: [usize; 3] = [3, 4, 5];
    const LEN: usize = 60;
    const FLIP: Augmentation = Augmentation::RandomFlip(RandomFlip {});
    const SHIFT: Augmentation = Augmentation::RandomShift(RandomShift { pixels: 1 });
    const ALL: [Augmentation; Augmentation::EXAMPLES.len()] = Augmentation::EXAMPLES;

    /// Images without a pixel of 0, each with its own number in its label and its targets.
    fn dataset(count: usize) -> Dataset {
        let mut builder = DatasetBuilder::new(count, SHAPE).unwrap().with_targets(2).unwrap();
        builder.push_pixels(&(0..count * LEN).map(|i| (i * i % 251 + 1) as u8).collect::<Vec<_>>()).unwrap();
        builder.push_labels(&(0..count).map(|i| i as u16).collect::<Vec<_>>()).unwrap();
        builder.push_targets(&(0..2 * count).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
        builder.finish().unwrap()
    }

    fn augment(augmentations: &[Augmentation]) -> Augment {
        Augment { augmentations: augmentations.to_vec(), seed: 7, epoch: 1 }
    }

    fn image(dataset: &Dataset, place: usize) -> &[u8] {
        &dataset.pixels()[place * LEN..][..LEN]
    }

    fn in_order(count: usize) -> Vec<u32> {
        (0..count as u32).collect()
    }

    /// Pixel by pixel: mirrored or not, and then moved.
    fn changed(image: &[u8], is_mirrored: bool, down: isize, right: isize) -> Vec<u8> {
        let [_, height, width] = SHAPE.map(|size| size as isize);
        let pixel = |at: usize| {
            let (channel, row, column) = (at as isize / 20, at as isize / 5 % 4 - down, at as isize % 5 - right);
            let is_inside = (0..height).contains(&row) && (0..width).contains(&column);
            let column = if is_mirrored { width - 1 - column } else { column };
            if is_inside { image[(channel * 20 + row * 5 + column) as usize] } else { 0 }
        };
        (0..LEN).map(pixel).collect()
    }

    #[test]
    fn every_image_is_flipped_and_shifted_in_one_of_the_possible_ways() {
        let (count, dataset) = (2000, dataset(2000));
        let augmented = dataset.augmented(&in_order(count), &augment(&[FLIP, SHIFT]), &in_order(count), None).unwrap();
        let mut seen = HashMap::new();
        for place in 0..count {
            let ways = [false, true].into_iter().flat_map(|is_mirrored| {
                (-1..=1).flat_map(move |down| (-1..=1).map(move |right| (is_mirrored, down, right)))
            });
            let found: Vec<_> = ways
                .filter(|(is_mirrored, down, right)| {
                    changed(image(&dataset, place), *is_mirrored, *down, *right) == image(&augmented, place)
                })
                .collect();
            assert_eq!(found.len(), 1, "image {place}: {found:?}");
            *seen.entry(found[0]).or_insert(0) += 1;
        }
        // A way has mean 111 and deviation 10; the seed decides, so that this holds always or never.
        assert_eq!(seen.len(), 18);
        assert!(seen.values().all(|times| (75..=150).contains(times)), "{seen:?}");
        let mirrored: i32 = seen.iter().filter(|((is_mirrored, ..), _)| *is_mirrored).map(|(_, times)| times).sum();
        assert!((920..=1080).contains(&mirrored), "{mirrored} of 2000");
    }

    #[test]
    fn labels_and_targets_follow_their_images_in_any_order() {
        let dataset = dataset(40);
        let whole = dataset.augmented(&in_order(40), &augment(&[FLIP, SHIFT]), &in_order(40), Some(1)).unwrap();
        let order = [39, 0, 17, 17, 5];
        let part = dataset.augmented(&order, &augment(&[FLIP, SHIFT]), &order, Some(1)).unwrap();
        assert_eq!((part.len(), part.shape(), part.target_len()), (5, SHAPE, 2));
        for (place, index) in order.into_iter().enumerate() {
            assert_eq!(image(&part, place), image(&whole, index as usize));
            assert_eq!(part.labels()[place], index as u16);
            assert_eq!(part.targets_of(place as u32), dataset.targets_of(index));
        }
        assert!(part.id() > whole.id() && whole.id() > dataset.id(), "a GPU would take one's copy for another's");
        let none = dataset.augmented(&order, &augment(&[]), &order, None).unwrap();
        assert!((0..5).all(|place| image(&none, place) == image(&dataset, order[place] as usize)));
    }

    #[test]
    fn a_dataset_of_labels_or_of_targets_alone_stays_one() {
        let mut builder = DatasetBuilder::new(2, [1, 2, 2]).unwrap();
        builder.push_pixels(&[1; 8]).unwrap();
        builder.push_labels(&[3, 9]).unwrap();
        let labels = builder.finish().unwrap().augmented(&[1], &augment(&[SHIFT]), &[1], None).unwrap();
        assert_eq!((labels.labels(), labels.targets(), labels.target_len()), (&[9][..], &[][..], 0));
        let mut builder = DatasetBuilder::new(2, [1, 2, 2]).unwrap().with_targets(1).unwrap();
        builder.push_pixels(&[1; 8]).unwrap();
        builder.push_targets(&[0.5, 2.5]).unwrap();
        let targets = builder.finish().unwrap().augmented(&[1], &augment(&[SHIFT]), &[1], None).unwrap();
        assert_eq!((targets.labels(), targets.targets(), targets.target_len()), (&[][..], &[2.5][..], 1));
    }

    #[test]
    fn seed_epoch_index_and_place_in_the_list_decide_and_threads_do_not() {
        let (dataset, order) = (dataset(300), in_order(300));
        let made = |augment: &Augment, threads| {
            dataset.augmented(&order, augment, &order, Some(threads)).unwrap().pixels().to_vec()
        };
        let plain = augment(&[SHIFT, SHIFT]);
        let expected = made(&plain, 1);
        for threads in [1, 2, 3, 8] {
            assert_eq!(made(&plain, threads), expected, "{threads} threads");
            assert_eq!(made(&augment(&ALL), threads), made(&augment(&ALL), 1), "{threads} threads");
        }
        let other = |changed: Augment| assert_ne!(made(&changed, 2), expected);
        other(Augment { seed: 8, ..plain.clone() });
        other(Augment { seed: 7 + (1 << 32), ..plain.clone() });
        other(Augment { epoch: 2, ..plain.clone() });
        // Two shifts that were always alike would move an image by even numbers alone.
        let shift = |down, right| changed(image(&dataset, 0), false, down, right);
        let twice = |index: u32| {
            let mut pixels = image(&dataset, 0).to_vec();
            plain.apply(&mut pixels, SHAPE, index);
            pixels
        };
        assert!((0..300).any(|index| twice(index) == shift(1, 0)), "places in the list draw for themselves");
    }

    const MIXUP: Augmentation = Augmentation::Mixup(Mixup { alpha: 0.7 });

    /// Each is what its draw says, of two that the augmentations before have changed, and so are its classes and targets.
    #[test]
    fn images_are_mixed_two_and_two() {
        let (dataset, order) = (dataset(200), in_order(200));
        let changed = dataset.augmented(&order, &augment(&[FLIP, SHIFT]), &order, None).unwrap();
        let mixed = dataset.augmented(&order, &augment(&[FLIP, SHIFT, MIXUP]), &order, None).unwrap();
        let mixing = Mixing::new(&dataset, &order, &augment(&[FLIP, SHIFT, MIXUP])).unwrap().unwrap();
        let mut partners = HashMap::new();
        for place in 0..200 {
            let (partner, share) = mixing.partner(place);
            *partners.entry(partner).or_insert(0) += 1;
            let mut expected = image(&changed, place as usize).to_vec();
            Mixup::mix(&mut expected, image(&changed, partner as usize), share);
            assert_eq!(image(&mixed, place as usize), expected);
            let (label, Mix { other, share: larger }) = (mixed.labels()[place as usize], mixed.mixes()[place as usize]);
            let classes = if share < 0.5 { [partner, place] } else { [place, partner] };
            assert_eq!(([u32::from(label), other], larger), (classes, share.max(1.0 - share)));
            let mean = |a: f32, b: f32| share * a + (1.0 - share) * b;
            let [own, others] = [place, partner].map(|image| dataset.targets_of(image));
            for (k, found) in mixed.targets_of(place).iter().enumerate() {
                assert!((found - mean(own[k], others[k])).abs() < 1e-4, "{found}");
            }
        }
        assert!(partners.len() > 100 && partners.values().all(|times| *times < 9), "{partners:?}");
    }

    #[test]
    fn an_image_is_mixed_alike_wherever_it_and_the_others_stand() {
        let (dataset, plain, augment) = (dataset(50), augment(&[FLIP]), augment(&[FLIP, MIXUP]));
        let order: Vec<u32> = (0..50).map(|i| i * 7 % 50).collect();
        let [whole, turned] =
            [&in_order(50), &order].map(|order| dataset.augmented(order, &augment, order, None).unwrap());
        for (place, index) in order.iter().map(|index| *index as usize).enumerate() {
            assert_eq!(image(&turned, place), image(&whole, index));
            let shown = |dataset: &Dataset, at| (dataset.labels()[at], dataset.mixes()[at], dataset.targets()[2 * at]);
            assert_eq!(shown(&turned, place), shown(&whole, index));
        }
        let mut few = vec![0; 3 * LEN];
        dataset.augment_into(&[3, 20, 7], &augment, &order, Some(1), &mut few).unwrap();
        assert_eq!(few, [3, 20, 7].map(|index| image(&whole, index)).concat());
        let among = |order: &[u32]| dataset.augmented(order, &augment, order, None).unwrap();
        let mixed = among(&[4, 9]);
        assert!(mixed.mixes().iter().all(|mix| [4, 9].contains(&mix.other)), "with no image that is not trained on");
        assert_eq!(image(&among(&[4]), 0), image(&dataset.augmented(&[4], &plain, &[4], None).unwrap(), 0));
    }

    #[test]
    fn what_is_mixed_is_not_mixed_again() {
        let mixed = dataset(4).augmented(&in_order(4), &augment(&[MIXUP]), &in_order(4), None).unwrap();
        let error = mixed.augmented(&in_order(4), &augment(&[MIXUP]), &in_order(4), None).unwrap_err();
        assert_eq!(error.message, "these images are mixed already; mix them once");
        let turned = mixed.augmented(&[2, 0], &augment(&[FLIP]), &[2, 0], None).unwrap();
        assert_eq!(turned.mixes(), [2, 0].map(|index: usize| mixed.mixes()[index]));
    }

    #[test]
    fn images_that_are_not_there_and_settings_without_sense_are_refused() {
        let dataset = dataset(4);
        let refused = |order: &[u32], augmentation, threads| {
            let error = dataset.augmented(order, &augment(&[augmentation]), order, threads).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            error.message
        };
        let mut into = vec![0; LEN];
        let error = dataset.augment_into(&[0], &augment(&[FLIP]), &[5], None, &mut into).unwrap_err();
        assert!(error.message.starts_with("image 5 was asked for"), "{error}");
        assert_eq!(refused(&[0, 4], FLIP, None), "image 4 was asked for, but there are 4; use 0 to 3");
        let far = Augmentation::RandomShift(RandomShift { pixels: 4 });
        assert!(refused(&[0], far, None).contains("4 rows and 5 columns; use at most 3"));
        assert!(refused(&[0], FLIP, Some(0)).contains("threads is 0"));
    }

    #[test]
    fn more_than_memory_is_an_error() {
        let mut builder = DatasetBuilder::new(1, [1, 1 << 12, 1 << 12]).unwrap();
        builder.push_pixels(&vec![1; 1 << 24]).unwrap();
        builder.push_labels(&[1]).unwrap();
        let dataset = builder.finish().unwrap();
        let error = dataset.augmented(&vec![0; 1 << 24], &augment(&[FLIP]), &[], None).unwrap_err();
        assert_eq!(error.code, Code::OutOfMemory);
        assert!(
            error.message.contains("16777216 augmented images of shape (1, 4096, 4096) needs 256.0 TiB"),
            "{error}"
        );
    }
}
