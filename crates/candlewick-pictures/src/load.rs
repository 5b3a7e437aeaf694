//! Many pictures at once, on all processors.

use crate::prepare::Preparation;
use crate::{Broken, BrokenOnes};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes of a file at most.
const MOST_BYTES: u64 = 1 << 29;

/// Where a picture is.
#[derive(Clone, Debug)]
pub enum Source {
    /// In a file.
    File(PathBuf),
    /// In memory, as it would be in a file.
    Bytes(Vec<u8>),
}

/// How far a load is, seen from another thread, and a way to stop it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Pictures that are done.
    pub done: AtomicUsize,
    /// Those of them that are broken.
    pub broken: AtomicUsize,
    /// Whether the load is to end.
    pub cancelled: AtomicBool,
}

/// What takes images as they are made, in any order.
pub trait Sink: Sync {
    /// Takes the image of this number.
    ///
    /// # Errors
    /// The system's.
    fn put(&self, number: usize, image: &[u8]) -> io::Result<()>;
}

/// Images one after the other in memory.
impl Sink for Mutex<&mut [u8]> {
    fn put(&self, number: usize, image: &[u8]) -> io::Result<()> {
        let mut all = lock(self);
        all[number * image.len()..][..image.len()].copy_from_slice(image);
        Ok(())
    }
}

/// Why a load ended before its end.
#[derive(Debug)]
pub enum Failure {
    /// [`Progress::cancelled`]
    Cancelled,
    /// The first picture that is broken, of those that were looked at, where one is too many.
    Broken(usize, Broken),
    /// Images could not be put where they belong.
    Sink(io::Error),
}

/// Prepares pictures on so many threads, and gives each to `sink`. Those that are broken are left out there, and returned with
/// their numbers, in order; or the load ends at the first, if `fails`.
///
/// # Errors
/// As [`Failure`] has them.
pub fn load(
    sources: &[Source],
    preparation: &Preparation,
    threads: usize,
    fails: bool,
    sink: &impl Sink,
    progress: &Progress,
) -> Result<BrokenOnes, Failure> {
    let (next, state) = (AtomicUsize::new(0), Mutex::new(State::default()));
    let work = || {
        let mut image = vec![0; preparation.image_len()];
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = sources.get(number) else { return };
            if progress.cancelled.load(Ordering::Relaxed) || lock(&state).ends(fails) {
                return;
            }
            match source.read().and_then(|bytes| preparation.prepare(&bytes, &mut image)) {
                Ok(()) => {
                    if let Err(error) = sink.put(number, &image) {
                        lock(&state).failure.get_or_insert(error);
                    }
                }
                Err(reason) => {
                    lock(&state).broken.push((number, reason));
                    progress.broken.fetch_add(1, Ordering::Relaxed);
                }
            }
            progress.done.fetch_add(1, Ordering::Relaxed);
        }
    };
    on_threads(threads.min(sources.len()), work, progress)?;
    let State { mut broken, failure } = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = failure {
        return Err(Failure::Sink(error));
    }
    broken.sort_unstable();
    match broken.first() {
        Some(_) if fails => {
            let (number, reason) = broken.swap_remove(0);
            Err(Failure::Broken(number, reason))
        }
        _ => Ok(broken),
    }
}

/// Calls `work` on so many threads, this one among them, and waits for all.
///
/// # Errors
/// `Cancelled`, if that is why they have ended.
pub(crate) fn on_threads(threads: usize, work: impl Fn() + Sync, progress: &Progress) -> Result<(), Failure> {
    thread::scope(|scope| {
        for _ in 1..threads {
            // Without further threads, this one does it all.
            let _ = thread::Builder::new().name("candlewick-pictures".into()).spawn_scoped(scope, &work);
        }
        work();
    });
    if progress.cancelled.load(Ordering::Relaxed) { Err(Failure::Cancelled) } else { Ok(()) }
}

#[derive(Default)]
struct State {
    broken: BrokenOnes,
    failure: Option<io::Error>,
}

