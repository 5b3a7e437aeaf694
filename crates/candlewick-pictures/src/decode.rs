//! From the bytes of a file to pixels, by the crate `image`, and JPEG by another.

use crate::Broken;
use crate::jpeg;
use crate::picture::Picture;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use std::panic::catch_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The formats that are read.
pub const FORMATS: &str = "JPEG, PNG, WebP, BMP or GIF";

/// Pixels of a picture at most, as with Pillow: a file of a few bytes can ask for any number of them.
const MOST_PIXELS: u64 = 178_956_970;

/// Pixels of a side at most. Of the formats that are read, PNG, BMP and WebP could have more; what resizes them would take far more
/// memory than their pixels do.
const MOST_OF_A_SIDE: u32 = 1 << 20;

/// From so many pixels on, one picture is decoded at a time, so that the memory of them does not add up.
const LARGE: u64 = 1 << 24;

static LARGE_ONES: Mutex<()> = Mutex::new(());

/// The picture that a file's bytes are: JPEG, PNG, WebP, BMP or GIF, by what is in them rather than by their name; of an animation
/// the first frame. What shines through is put on `background`, sixteen bits become eight, and the picture stands as its EXIF
/// data says. Colour profiles are not applied.
///
/// # Errors
/// A reason, for what is no whole picture, or has more than 178,956,970 pixels, or 1,048,576 in a row or a column.
pub fn decode(bytes: &[u8], background: [u8; 3]) -> Result<Picture, Broken> {
    // A decoder's defect is a broken picture, not the end of a load.
    catch_unwind(|| decode_unguarded(bytes, background)).unwrap_or_else(|_| Err("its decoder failed".into()))
}

fn decode_unguarded(bytes: &[u8], background: [u8; 3]) -> Result<Picture, Broken> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    let format = reader.format().ok_or_else(|| unknown(bytes))?;
    if format == ImageFormat::Jpeg {
        return opaque(jpeg::decode(bytes)?, background);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(8 * MOST_PIXELS); // red, green, blue and alpha, of sixteen bits
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(reason)?;
    let (width, height) = decoder.dimensions();
    let _alone = admit(width, height)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(reason)?;
    image.apply_orientation(orientation);
    opaque(image, background)
}

/// Refuses a picture that is too large; one that is merely large is alone for as long as what this gives is kept.
pub fn admit(width: u32, height: u32) -> Result<Option<MutexGuard<'static, ()>>, Broken> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST_PIXELS {
        return Err(format!("it has {width} x {height} pixels; at most {MOST_PIXELS} are read"));
    }
    if width.max(height) > MOST_OF_A_SIDE {
        return Err(format!(
            "it has {width} x {height} pixels; at most {MOST_OF_A_SIDE} in a row or a column are read"
        ));
    }
    if pixels == 0 {
        return Err("it has no pixels".into());
    }
    Ok((pixels >= LARGE).then(|| LARGE_ONES.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// One byte a value, and nothing that shines through. By hand: `image`'s own conversions bring megabytes of colour profiles.
fn opaque(image: DynamicImage, background: [u8; 3]) -> Result<Picture, Broken> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let over = |[red, green, blue, alpha]: [u8; 4]| {
        let colours = [red, green, blue];
        std::array::from_fn::<u8, 3, _>(|i| blend(colours[i], background[i], alpha))
    };
    let (channels, pixels) = match image {
        DynamicImage::ImageLuma8(grey) => (1, grey.into_raw()),
        DynamicImage::ImageLuma16(grey) => (1, grey.into_raw().into_iter().map(eight_bits).collect()),
        DynamicImage::ImageRgb8(colours) => (3, colours.into_raw()),
        DynamicImage::ImageRgb16(colours) => (3, colours.into_raw().into_iter().map(eight_bits).collect()),
        DynamicImage::ImageLumaA8(greys) => (3, greys.pixels().flat_map(|pixel| over(coloured(pixel.0))).collect()),
        DynamicImage::ImageLumaA16(greys) => {
            (3, greys.pixels().flat_map(|pixel| over(coloured(pixel.0.map(eight_bits)))).collect())
        }
        DynamicImage::ImageRgba8(colours) => (3, colours.pixels().flat_map(|pixel| over(pixel.0)).collect()),
        DynamicImage::ImageRgba16(colours) => {
            (3, colours.pixels().flat_map(|pixel| over(pixel.0.map(eight_bits))).collect())
        }
        other => return Err(format!("its pixels are {:?}, which none of these formats has", other.color())),
    };
    Ok(Picture { width, height, channels, pixels })
}

fn coloured([grey, alpha]: [u8; 2]) -> [u8; 4] {
    [grey, grey, grey, alpha]
}

/// The nearest.
fn eight_bits(value: u16) -> u8 {
    ((u32::from(value) * 255 + 32767) / 65535) as u8
}

/// A colour in front of another, of which a share of alpha / 255 is seen.
fn blend(front: u8, back: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(front) * alpha + u32::from(back) * (255 - alpha) + 127) / 255) as u8
}

