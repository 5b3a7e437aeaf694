//! A picture in the size of a network's images.

use crate::Broken;
use crate::picture::Picture;
use crate::resample::{Span, resample};
use std::borrow::Cow;

/// How a picture of another shape becomes one of the network's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fit {
    /// All of the image is covered; what stands out on two sides is cut off alike.
    Cover,
    /// All of the picture is in the image; what is left over on two sides is the background.
    Contain,
    /// Rows and columns are resized by themselves.
    Stretch,
}

/// What is made of a picture, so that it is an image for a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Preparation {
    /// 1 or 3, rows, columns.
    pub shape: [usize; 3],
    /// What becomes of another shape.
    pub fit: Fit,
    /// What shines through is put on this, and a picture that is contained.
    pub background: [u8; 3],
}

impl Preparation {
    /// Bytes of an image.
    pub fn image_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Decodes a file's bytes into `image`, `[channels][height][width]`.
    ///
    /// # Errors
    /// As for [`crate::decode()`].
    pub fn prepare(&self, bytes: &[u8], image: &mut [u8]) -> Result<(), Broken> {
        let picture = crate::decode(bytes, self.background)?;
        self.arrange(&self.resize(&picture.with_channels(self.shape[0])), image);
        Ok(())
    }

    /// The picture, or what is kept of it, as large as it will be.
    fn resize<'a>(&self, picture: &'a Picture) -> Cow<'a, Picture> {
        let [_, height, width] = self.shape;
        let own = [picture.height, picture.width];
        let size = match self.fit {
            Fit::Contain => contained(own, [height, width]),
            _ => [height, width],
        };
        if own == size {
            return Cow::Borrowed(picture);
        }
        let [rows, columns] = match self.fit {
            Fit::Cover => covering(own, size),
            _ => own.map(|size| [0.0, size as f32]),
        };
        Cow::Owned(resample(picture, columns, rows, size))
    }

    /// Puts pixels into the middle of an image, channel by channel.
    fn arrange(&self, picture: &Picture, image: &mut [u8]) {
        let [channels, height, width] = self.shape;
        let (top, left) = ((height - picture.height) / 2, (width - picture.width) / 2);
        let background = Picture { width: 1, height: 1, channels: 3, pixels: self.background.to_vec() };
        let background = background.with_channels(channels).pixels;
        for (channel, image) in image.chunks_exact_mut(height * width).enumerate() {
            if picture.height < height || picture.width < width {
                image.fill(background[channel]);
            }
            let rows = image.chunks_exact_mut(width).skip(top);
            for (row, pixels) in rows.zip(picture.pixels.chunks_exact(picture.width * channels)) {
                let values = pixels.iter().skip(channel).step_by(channels);
                row[left..][..picture.width].iter_mut().zip(values).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// Rows and columns of a picture that is made as large as fits.
fn contained(own: [usize; 2], most: [usize; 2]) -> [usize; 2] {
    let scale = (most[0] as f64 / own[0] as f64).min(most[1] as f64 / own[1] as f64);
    [0, 1].map(|side| ((own[side] as f64 * scale).round() as usize).clamp(1, most[side]))
}

/// Rows and columns of the largest part in the middle of a picture that has the image's proportions.
fn covering(own: [usize; 2], new: [usize; 2]) -> [Span; 2] {
    let scale = (own[0] as f64 / new[0] as f64).min(own[1] as f64 / new[1] as f64);
    [0, 1].map(|side| {
        let (own, kept) = (own[side] as f64, new[side] as f64 * scale);
        let start = (own - kept) / 2.0;
        [start as f32, (start + kept) as f32]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Preparation = Preparation { shape: [1, 4, 4], fit: Fit::Cover, background: [255; 3] };

    fn grey(height: usize, width: usize, pixels: impl Fn(usize, usize) -> u8) -> Picture {
        let pixels = (0..height * width).map(|at| pixels(at / width, at % width)).collect();
        Picture { width, height, channels: 1, pixels }
    }

    fn prepared(preparation: Preparation, picture: &Picture) -> Vec<u8> {
        let mut image = vec![7; preparation.image_len()];
        let picture = picture.clone().with_channels(preparation.shape[0]);
        preparation.arrange(&preparation.resize(&picture), &mut image);
        image
    }

    #[test]
    fn a_picture_of_the_right_size_stays_as_it_is() {
        let picture = grey(4, 4, |y, x| (10 * y + x) as u8);
        for fit in [Fit::Cover, Fit::Contain, Fit::Stretch] {
            assert_eq!(prepared(Preparation { fit, ..ANY }, &picture), picture.pixels);
        }
    }

    #[test]
    fn covering_cuts_and_containing_fills() {
        // Columns 0 and 1 are 0, columns 2 to 5 are 100, columns 6 and 7 are 200.
        let wide = grey(4, 8, |_, x| {
            if x < 2 {
                0
            } else if x < 6 {
                100
            } else {
                200
            }
        });
        assert_eq!(prepared(ANY, &wide), [100; 16]);
        let contained = prepared(Preparation { fit: Fit::Contain, ..ANY }, &wide);
        assert_eq!((&contained[..4], &contained[12..]), (&[255; 4][..], &[255; 4][..]));
        assert_eq!(contained[4..8], contained[8..12]);
        assert!(contained[4] < 50 && contained[7] > 150, "{contained:?}");
        let stretched = prepared(Preparation { fit: Fit::Stretch, ..ANY }, &wide);
        assert_eq!(stretched[..4], contained[4..8]);
        assert_eq!(stretched[12..], contained[4..8]);
        let tall = grey(8, 4, |y, _| {
            if y < 2 {
                0
            } else if y < 6 {
                100
            } else {
                200
            }
        });
        assert_eq!(prepared(ANY, &tall), [100; 16]);
    }

    #[test]
    fn channels_are_planes() {
        let picture = Picture { width: 2, height: 1, channels: 3, pixels: vec![1, 2, 3, 4, 5, 6] };
        let preparation = Preparation { shape: [3, 1, 2], ..ANY };
        assert_eq!(prepared(preparation, &picture), [1, 4, 2, 5, 3, 6]);
        let around = Preparation { shape: [3, 3, 2], fit: Fit::Contain, background: [9, 8, 7] };
        assert_eq!(prepared(around, &picture), [9, 9, 1, 4, 9, 9, 8, 8, 2, 5, 8, 8, 7, 7, 3, 6, 7, 7]);
    }

    #[test]
    fn a_line_of_pixels_is_a_picture() {
        for (height, width) in [(1, 1), (1, 5000), (5000, 1)] {
            for fit in [Fit::Cover, Fit::Contain, Fit::Stretch] {
                let image = prepared(Preparation { fit, ..ANY }, &grey(height, width, |_, _| 100));
                assert!(image.iter().all(|pixel| [100, 255].contains(pixel)) && image.contains(&100), "{image:?}");
            }
        }
    }
}
