//! What an image shows is a little higher or lower, to the left or to the right: where it stands says nothing about what it is.

use super::uniform::one_of;
use crate::error::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// Moves an image by a whole number of rows and one of columns, all from -pixels to pixels alike; zeros come in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomShift {
    /// The most rows, and the most columns; fewer than an image has.
    pub pixels: u32,
}

impl RandomShift {
    /// As [`super::Augmentation::check`].
    pub(super) fn check(self, shape: [usize; 3]) -> Result<()> {
        self.check_as(&format!("randomShift moves images by up to {} pixels", self.pixels), shape)
    }

    /// The same for another that moves images, with what the sentence of the error begins with.
    pub(super) fn check_as(self, what: &str, [_, height, width]: [usize; 3]) -> Result<()> {
        let least = height.min(width);
        if (self.pixels as usize) < least {
            return Ok(());
        }
        let message = format!(
            "{what}, which leaves nothing of images of {height} rows and {width} columns; use at most {}",
            least.saturating_sub(1)
        );
        Err(Error::new(Code::InvalidArgument, message))
    }

    /// As [`super::Augmentation::apply`].
    pub(super) fn apply(self, image: &mut [u8], [_, height, width]: [usize; 3], [first, second, ..]: [u32; 4]) {
        let [down, right] = [first, second].map(|word| self.distance(word));
        for channel in image.chunks_exact_mut(height * width) {
            slide(channel, down * width as isize); // whole rows
            channel.chunks_exact_mut(width).for_each(|row| slide(row, right));
        }
    }

    /// One of the 2 pixels + 1 distances. No image in memory has so many rows and columns that there were more than words.
    fn distance(self, word: u32) -> isize {
        let pixels = self.pixels as usize;
        one_of(word, 2 * pixels + 1) as isize - pixels as isize
    }
}

/// Moves values towards the end, or for less than 0 towards the beginning; zeros come in. No further than there are values.
fn slide(values: &mut [u8], by: isize) {
    let free = by.unsigned_abs();
    let kept = values.len() - free;
    if by < 0 {
        values.copy_within(free.., 0);
        values[kept..].fill(0);
    } else {
        values.copy_within(..kept, free);
        values[..free].fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [3, 4, 5];

    /// Pixel by pixel: what was `down` rows above and `right` columns to the left.
    fn shifted(image: &[u8], down: isize, right: isize) -> Vec<u8> {
        let [channels, height, width] = SHAPE.map(|size| size as isize);
        let mut shifted = Vec::new();
        for channel in 0..channels {
            for row in 0..height {
                for column in 0..width {
                    let (from_row, from_column) = (row - down, column - right);
                    let is_inside = (0..height).contains(&from_row) && (0..width).contains(&from_column);
                    let at = (channel * height + from_row) * width + from_column;
                    shifted.push(if is_inside { image[at as usize] } else { 0 });
                }
            }
        }
        shifted
    }

    /// A word of which that distance is made: the middle of its share of all words.
    fn word(pixels: isize, distance: isize) -> u32 {
        let place = (distance + pixels) as f64 + 0.5;
        (place / (2 * pixels + 1) as f64 * 2f64.powi(32)) as u32
    }

    #[test]
    fn every_distance_moves_every_channel() {
        let image: Vec<u8> = (1..=60).collect();
        for pixels in 0..=3 {
            let shift = RandomShift { pixels: pixels as u32 };
            assert_eq!(shift.check(SHAPE), Ok(()));
            for down in -pixels..=pixels {
                for right in -pixels..=pixels {
                    let mut moved = image.clone();
                    shift.apply(&mut moved, SHAPE, [word(pixels, down), word(pixels, right), 0, 0]);
                    assert_eq!(moved, shifted(&image, down, right), "{down} down, {right} right of {pixels}");
                }
            }
        }
    }

    #[test]
    fn the_least_and_the_greatest_word_are_the_ends() {
        for pixels in [0, 1, 27, i32::MAX as u32] {
            let shift = RandomShift { pixels };
            assert_eq!([0, u32::MAX].map(|word| shift.distance(word)), [-(pixels as isize), pixels as isize]);
        }
    }

    #[test]
    fn a_shift_out_of_sight_is_refused() {
        for (shape, most) in [([1, 28, 28], 27), ([3, 4, 5], 3), ([3, 5, 4], 3), ([1, 1, 9], 0)] {
            assert_eq!(RandomShift { pixels: most }.check(shape), Ok(()));
            for pixels in [most + 1, u32::MAX] {
                let error = RandomShift { pixels }.check(shape).unwrap_err();
                assert_eq!(error.code, Code::InvalidArgument);
                assert!(error.message.contains(&format!("by up to {pixels} pixels")), "{error}");
                assert!(error.message.ends_with(&format!("use at most {most}")), "{error}");
            }
        }
    }
}
