//! Pixels beside Pillow's: tests/pillow/make.py wrote them.

use candlewick_pictures::{Fit, Preparation, Source, decode, load};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const WHITE: [u8; 3] = [255; 3];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pillow")
}

fn sizes() -> BTreeMap<String, [usize; 2]> {
    sizes_in(&fixtures())
}

fn sizes_in(dir: &Path) -> BTreeMap<String, [usize; 2]> {
    serde_json::from_slice(&std::fs::read(dir.join("sizes.json")).unwrap()).unwrap()
}

/// What Pillow made of a file.
fn expected(name: &str) -> Vec<u8> {
    expected_in(&fixtures(), name)
}

fn expected_in(dir: &Path, name: &str) -> Vec<u8> {
    let stem = name.split('.').next().unwrap();
    let file = std::fs::File::open(dir.join(format!("{stem}.raw.z"))).unwrap();
    let mut raw = Vec::new();
    flate2::read::ZlibDecoder::new(file).read_to_end(&mut raw).unwrap();
    raw
}

fn farthest(found: &[u8], expected: &[u8]) -> u8 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(found, expected)| found.abs_diff(*expected)).max().unwrap()
}

/// The mean of all distances.
fn mean_distance(found: &[u8], expected: &[u8]) -> f64 {
    let sum: u32 = found.iter().zip(expected).map(|(found, expected)| u32::from(found.abs_diff(*expected))).sum();
    f64::from(sum) / found.len() as f64
}

/// JPEG to the last bit, but for colours of inks and of what shines through, which are rounded otherwise.
#[test]
fn all_kinds_of_files_are_decoded_as_pillow_does() {
    let sizes = sizes();
    assert!(sizes.len() > 25);
    for (name, [height, width]) in sizes {
        let picture = decode(&std::fs::read(fixtures().join(&name)).unwrap(), WHITE).unwrap().with_channels(3);
        assert_eq!([picture.height, picture.width], [height, width], "{name}");
        let expected = &expected(&name)[..3 * height * width];
        let (most, mean) = if name.starts_with("jpeg-") { (0, 0.0) } else { (1, 0.2) };
        let found = (farthest(&picture.pixels, expected), mean_distance(&picture.pixels, expected));
        assert!(found.0 <= most && found.1 <= mean, "{name}: {found:?}");
    }
}

/// Channel by channel, as images are laid out, from pixel by pixel.
fn planes(pixels: &[u8], channels: usize) -> Vec<u8> {
    (0..channels).flat_map(|channel| pixels.iter().skip(channel).step_by(channels).copied()).collect()
}

#[test]
fn pictures_are_resized_as_pillow_does() {
    for name in ["png-rgb.png", "jpeg-turned-6.jpg"] {
        let [height, width] = sizes()[name];
        let expected = expected(name);
        let mut expected = &expected[3 * height * width..];
        for [width, height] in [[16, 16], [50, 20]] {
            for (fit, channels) in [(Fit::Cover, 3), (Fit::Contain, 3), (Fit::Stretch, 3), (Fit::Cover, 1)] {
                let preparation = Preparation { shape: [channels, height, width], fit, background: WHITE };
                let (own, rest) = expected.split_at(preparation.image_len());
                expected = rest;
                let mut image = vec![0; own.len()];
                let sink = Mutex::new(&mut image[..]);
                let sources = [Source::File(fixtures().join(name))];
                load(&sources, &preparation, 1, true, &sink, &Default::default()).unwrap();
                let distance = farthest(&image, &planes(own, channels));
                assert_eq!(distance, 0, "{name}, {width} x {height}, {fit:?}, {channels}");
            }
        }
        assert!(expected.is_empty());
    }
}

/// tests/pillow/real.py says how.
#[test]
#[ignore = "of pictures that are not in the repository"]
fn real_pictures_are_decoded_and_resized_as_pillow_does() {
    let dir = PathBuf::from(std::env::var("PICTURES").expect("PICTURES names what real.py wrote"));
    let mut most = BTreeMap::<(String, &str), (u8, usize)>::new();
    for (name, [height, width]) in sizes_in(&dir) {
        let end = name.rsplit('.').next().unwrap().to_lowercase();
        let picture = match decode(&std::fs::read(dir.join(&name)).unwrap(), WHITE) {
            Ok(picture) => picture.with_channels(3),
            Err(reason) => {
                println!("{name}: {reason}");
                continue;
            }
        };
        assert_eq!([picture.height, picture.width], [height, width], "{name}");
        let expected = expected_in(&dir, &name);
        let (whole, mut rest) = expected.split_at(3 * height * width);
        let mut hold = |what, distance: u8, limit| {
            let (far, count) = most.entry((end.clone(), what)).or_default();
            (*far, *count) = ((*far).max(distance), *count + 1);
            if distance > limit {
                println!("{name}, {what}: {distance}");
            }
        };
        hold("whole", farthest(&picture.pixels, whole), 1);
        let exact = picture.pixels == whole;
        for (fit, what) in [(Fit::Cover, "cover"), (Fit::Contain, "contain"), (Fit::Stretch, "stretch")] {
            let preparation = Preparation { shape: [3, 64, 64], fit, background: WHITE };
            let (own, others) = rest.split_at(preparation.image_len());
            rest = others;
            let mut image = vec![0; own.len()];
            let sources = [Source::File(dir.join(&name))];
            load(&sources, &preparation, 1, true, &Mutex::new(&mut image[..]), &Default::default()).unwrap();
            hold(what, farthest(&image, &planes(own, 3)), if exact { 0 } else { 1 });
        }
    }
    most.iter().for_each(|(of, (far, count))| println!("{of:?}: {count} pictures, at most {far}"));
    assert!(most.values().all(|(far, _)| *far <= 1));
}

/// Cut and changed at many places: no panic leaves, no pixels come from what is cut.
#[test]
fn damaged_files_are_broken_or_decoded() {
    for name in sizes().keys() {
        let bytes = std::fs::read(fixtures().join(name)).unwrap();
        for cut in (0..bytes.len() - 12).step_by(bytes.len() / 40 + 1) {
            let decoded = decode(&bytes[..cut], WHITE);
            let may_be_whole = name.starts_with("gif-animated") || name.starts_with("webp-animated");
            assert!(decoded.is_err() || may_be_whole, "{name} cut at {cut}");
        }
        let mut state = 1u32;
        let mut drawn = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % below
        };
        for _ in 0..300 {
            let mut changed = bytes.clone();
            for _ in 0..1 + drawn(6) {
                changed[drawn(bytes.len())] = drawn(256) as u8;
            }
            let _ = decode(&changed, WHITE);
        }
    }
}
