//! Pixels in memory.

/// Rows of pixels, top to bottom, each of one byte (grey) or three (red, green, blue).
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 or 3.
    pub channels: usize,
    /// `[height][width][channels]`
    pub pixels: Vec<u8>,
}

impl Picture {
    /// The picture in grey (1 channel) or in colours (3).
    pub fn with_channels(self, channels: usize) -> Self {
        let pixels = match (self.channels, channels) {
            (3, 1) => self.pixels.chunks_exact(3).map(|pixel| grey([pixel[0], pixel[1], pixel[2]])).collect(),
            (1, 3) => self.pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
            _ => return self,
        };
        Self { channels, pixels, ..self }
    }
}

/// The luma of ITU-R 601, rounded as Pillow's `convert("L")` rounds it.
fn grey([red, green, blue]: [u8; 3]) -> u8 {
    ((u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_is_a_weighted_sum_and_becomes_three_alike() {
        let picture = Picture { width: 2, height: 1, channels: 3, pixels: vec![255, 255, 255, 255, 0, 0] };
        let grey = picture.with_channels(1);
        assert_eq!((grey.channels, &grey.pixels[..]), (1, &[255, 76][..]));
        assert_eq!(grey.clone().with_channels(1), grey);
        assert_eq!(grey.with_channels(3).pixels, [255, 255, 255, 76, 76, 76]);
    }
}