impl State {
    fn ends(&self, fails: bool) -> bool {
        self.failure.is_some() || fails && !self.broken.is_empty()
    }
}

impl Source {
    pub(crate) fn read(&self) -> Result<Cow<'_, [u8]>, Broken> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.into()),
            Self::File(path) => {
                let file = fs::metadata(path).map_err(|error| reason(&error))?;
                if !file.is_file() {
                    return Err(if file.is_dir() { "it is a folder" } else { "it is no ordinary file" }.into());
                }
                let mut bytes = Vec::new();
                let mut file = File::open(path).map_err(|error| reason(&error))?.take(MOST_BYTES + 1);
                file.read_to_end(&mut bytes).map_err(|error| reason(&error))?;
                if bytes.len() as u64 > MOST_BYTES {
                    return Err(format!("the file is larger than {} MiB, the most that is read", MOST_BYTES >> 20));
                }
                Ok(bytes.into())
            }
        }
    }
}

fn reason(error: &io::Error) -> Broken {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".into(),
        ErrorKind::PermissionDenied => "it may not be read".into(),
        _ => error.to_string(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::Fit;
    use image::{DynamicImage, GrayImage, ImageFormat, Luma};
    use std::io::Cursor;

    const PREPARATION: Preparation = Preparation { shape: [1, 2, 2], fit: Fit::Stretch, background: [255; 3] };

    fn sources(count: u8) -> Vec<Source> {
        let one = |value| {
            let mut bytes = Cursor::new(Vec::new());
            let image = GrayImage::from_pixel(9, 7, Luma([value]));
            DynamicImage::from(image).write_to(&mut bytes, ImageFormat::Png).unwrap();
            Source::Bytes(bytes.into_inner())
        };
        (0..count).map(one).collect()
    }

    fn loaded(sources: &[Source], threads: usize, fails: bool) -> Result<(Vec<u8>, BrokenOnes), Failure> {
        let mut images = vec![0; 4 * sources.len()];
        let broken = load(sources, &PREPARATION, threads, fails, &Mutex::new(&mut images[..]), &Progress::default())?;
        Ok((images, broken))
    }

    #[test]
    fn images_come_to_their_places_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let (images, broken) = loaded(&sources(50), threads, true).unwrap();
            assert!(images.chunks(4).enumerate().all(|(i, image)| image == [i as u8; 4]), "{images:?}");
            assert_eq!(broken, []);
        }
        assert!(loaded(&[], 2, true).unwrap().0.is_empty());
    }

    #[test]
    fn broken_ones_are_left_out_or_end_the_load() {
        let mut sources = sources(20);
        sources[13] = Source::Bytes(Vec::new());
        sources[7] = Source::File("/nowhere/a.png".into());
        sources[9] = Source::File(std::env::temp_dir());
        let (images, broken) = loaded(&sources, 3, false).unwrap();
        let expected = [(7, "there is no such file"), (9, "it is a folder"), (13, "the file is empty")];
        assert_eq!(broken, expected.map(|(number, reason)| (number, reason.to_owned())));
        assert_eq!((&images[28..32], &images[32..36]), (&[0; 4][..], &[8; 4][..]));
        let Err(Failure::Broken(7, reason)) = loaded(&sources, 1, true) else { panic!() };
        assert_eq!(reason, "there is no such file");
    }

    #[test]
    fn a_load_is_cancelled_and_counts() {
        let progress = Progress { cancelled: true.into(), ..Progress::default() };
        let mut images = [0; 80];
        let sink = Mutex::new(&mut images[..]);
        let ended = load(&sources(20), &PREPARATION, 2, false, &sink, &progress);
        assert!(matches!(ended, Err(Failure::Cancelled)));
        let progress = Progress::default();
        load(&sources(20), &PREPARATION, 2, false, &sink, &progress).unwrap();
        assert_eq!(progress.done.into_inner(), 20);
    }
}
