//! Writing: beside the file first, then synced, then renamed over it.

use super::destination::Destination;
use super::layout::Layout;
use super::reason::{advice, words};
use super::{in_place, ordinary, rights, temporary};
use crate::error::{Code, Error, Result};
use candle_core::Tensor;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Writes `parameters` to `path`, all or nothing, with what candlewick has to say of them. A link stays one, and a file that is replaced leaves its rights to the new
/// one. What killed writers left beside it is removed.
///
/// Where nothing can be renamed over the file (it is mounted, or its folder may not be written), it is written in place: this
/// is not all or nothing. A full disk is noticed first, and a reader never takes half a file for a whole one.
///
/// # Errors
/// `SaveFailed` with the system's reason.
pub fn save(parameters: &[(String, Tensor)], text: Option<&str>, path: &Path) -> Result<()> {
    write(&Layout::new(parameters, text, false)?, path)
}

/// Writes a file as [`save`] does.
pub(super) fn write(layout: &Layout, path: &Path) -> Result<()> {
    Destination::of(path).and_then(|destination| put(layout, destination)).map_err(|error| failed(path, &error))
}

/// Finds out what [`save`] would, short of writing: whether a file of `bytes` bytes could be saved to `path`. Changes nothing
/// there; a temporary file comes and goes beside it.
///
/// # Errors
/// `SaveFailed` as for [`save`].
pub fn check_writable(path: &Path, bytes: u64) -> Result<()> {
    let check = |destination: Destination| match temporary::create(&destination) {
        Ok(mut file) => io::copy(&mut io::repeat(0).take(bytes.max(1)), &mut file).map(drop),
        Err(error) if stays(error.kind()) && destination.old.is_some() => Ok(()),
        Err(error) => Err(error),
    };
    Destination::of(path).and_then(check).map_err(|error| failed(path, &error))
}

fn put(layout: &Layout, mut destination: Destination) -> io::Result<()> {
    let exists = destination.old.is_some();
    let error = match temporary::create(&destination) {
        Err(error) => error,
        Ok(file) => {
            temporary::sweep(&destination, &file);
            let file = fill(file, layout, destination.old.take())?;
            match file.persist(&destination.path) {
                // Dropped, and its lock with it, before the folder takes its time.
                Ok(file) => {
                    drop(file);
                    sync(destination.folder());
                    return Ok(());
                }
                Err(refused) => refused.error,
            }
        }
    };
    if !exists || !stays(error.kind()) {
        return Err(error);
    }
    in_place::overwrite(&ordinary::open(&destination.path, OpenOptions::new().write(true))?, layout)
}

