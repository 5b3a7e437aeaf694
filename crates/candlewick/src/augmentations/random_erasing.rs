//! A part of an image is covered, so that a network learns to tell it by the rest.

use super::settings::{require, require_share};
use super::uniform::{WORDS, between, one_of};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Covers a rectangle of an image, of all its channels, with some probability. Zhong, Zheng, Kang, Li and Yang, Random Erasing Data
/// Augmentation, 2017, as torchvision's `RandomErasing` has it: the area is drawn from its range, height / width from its own, evenly
/// by its logarithm, and where that is too high or too wide for the image, both again, ten times at most; then the image stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RandomErasing {
    /// Of an image to be covered: from 0 to 1, and 0.5 by default.
    pub probability: f64,
    /// The least and the greatest share of the image that is covered, from 0 to 1: by default 0.02 and 0.33.
    pub area: [f64; 2],
    /// The least and the greatest height / width, above 0: by default 0.3 and 3.3.
    pub aspect: [f64; 2],
    /// What is put there: 0 by default.
    pub fill: Fill,
}

/// A byte for all, or `"random"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "fill is neither a byte, 0 to 255, nor \"random\"")]
pub enum Fill {
    /// The same everywhere.
    Byte(u8),
    /// Another byte at each place.
    Drawn(Drawn),
}

/// How bytes are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Drawn {
    /// All bytes alike.
    Random,
}

impl Default for RandomErasing {
    fn default() -> Self {
        Self { probability: 0.5, area: [0.02, 0.33], aspect: [0.3, 3.3], fill: Fill::Byte(0) }
    }
}

/// Rectangles that are drawn at most, each of a block of four words; block 0 says whether any is.
const TRIES: usize = 10;

impl RandomErasing {
    /// As [`super::Augmentation::check`].
    pub(super) fn check(self) -> Result<()> {
        let Self { probability, area, aspect, .. } = self;
        require_share("randomErasing's probability", probability)?;
        let are_shares = 0.0 <= area[0] && area[0] <= area[1] && area[1] <= 1.0;
        require(are_shares, "randomErasing's area", area, "the least and the greatest share, both from 0 to 1")?;
        let are_ratios = 0.0 < aspect[0] && aspect[0] <= aspect[1] && aspect[1].is_finite();
        require(are_ratios, "randomErasing's aspect", aspect, "the least and the greatest height / width, both above 0")
    }

    /// As [`super::Augmentation::apply`].
    pub(super) fn apply(self, image: &mut [u8], shape: [usize; 3], words: impl Fn(usize) -> [u32; 4]) {
        if f64::from(words(0)[0]) >= self.probability * WORDS {
            return;
        }
        let [_, height, width] = shape;
        let Some([rows, columns]) = (1..=TRIES).find_map(|block| self.rectangle(shape, words(block))) else { return };
        let mut drawn = (TRIES + 1..).map(|block| words(block).map(u32::to_le_bytes));
        for channel in image.chunks_exact_mut(height * width) {
            for row in channel[rows.start * width..rows.end * width].chunks_exact_mut(width) {
                let covered = &mut row[columns.clone()];
                match self.fill {
                    Fill::Byte(byte) => covered.fill(byte),
                    Fill::Drawn(Drawn::Random) => {
                        for (piece, bytes) in covered.chunks_mut(16).zip(&mut drawn) {
                            piece.copy_from_slice(&bytes.as_flattened()[..piece.len()]);
                        }
                    }
                }
            }
        }
    }

