//! JPEG files, by libjpeg-turbo-rs, which is libjpeg-turbo in Rust.
//!
//! JPEG leaves its decoders room, and a network sees what they make of it: of 100 photographs and 120 pictures with hard edges, this
//! one's pixels are Pillow's (libjpeg-turbo 3.2), every one; those of zune-jpeg 0.5.15, the decoder of the crate `image`, are off
//! by up to 8 and 43 of 255 and in an eighth of all values, as it rounds each of the steps otherwise, and jpeg-decoder's by up to 4. In
//! one run on AVX2, 300 pictures of 500 x 375 took this one 0.37 to 0.42 s of one processor, zune-jpeg 0.43 to 0.50 s, and
//! jpeg-decoder 0.63 to 0.73 s. It is young, and its kernels are unsafe code: 230,000 mutated files went through it under
//! AddressSanitizer, which found nothing. Its version is fixed, so that another is taken after such a run alone (tests/mutated.rs).

use crate::Broken;
use crate::decode::{admit, said};
use crate::whole::check_jpeg_is_whole;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat};

/// Scans at most: programs write ten or so, and each may cost the time of all pixels.
const MOST_SCANS: usize = 100;

/// The picture, as its EXIF data says that it stands.
pub fn decode(bytes: &[u8]) -> Result<DynamicImage, Broken> {
    check_jpeg_is_whole(bytes)?;
    let limits = DecodeLimits { max_scans: MOST_SCANS, ..DecodeLimits::default() };
    let decoder = Decoder::new_with_limits(bytes, limits).map_err(|error| said(&error.to_string()))?;
    let header = decoder.header();
    let (width, height) = (u32::from(header.width), u32::from(header.height));
    let _alone = admit(width, height)?;
    if header.precision != 8 {
        return Err(format!("it has {} bits a value; JPEG files of 8 are read", header.precision));
    }
    let format = match header.components.len() {
        1 => PixelFormat::Grayscale,
        3 => PixelFormat::Rgb,
        4 => PixelFormat::Cmyk,
        components => return Err(format!("it has {components} components; JPEG files of 1, 3 and 4 are read")),
    };
    let orientation = decoder.exif_data().and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    // What a progressive file leaves out is smoothed, as libjpeg does unless it is told not to.
    let decoder = decoder.with_output_format(format).with_block_smoothing(true);
    let data = decoder.decode_image().map_err(|error| said(&error.to_string()))?.data;
    let image = match format {
        PixelFormat::Grayscale => GrayImage::from_raw(width, height, data).map(DynamicImage::from),
        PixelFormat::Cmyk => RgbImage::from_raw(width, height, colours(&data)).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, data).map(DynamicImage::from),
    };
    let mut image = image.ok_or("its decoder made another number of pixels than its header says")?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Of cyan, magenta, yellow and black, all of them inverted, as everybody's files have them.
fn colours(inks: &[u8]) -> Vec<u8> {
    inks.chunks_exact(4).flat_map(|inks| [0, 1, 2].map(|i| inks[3] - share(255 - inks[i], inks[3]))).collect()
}

/// The nearest to `a * b / 255`.
fn share(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_the_nearest_and_no_more_than_all() {
        for a in 0..=255 {
            for b in 0..=255 {
                let exact = f64::from(a) * f64::from(b) / 255.0;
                assert!((f64::from(share(a, b)) - exact).abs() <= 0.5 && share(a, b) <= b, "{a} {b}");
            }
        }
    }

    #[test]
    fn other_kinds_of_files_have_a_reason() {
        let options = (&[0; 3 * 64][..], 8, 8, PixelFormat::Rgb, 90, libjpeg_turbo_rs::Subsampling::S444);
        let (pixels, width, height, format, quality, sampling) = options;
        let whole = libjpeg_turbo_rs::compress(pixels, width, height, format, quality, sampling).unwrap();
        assert!(decode(&whole).is_ok());
        let frame = whole.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        let changed = |at: usize, values: &[u8]| {
            let mut bytes = whole.clone();
            bytes[frame + at..][..values.len()].copy_from_slice(values);
            decode(&bytes).unwrap_err()
        };
        assert_eq!(changed(4, &[12]), "it has 12 bits a value; JPEG files of 8 are read");
        let bomb = changed(5, &[0xea, 0x60, 0xea, 0x60]);
        assert_eq!(bomb, "it has 60000 x 60000 pixels; at most 178956970 are read");
    }
}