/// Writes the whole of it, for good, with the rights of what it will replace, which Windows wants closed by then.
fn fill(mut file: NamedTempFile, layout: &Layout, old: Option<File>) -> io::Result<NamedTempFile> {
    file.write_all(layout.beginning())?;
    layout.write_rest(&mut file)?;
    if let Some(old) = old {
        rights::keep(&old, file.as_file())?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}

/// Whether a file cannot be replaced by another, and may yet be written itself.
fn stays(kind: ErrorKind) -> bool {
    use ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(kind, PermissionDenied | ReadOnlyFilesystem | ResourceBusy | CrossesDevices)
}

/// So that the new name outlives a power cut too. Not all systems can, and the file is whole either way.
fn sync(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let message = format!("cannot save parameters to {}: {}; {}", path.display(), words(error), advice(error.kind()));
    Error::new(Code::SaveFailed, message)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{VALUES, network, parameters};
    use super::*;
    use crate::checkpoint::load;
    use std::fs;
    use std::path::PathBuf;

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        for _ in 0..2 {
            save(&parameters(), None, &path).unwrap();
            assert_eq!(load(&network(), &path, false).unwrap(), VALUES);
            assert_eq!(count(folder.path()), 1, "nothing else is left");
        }
    }

    #[test]
    fn a_failed_save_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(300);
        for (path, words) in [
            ("missing/net.safetensors", "does not exist; make the folder first"),
            ("", "it names a folder; name a file in it"),
            (".", "it is a folder; name a file in it"),
            (long.as_str(), "file name too long; choose a shorter"),
        ] {
            let path = folder.path().join(path);
            for outcome in [save(&parameters(), None, &path), check_writable(&path, 1)] {
                let error = outcome.unwrap_err();
                assert_eq!(error.code, Code::SaveFailed);
                assert!(error.message.contains(words) || path.ends_with(folder.path()), "{}", error.message);
                assert!(error.message.contains(path.to_str().unwrap()), "{}", error.message);
            }
        }
        assert_eq!(count(folder.path()), 0);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_devices_devices() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("net.safetensors"), folder.path().join("latest"));
        symlink(&file, &link).unwrap();
        for _ in 0..2 {
            save(&parameters(), None, &link).unwrap(); // makes the file first, and replaces it then
            assert!(link.is_symlink());
            assert_eq!(load(&network(), &file, false).unwrap(), VALUES);
        }
        for device in ["/dev/null", "/dev/full"] {
            let link = folder.path().join(device.replace('/', ""));
            symlink(device, &link).unwrap();
            for path in [&link, Path::new(device)] {
                for outcome in [save(&parameters(), None, path), check_writable(path, 1)] {
                    let error = outcome.unwrap_err();
                    assert_eq!(error.code, Code::SaveFailed);
                    assert!(
                        error.message.contains("it is a device, not a file; choose another path"),
                        "{}",
                        error.message
                    );
                }
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn rights_are_kept_and_new_files_are_ordinary_ones() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
        let (plain, new) = (folder.path().join("plain"), folder.path().join("new"));
        fs::write(&plain, "").unwrap(); // 0666 less umask
        save(&parameters(), None, &new).unwrap();
        assert_eq!(mode(&new), mode(&plain));
        fs::set_permissions(&new, PermissionsExt::from_mode(0o620)).unwrap();
        save(&parameters(), None, &new).unwrap();
        assert_eq!(mode(&new), 0o620);
    }

    /// What the superuser is not refused, this test tries as nobody, in a process of its own.
    #[cfg(unix)]
    #[test]
    fn in_a_folder_that_may_not_be_written_a_file_is_and_a_new_one_is_not() {
        use std::os::unix::{fs::PermissionsExt, process::CommandExt};
        const FOLDER: &str = "CANDLEWICK_TEST_FOLDER";
        if let Some(folder) = std::env::var_os(FOLDER) {
            return only_what_is_there_is_written(Path::new(&folder));
        }
        let folder = tempfile::tempdir().unwrap();
        let permit = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        fs::write(folder.path().join("net"), "old").unwrap();
        permit(&folder.path().join("net"), 0o666);
        permit(folder.path(), 0o555);
        if File::create(folder.path().join("probe")).is_err() {
            only_what_is_there_is_written(folder.path());
        } else {
            fs::remove_file(folder.path().join("probe")).unwrap();
            let this = "in_a_folder_that_may_not_be_written_a_file_is_and_a_new_one_is_not";
            let mut nobody = std::process::Command::new(std::env::current_exe().unwrap());
            nobody.arg(this).env(FOLDER, folder.path()).uid(65_534);
            // Where nobody may not run this, there is nobody to try it as.
            if let Ok(outcome) = nobody.output() {
                let said = String::from_utf8_lossy(&outcome.stdout);
                assert!(outcome.status.success() && said.contains("1 passed"), "{said}");
            }
        }
        permit(folder.path(), 0o755);
    }

    #[cfg(unix)]
    fn only_what_is_there_is_written(folder: &Path) {
        let (path, new) = (folder.join("net"), folder.join("new"));
        check_writable(&path, 100_000).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        save(&parameters(), None, &path).unwrap();
        assert_eq!(load(&network(), &path, false).unwrap(), VALUES);
        for outcome in [save(&parameters(), None, &new), check_writable(&new, 1)] {
            let error = outcome.unwrap_err();
            assert!(error.message.contains("permission denied; make it writable"), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_a_killed_writer_left_is_swept_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net");
        let left = temporary::create(&Destination::of(&path).unwrap()).unwrap();
        drop(left.keep().unwrap()); // the lock goes, the file stays
        check_writable(&path, 1).unwrap();
        assert_eq!(count(folder.path()), 1);
        save(&parameters(), None, &path).unwrap();
        assert_eq!(count(folder.path()), 1);
        load(&network(), &path, false).unwrap();
    }

    #[test]
    fn a_check_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net");
        check_writable(&path, 100_000).unwrap();
        assert_eq!(count(folder.path()), 0);
        fs::write(&path, "old").unwrap();
        let modified = || path.metadata().unwrap().modified().unwrap();
        let before = modified();
        std::thread::sleep(std::time::Duration::from_millis(20));
        check_writable(&path, 100_000).unwrap();
        assert_eq!((fs::read(&path).unwrap(), modified()), (b"old".to_vec(), before));
        assert_eq!(count(folder.path()), 1);
    }

    #[test]
    fn two_savers_at_once_leave_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net");
        save(&parameters(), None, &path).unwrap();
        std::thread::scope(|scope| {
            let savers: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| (0..50).for_each(|_| save(&parameters(), None, &path).unwrap())))
                .collect();
            while savers.iter().any(|saver| !saver.is_finished()) {
                assert_eq!(load(&network(), &path, false).map_err(|e| e.message), Ok(VALUES.to_vec()));
            }
        });
        assert_eq!(count(folder.path()), 1);
    }
}