    /// Rows and columns, of an image that has more of both.
    fn rectangle(self, [_, height, width]: [usize; 3], words: [u32; 4]) -> Option<[Range<usize>; 2]> {
        let area = between(words[0], self.area) * (height * width) as f64;
        let aspect = libm::exp(between(words[1], self.aspect.map(libm::log)));
        let [rows, columns] = [area * aspect, area / aspect].map(|square| square.sqrt().round_ties_even() as usize);
        let place = |word, covered, all| {
            let first = one_of(word, all - covered + 1);
            first..first + covered
        };
        (rows < height && columns < width).then(|| [place(words[2], rows, height), place(words[3], columns, width)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Chance;

    const SHAPE: [usize; 3] = [2, 20, 30];

    fn words(index: usize) -> impl Fn(usize) -> [u32; 4] {
        move |block| Chance { seed: 1, step: 1, place: 0 }.words(index, block)
    }

    /// What becomes of an image of ones.
    fn erased(erasing: RandomErasing, index: usize) -> Vec<u8> {
        let mut image = vec![1; SHAPE.iter().product()];
        erasing.apply(&mut image, SHAPE, words(index));
        image
    }

    /// Rows and columns in which a channel is not 1, if they are those of a rectangle.
    fn hole(channel: &[u8]) -> [Range<usize>; 2] {
        let [_, height, width] = SHAPE;
        let is_covered = |row: usize, column: usize| channel[row * width + column] != 1;
        let rows: Vec<_> = (0..height).filter(|row| (0..width).any(|column| is_covered(*row, column))).collect();
        let columns: Vec<_> = (0..width).filter(|column| (0..height).any(|row| is_covered(row, *column))).collect();
        let [rows, columns] = [rows, columns].map(|all| all[0]..all[all.len() - 1] + 1);
        assert!(rows.clone().all(|row| columns.clone().all(|column| is_covered(row, column))));
        [rows, columns]
    }

    #[test]
    fn rectangles_have_areas_and_aspects_of_their_ranges_and_lie_anywhere() {
        let erasing = RandomErasing { probability: 1.0, ..RandomErasing::default() };
        let [mut areas, mut aspects, mut tops, mut lefts] = [const { Vec::new() }; 4];
        for index in 0..1000 {
            let image = erased(erasing, index);
            let [first, second] = [0, 1].map(|channel| hole(&image[channel * 600..][..600]));
            assert_eq!(first, second, "all channels are covered alike");
            let [rows, columns] = first;
            areas.push((rows.len() * columns.len()) as f64 / 600.0);
            aspects.push(rows.len() as f64 / columns.len() as f64);
            tops.push(rows.start as f64 / (20 - rows.len()) as f64);
            lefts.push(columns.start as f64 / (30 - columns.len()) as f64);
        }
        // Sides are whole numbers, and so areas and aspects a little beyond the ends.
        for (name, mut values, ends, median) in [
            ("area", areas, [0.01..0.03, 0.3..0.36], 0.15..0.19),
            ("aspect", aspects, [0.25..0.35, 2.5..3.8], 0.9..1.1),
            ("top", tops, [0.0..0.01, 1.0..1.01], 0.45..0.55),
            ("left", lefts, [0.0..0.01, 1.0..1.01], 0.45..0.55),
        ] {
            values.sort_by(f64::total_cmp);
            let found = [values[0], values[999]];
            assert!(ends[0].contains(&found[0]) && ends[1].contains(&found[1]), "{name}: {found:?}");
            assert!(median.contains(&values[500]), "{name}: {}", values[500]);
        }
    }

    #[test]
    fn as_many_are_covered_as_the_probability_says() {
        let share = |probability| {
            let erasing = RandomErasing { probability, ..RandomErasing::default() };
            (0..1000).filter(|index| erased(erasing, *index).contains(&0)).count()
        };
        assert_eq!((share(0.0), share(1.0)), (0, 1000));
        assert!((220..280).contains(&share(0.25)), "{}", share(0.25));
        let mut image = vec![1; SHAPE.iter().product()];
        RandomErasing { probability: 0.0, ..RandomErasing::default() }.apply(&mut image, SHAPE, |_| [0; 4]);
        assert!(!image.contains(&0), "no word is below none");
    }

    #[test]
    fn a_byte_or_random_ones_are_put_there() {
        let sure = RandomErasing { probability: 1.0, area: [0.3, 0.3], aspect: [0.5, 0.5], ..RandomErasing::default() };
        let image = erased(RandomErasing { fill: Fill::Byte(200), ..sure }, 3);
        assert!(image.iter().all(|pixel| [1, 200].contains(pixel)) && image.contains(&200));
        let random = erased(RandomErasing { fill: Fill::Drawn(Drawn::Random), ..sure }, 3);
        let covered = |image: &[u8]| (0..1200).filter(|at| image[*at] != 1).collect::<Vec<_>>();
        let places = covered(&image);
        assert!(covered(&random).len() > places.len() - 10, "one of 256 bytes is 1");
        // Sixteen bytes of a row take a block of words, and the rest of the row another.
        let [_, columns] = hole(&image[..600]);
        let pieces = columns.len().div_ceil(16);
        let byte = |place: usize| {
            let (row, column) = (place / columns.len(), place % columns.len());
            let block = words(3)(TRIES + 1 + row * pieces + column / 16);
            block.map(u32::to_le_bytes).as_flattened()[column % 16]
        };
        assert!(places.into_iter().enumerate().all(|(place, at)| random[at] == byte(place)));
    }

    /// Words by hand: the rectangle is 10 x 10 where the first try is not too high.
    #[test]
    fn what_does_not_fit_is_drawn_again_ten_times_at_most() {
        let erasing = RandomErasing { probability: 1.0, area: [1.0 / 6.0, 1.0], ..RandomErasing::default() };
        let covered = |fitting| {
            let words = |block| if block == fitting { [0, 1 << 31, 0, 0] } else { [u32::MAX; 4] };
            let mut image = vec![1; SHAPE.iter().product()];
            erasing.apply(&mut image, SHAPE, |block| if block == 0 { [0; 4] } else { words(block) });
            image.contains(&0).then(|| hole(&image[..600]))
        };
        assert_eq!(covered(1), Some([0..10, 0..10]));
        assert_eq!(covered(10), Some([0..10, 0..10]));
        assert_eq!(covered(11), None);
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let usual = RandomErasing::default();
        assert_eq!(usual.check(), Ok(()));
        assert_eq!(RandomErasing { area: [0.0, 1.0], aspect: [1.0, 1.0], ..usual }.check(), Ok(()));
        for (erasing, named) in [
            (RandomErasing { probability: 1.1, ..usual }, "probability is 1.1; it must be from 0 to 1"),
            (RandomErasing { area: [0.3, 0.1], ..usual }, "area is [0.3, 0.1]; it must be the least and the greatest"),
            (RandomErasing { area: [-0.1, 0.1], ..usual }, "area is [-0.1, 0.1]"),
            (RandomErasing { area: [0.1, 1.1], ..usual }, "area is [0.1, 1.1]"),
            (RandomErasing { area: [f64::NAN, 1.0], ..usual }, "area is [NaN, 1.0]"),
            (
                RandomErasing { aspect: [0.0, 1.0], ..usual },
                "aspect is [0.0, 1.0]; it must be the least and the greatest",
            ),
            (RandomErasing { aspect: [2.0, 1.0], ..usual }, "aspect is [2.0, 1.0]"),
            (RandomErasing { aspect: [1.0, f64::INFINITY], ..usual }, "aspect is [1.0, inf]"),
        ] {
            let error = erasing.check().unwrap_err().message;
            assert!(error.starts_with(&format!("randomErasing's {named}")), "{error}");
        }
    }

    #[test]
    fn settings_are_torchvisions_unless_given() {
        let read = |text| serde_json::from_str::<RandomErasing>(text).map_err(|error| error.to_string());
        assert_eq!(read("{}"), Ok(RandomErasing::default()));
        let random = RandomErasing { fill: Fill::Drawn(Drawn::Random), ..RandomErasing::default() };
        assert_eq!(read(r#"{"fill":"random"}"#), Ok(random));
        assert!(read(r#"{"fill":256}"#).unwrap_err().starts_with("fill is neither a byte, 0 to 255, nor \"random\""));
    }
}