fn unknown(bytes: &[u8]) -> Broken {
    if bytes.is_empty() {
        return "the file is empty".into();
    }
    format!("it is neither {}", FORMATS.replace(" or ", " nor "))
}

/// What a decoder of `image` says, without the names that it gives its formats.
fn reason(error: ImageError) -> Broken {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    said(line.rsplit_once("`: ").map_or(line, |(_, told)| told))
}

/// What a decoder says, short.
pub fn said(text: &str) -> Broken {
    let line = text.lines().next().unwrap_or_default().trim_end_matches('.');
    let told: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
    format!("its decoder says: {told}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Luma, LumaA, Rgb, Rgba};

    fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn sixteen_bits_become_the_nearest_of_eight() {
        for value in 0..=u16::MAX {
            let exact = f64::from(value) * 255.0 / 65535.0;
            assert!((f64::from(eight_bits(value)) - exact).abs() <= 0.5, "{value}");
        }
        let grey = image::ImageBuffer::from_pixel(2, 3, Luma([0x80ffu16]));
        assert_eq!(decode(&png(grey), [0; 3]).unwrap().pixels, [128; 6]);
    }

    #[test]
    fn what_shines_through_is_on_the_background() {
        let half = image::RgbaImage::from_pixel(1, 1, Rgba([200, 100, 0, 51]));
        assert_eq!(decode(&png(half), [255, 0, 5]).unwrap().pixels, [244, 20, 4]);
        let none = image::GrayAlphaImage::from_pixel(1, 1, LumaA([9, 0]));
        assert_eq!(decode(&png(none), [1, 2, 3]).unwrap().pixels, [1, 2, 3]);
    }

    #[test]
    fn what_is_no_picture_has_a_reason() {
        assert_eq!(decode(b"", [0; 3]), Err("the file is empty".into()));
        assert_eq!(decode(b"hello", [0; 3]), Err("it is neither JPEG, PNG, WebP, BMP nor GIF".into()));
        let whole = png(image::RgbImage::from_pixel(40, 40, Rgb([1, 2, 3])));
        for cut in [8, 20, 40, whole.len() - 20] {
            let error = decode(&whole[..cut], [0; 3]).unwrap_err();
            assert!(error.starts_with("its decoder says: "), "{cut}: {error}");
        }
    }

    /// A PNG's size stands in its first bytes, whose checksum is made anew.
    #[test]
    fn a_picture_of_absurd_size_takes_no_memory() {
        for (width, height, reason) in [
            (60_000u32, 60_000u32, "it has 60000 x 60000 pixels; at most 178956970 are read"),
            (1, 1_048_577, "it has 1 x 1048577 pixels; at most 1048576 in a row or a column are read"),
        ] {
            let mut bomb = png(image::GrayImage::new(1, 1));
            bomb[16..20].copy_from_slice(&width.to_be_bytes());
            bomb[20..24].copy_from_slice(&height.to_be_bytes());
            let sum = crc32(&bomb[12..29]);
            bomb[29..33].copy_from_slice(&sum.to_be_bytes());
            assert_eq!(decode(&bomb, [0; 3]).unwrap_err(), reason);
        }
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
        })
    }
}
