//! Writing over a file that nothing can be renamed over: one that is mounted, or whose folder may not be written.

use super::layout::Layout;
use super::lock::patiently;
use super::reason::words;
use std::fs::{File, TryLockError};
use std::io::{self, Error, ErrorKind, Read, Seek, SeekFrom, Write};

/// Replaces the content of `file`. This is not all or nothing, but near it: a full disk is noticed before anything is lost,
/// other writers wait, and what is half-written is no safetensors file, as its beginning comes last.
///
/// # Errors
/// `ResourceBusy` where somebody keeps a lock on the file, or the system's; a sentence says when the old content is lost.
pub fn overwrite(file: &File, layout: &Layout) -> io::Result<()> {
    if let Err(TryLockError::WouldBlock) = patiently(|| file.try_lock()) {
        return Err(Error::new(ErrorKind::ResourceBusy, "another process keeps it locked"));
    }
    make_room(file, layout.len())?;
    replace(file, layout).map_err(|error| {
        Error::new(
            error.kind(),
            format!("{}, and what stood there is lost, as it had to be written in place", words(&error)),
        )
    })
}

/// Makes the file at least `len` bytes long, or leaves it as it was.
fn make_room(mut file: &File, len: u64) -> io::Result<()> {
    let old = file.seek(SeekFrom::End(0))?;
    let more = len.saturating_sub(old);
    let grown = io::copy(&mut io::repeat(0).take(more), &mut file).and_then(|_| file.sync_all());
    if grown.is_err() {
        file.set_len(old)?;
    }
    grown
}

fn replace(mut file: &File, layout: &Layout) -> io::Result<()> {
    file.rewind()?;
    file.write_all(&vec![0; layout.beginning().len()])?;
    file.sync_data()?;
    layout.write_rest(file)?;
    file.set_len(layout.len())?;
    file.sync_data()?;
    file.rewind()?;
    file.write_all(layout.beginning())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{VALUES, network, parameters};
    use super::*;
    use crate::checkpoint::load;
    use std::fs::{self, OpenOptions};

    #[test]
    fn short_and_long_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net");
        let parameters = parameters();
        let layout = Layout::new(&parameters, None, false).unwrap();
        for old in [0, 7, 100, 100_000] {
            fs::write(&path, vec![1; old]).unwrap();
            overwrite(&OpenOptions::new().write(true).open(&path).unwrap(), &layout).unwrap();
            assert_eq!(load(&network(), &path, false).unwrap(), VALUES);
            assert_eq!(path.metadata().unwrap().len(), layout.len());
        }
    }

    #[test]
    fn without_room_the_old_content_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net");
        fs::write(&path, "old").unwrap();
        let reader = File::open(&path).unwrap(); // may not be written
        let parameters = parameters();
        assert!(overwrite(&reader, &Layout::new(&parameters, None, false).unwrap()).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }

    #[test]
    fn a_lock_that_is_never_given_up_is_an_error_for_writers_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net");
        let parameters = parameters();
        crate::checkpoint::save(&parameters, None, &path).unwrap();
        let keeper = File::open(&path).unwrap();
        keeper.lock().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(load(&network(), &path, false).unwrap(), VALUES));
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            let error = overwrite(&file, &Layout::new(&parameters, None, false).unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        });
    }

    #[test]
    fn who_reads_meanwhile_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net");
        let parameters = parameters();
        let layout = Layout::new(&parameters, None, false).unwrap();
        crate::checkpoint::save(&parameters, None, &path).unwrap();
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..50 {
                            overwrite(&OpenOptions::new().write(true).open(&path).unwrap(), &layout).unwrap();
                        }
                    })
                })
                .collect();
            while writers.iter().any(|writer| !writer.is_finished()) {
                assert_eq!(load(&network(), &path, false).map_err(|e| e.message), Ok(VALUES.to_vec()));
            }
        });
    }
}
