//! Whether a JPEG file was cut short: a decoder shows what there is, and grey for the rest.

use crate::Broken;

const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Follows the file's segments to the marker of its end. ITU-T T.81, annex B: a marker is 0xff and a byte that is neither 0 nor
/// 0xff; most have a length of two bytes behind them, and after the header of a scan its data follows, where 0xff is written as
/// 0xff 0.
pub fn check_jpeg_is_whole(bytes: &[u8]) -> Result<(), Broken> {
    let mut at = 2;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            END => return Ok(()),
            0xd0..=0xd8 | 0x01 => {}
            _ => {
                let length =
                    bytes.get(at..at + 2).map_or(0, |length| usize::from(length[0]) << 8 | usize::from(length[1]));
                at += length.max(2);
                if marker == SCAN {
                    skip_scan(bytes, &mut at);
                }
            }
        }
    }
    Err("the file ends before the picture does".into())
}

/// The next marker, wherever it is: there may be stray bytes before it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        *at += bytes.get(*at..)?.iter().position(|byte| *byte == 0xff)? + 1;
        let marker = *bytes.get(*at)?;
        if marker != 0 && marker != 0xff {
            *at += 1;
            return Some(marker);
        }
    }
}

/// To the first marker that is no restart of the scan, or the end of the file.
fn skip_scan(bytes: &[u8], at: &mut usize) {
    let rest = bytes.get(*at..).unwrap_or_default();
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7);
    *at += rest.windows(2).position(is_marker).unwrap_or(rest.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress};

    #[test]
    fn a_file_is_whole_from_its_end_on() {
        let pixels: Vec<u8> = (0..50 * 40 * 3).map(|i| (i * i % 251) as u8).collect();
        let bytes = compress(&pixels, 50, 40, PixelFormat::Rgb, 90, Subsampling::S420).unwrap();
        assert_eq!(check_jpeg_is_whole(&bytes), Ok(()));
        assert_eq!(check_jpeg_is_whole(&[&bytes[..], b"and more"].concat()), Ok(()));
        for cut in 2..bytes.len() {
            assert!(check_jpeg_is_whole(&bytes[..cut]).is_err(), "{cut} of {}", bytes.len());
        }
    }
}
