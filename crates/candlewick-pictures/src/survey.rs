//! What a folder's pictures are like, to look at before a training.

use crate::decode;
use crate::folder::Folder;
use crate::load::{Failure, Progress, Source, on_threads};
use serde::Serialize;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// What all pictures come to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Survey {
    /// The least, the middle and the largest of the widths, of pictures that are whole.
    pub widths: Option<[usize; 3]>,
    /// The same of the heights.
    pub heights: Option<[usize; 3]>,
    /// Pictures without colours.
    pub grey: usize,
    /// Pictures that are broken, as splits and numbers, and why.
    pub broken: Vec<(usize, usize, String)>,
    /// Pictures whose pixels are the same, where two of them stand in two splits or two classes, as splits and numbers.
    pub same: Vec<Vec<(usize, usize)>>,
}

/// Of one picture.
struct Facts {
    width: usize,
    height: usize,
    is_grey: bool,
    pixels: u64,
}

/// Looks at all pictures of a folder, on so many threads.
///
/// # Errors
/// `Cancelled`.
pub fn survey(folder: &Folder, threads: usize, progress: &Progress) -> Result<Survey, Failure> {
    let places: Vec<_> = (0..folder.splits.len())
        .flat_map(|split| (0..folder.splits[split].files.len()).map(move |number| (split, number)))
        .collect();
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(places.len())));
    let work = || {
        while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            if progress.cancelled.load(Ordering::Relaxed) {
                return;
            }
            let source = Source::File(folder.splits[place.0].files[place.1].clone());
            let facts = source.read().and_then(|bytes| facts(&bytes));
            progress.broken.fetch_add(usize::from(facts.is_err()), Ordering::Relaxed);
            all.lock().unwrap_or_else(PoisonError::into_inner).push((*place, facts));
            progress.done.fetch_add(1, Ordering::Relaxed);
        }
    };
    on_threads(threads.min(places.len()), work, progress)?;
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_unstable_by_key(|(place, _)| *place);
    Ok(summary(folder, all))
}

fn facts(bytes: &[u8]) -> Result<Facts, String> {
    let picture = decode(bytes, [255; 3])?;
    let mut hasher = DefaultHasher::new();
    (picture.width, picture.channels, &picture.pixels).hash(&mut hasher);
    let (width, height, is_grey) = (picture.width, picture.height, picture.channels == 1);
    Ok(Facts { width, height, is_grey, pixels: hasher.finish() })
}

type Place = (usize, usize);

fn summary(folder: &Folder, all: Vec<(Place, Result<Facts, String>)>) -> Survey {
    let mut same: HashMap<_, Vec<Place>> = HashMap::new();
    let (mut widths, mut heights, mut grey, mut broken) = (Vec::new(), Vec::new(), 0, Vec::new());
    for ((split, number), facts) in all {
        match facts {
            Ok(facts) => {
                widths.push(facts.width);
                heights.push(facts.height);
                grey += usize::from(facts.is_grey);
                same.entry((facts.pixels, facts.width, facts.height)).or_default().push((split, number));
            }
            Err(reason) => broken.push((split, number, reason)),
        }
    }
    let home = |&(split, number): &Place| (split, folder.splits[split].labels[number]);
    let is_apart = |places: &Vec<Place>| places.iter().any(|place| home(place) != home(&places[0]));
    let mut same: Vec<_> = same.into_values().filter(is_apart).collect();
    same.sort_unstable();
    Survey { widths: middle(widths), heights: middle(heights), grey, broken, same }
}

/// The least, the middle and the largest.
fn middle(mut sizes: Vec<usize>) -> Option<[usize; 3]> {
    sizes.sort_unstable();
    Some([*sizes.first()?, sizes[sizes.len() / 2], *sizes.last()?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, GrayImage, Luma, RgbImage};
    use std::fs;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn sizes_broken_ones_and_twins_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let save = |path: &str, image: DynamicImage| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            image.save(path).unwrap();
        };
        let grey = |value| DynamicImage::from(GrayImage::from_pixel(3, 4, Luma([value])));
        for (path, value) in
            [("train/a/1.png", 1), ("train/a/2.png", 1), ("train/b/3.png", 3), ("test/a/4.png", 1), ("test/b/5.png", 5)]
        {
            save(path, grey(value));
        }
        save("train/b/wide.png", RgbImage::new(30, 2).into());
        fs::write(dir.path().join("train/b/x.jpg"), "").unwrap();
        let folder = crate::folder::scan(dir.path(), None, &AtomicBool::new(false)).unwrap();
        let survey = survey(&folder, 3, &Progress::default()).unwrap();
        assert_eq!((survey.widths, survey.heights, survey.grey), (Some([3, 3, 30]), Some([2, 4, 4]), 5));
        assert_eq!(survey.broken, [(0, 4, "the file is empty".to_owned())]);
        assert_eq!(survey.same, [vec![(0, 0), (0, 1), (1, 0)]]);
    }
}
