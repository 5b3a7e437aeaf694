//! Prepared images in a file: what has been decoded once need not be decoded again, nor fit into memory.
//!
//! The file begins with the images, so that they can be mapped. Behind them stands JSON, the numbers of pictures that are broken and
//! why, then its length (8 bytes, lowest first), then a mark. A file goes by the name of its [`key`], and is never changed.

use crate::BrokenOnes;
use crate::load::{Failure, Progress, Sink, Source, load};
use crate::prepare::Preparation;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::{Builder, NamedTempFile};

const MARK: &[u8; 8] = b"cwimgs2\n";

/// How the names of files begin that are still being written.
const UNFINISHED: &str = ".unfinished-";

/// From this age on, one that is still unfinished was left behind by a process that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// Images in a file, and the pictures that are not among them.
pub struct Cached {
    /// Begins with the images.
    pub file: File,
    /// Their numbers, in order, and why.
    pub broken: BrokenOnes,
    /// Whether the file was there already.
    pub was_there: bool,
}

/// Opens the file of what [`load`] would make of these pictures, in the folder `dir`, or makes it.
///
/// # Errors
/// As for [`load`]; `Sink` for a file that cannot be written.
pub fn cached(
    dir: &Path,
    files: &[PathBuf],
    preparation: &Preparation,
    threads: usize,
    fails: bool,
    progress: &Progress,
) -> Result<Cached, Failure> {
    let path = dir.join(format!("{:016x}.images", key(files, preparation)));
    let len = (files.len() * preparation.image_len()) as u64;
    if let Ok(Some((file, broken))) = open(&path, len)
        && (!fails || broken.is_empty())
    {
        progress.done.store(files.len(), std::sync::atomic::Ordering::Relaxed);
        return Ok(Cached { file, broken, was_there: true });
    }
    fs::create_dir_all(dir).map_err(Failure::Sink)?;
    sweep(dir);
    let mut temporary = Builder::new().prefix(UNFINISHED).tempfile_in(dir).map_err(Failure::Sink)?;
    temporary.as_file().set_len(len).map_err(Failure::Sink)?;
    let sources: Vec<_> = files.iter().cloned().map(Source::File).collect();
    let sink = Rows(temporary.as_file());
    let broken = load(&sources, preparation, threads, fails, &sink, progress)?;
    finish(&mut temporary, len, &broken).map_err(Failure::Sink)?;
    let file = temporary.persist(&path).map_err(|error| Failure::Sink(error.error))?;
    Ok(Cached { file, broken, was_there: false })
}

/// A number that differs, as good as always, for other files, for files that were changed, and for images of another kind.
fn key(files: &[PathBuf], preparation: &Preparation) -> u64 {
    let mut hasher = DefaultHasher::new();
    (MARK, env!("CARGO_PKG_VERSION"), preparation).hash(&mut hasher);
    for path in files {
        let facts = fs::metadata(path).ok().map(|facts| (facts.len(), facts.modified().ok()));
        (path, facts).hash(&mut hasher);
    }
    hasher.finish()
}

/// The images' file, and the pictures that are broken; none, if it is not whole.
fn open(path: &Path, len: u64) -> io::Result<Option<(File, BrokenOnes)>> {
    let mut file = File::open(path)?;
    let mut end = [0; 16];
    let whole = file.seek(SeekFrom::End(-16))? + 16;
    file.read_exact(&mut end)?;
    let (text_len, mark) = end.split_at(8);
    let text_len = u64::from_le_bytes(text_len.try_into().unwrap_or_default());
    if mark != MARK || len.checked_add(text_len).and_then(|all| all.checked_add(16)) != Some(whole) {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(len))?;
    let broken = serde_json::from_reader(io::BufReader::new(&file).take(text_len))?;
    Ok(Some((file, broken)))
}

fn finish(file: &mut NamedTempFile, len: u64, broken: &[(usize, String)]) -> io::Result<()> {
    file.seek(SeekFrom::Start(len))?;
    let text = serde_json::to_vec(broken)?;
    file.write_all(&text)?;
    file.write_all(&(text.len() as u64).to_le_bytes())?;
    file.write_all(MARK)?;
    file.as_file().sync_all()
}

/// Removes what killed processes have left.
fn sweep(dir: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|facts| facts.modified()).ok().and_then(|at| now.duration_since(at).ok());
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) && age.is_some_and(|age| age > LEFT_BEHIND) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Images one after the other in a file.
struct Rows<'a>(&'a File);

impl Sink for Rows<'_> {
    fn put(&self, number: usize, image: &[u8]) -> io::Result<()> {
        write_at(self.0, image, (number * image.len()) as u64)
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        let written = file.seek_write(bytes, offset)?;
        if written == 0 {
            return Err(ErrorKind::WriteZero.into());
        }
        (bytes, offset) = (&bytes[written..], offset + written as u64);
    }
    Ok(())
}

/// A sentence's end for what went wrong with the file.
pub fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull => "there is no room left on the disk".into(),
        ErrorKind::PermissionDenied => "it may not be written".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::Fit;
    use image::{DynamicImage, GrayImage, Luma};
    use std::os::unix::fs::FileExt;

    const PREPARATION: Preparation = Preparation { shape: [1, 2, 2], fit: Fit::Stretch, background: [255; 3] };

    #[test]
    fn a_file_serves_until_a_picture_changes() {
        let (dir, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = |i: usize| dir.path().join(format!("{i}.png"));
        for i in 0..4 {
            DynamicImage::from(GrayImage::from_pixel(3, 3, Luma([i as u8]))).save(path(i)).unwrap();
        }
        fs::write(path(2), "no picture").unwrap();
        let files: Vec<_> = (0..4).map(path).collect();
        let get = |preparation: &Preparation| {
            let cached =
                cached(&cache.path().join("deep"), &files, preparation, 2, false, &Progress::default()).unwrap();
            let mut images = vec![9; 4 * preparation.image_len()];
            cached.file.read_exact_at(&mut images, 0).unwrap();
            (cached.was_there, images, cached.broken)
        };
        let broken = vec![(2, "it is neither JPEG, PNG, WebP, BMP nor GIF".to_owned())];
        let images = [[0; 4], [1; 4], [0; 4], [3; 4]].concat();
        assert_eq!(get(&PREPARATION), (false, images.clone(), broken.clone()));
        assert_eq!(get(&PREPARATION), (true, images, broken.clone()));
        assert!(!get(&Preparation { shape: [1, 1, 2], ..PREPARATION }).0);
        DynamicImage::from(GrayImage::from_pixel(3, 3, Luma([7]))).save(path(2)).unwrap();
        assert_eq!(get(&PREPARATION), (false, [[0; 4], [1; 4], [7; 4], [3; 4]].concat(), Vec::new()));
        let names: Vec<_> =
            fs::read_dir(cache.path().join("deep")).unwrap().flatten().map(|entry| entry.path()).collect();
        assert_eq!(names.len(), 3, "nothing is left behind: {names:?}");
        for name in names {
            let whole = fs::read(&name).unwrap();
            fs::write(&name, &whole[..whole.len() - 1]).unwrap();
        }
        assert!(!get(&PREPARATION).0, "one that was cut is made anew");
    }
}
