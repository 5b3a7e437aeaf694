//! Temporary files beside the file that they will become, and what killed writers left of them.
//!
//! A name tells for which file, on which machine and by which process: `.net.safetensors.candlewick-ff886433-4711-x8Qw2z`. A
//! writer holds a lock on its file while it lives, whatever its process, container or machine; without a lock nobody lives.

use super::destination::Destination;
use std::fs::{self, File, OpenOptions};
use std::io::Result;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tempfile::{Builder, NamedTempFile};

/// Bytes of the file's name in ours, which then fits wherever the name itself does.
const MOST_NAME: usize = 100;
/// On some network drives each machine sees its own locks only. What another one wrote, and who knows which, gets this long.
const OF_OTHERS: Duration = Duration::from_secs(3600);

/// A new, locked file beside `destination`.
///
/// # Errors
/// The system's.
pub fn create(destination: &Destination) -> Result<NamedTempFile> {
    let mut builder = Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A new file's are less what umask takes away; one that replaces another gets that one's in the end.
        let mode = if destination.old.is_some() { 0o600 } else { 0o666 };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    let prefix = format!("{}{}-{}-", stem(destination), machine(), std::process::id());
    builder.prefix(&prefix);
    loop {
        let file = builder.tempfile_in(destination.folder())?;
        // Where there are no locks, nobody will get one and take the file for a dead one's.
        let _ = file.as_file().lock();
        if file.path().exists() {
            return Ok(file);
        } // else somebody swept it up before it was locked
    }
}

/// Removes what killed writers left of `destination`; `own`, made just now, tells the disk's time.
pub fn sweep(destination: &Destination, own: &NamedTempFile) {
    let (Ok(entries), Ok(now)) =
        (fs::read_dir(destination.folder()), own.as_file().metadata().and_then(|m| m.modified()))
    else {
        return;
    };
    let (stem, machine) = (stem(destination), machine());
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(writer) = name.to_str().and_then(|name| name.strip_prefix(&stem)) else { continue };
        let is_ours = machine != UNKNOWN && writer.starts_with(&machine);
        if let Ok(Some(_lock)) = lock_if_dead(&entry.path(), now, is_ours) {
            let _ = fs::remove_file(entry.path()); // another saver may have been quicker
        }
    }
}

/// A temporary file that nobody writes to any more, locked: who has just made it, and not locked it yet, then waits until it is
/// gone, and makes another. When in doubt, somebody writes to it.
fn lock_if_dead(path: &Path, now: SystemTime, is_ours: bool) -> Result<Option<File>> {
    if !path.symlink_metadata()?.is_file() {
        return Ok(None);
    }
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let age = now.duration_since(file.metadata()?.modified()?).unwrap_or_default();
    Ok(((is_ours || age > OF_OTHERS) && file.try_lock().is_ok()).then_some(file))
}

/// What names of temporary files for `destination` begin with. It may be another file's too, if the names are long and alike.
fn stem(destination: &Destination) -> String {
    let name = destination.path.file_name().unwrap_or_default().to_string_lossy();
    format!(".{}.candlewick-", &name[..name.floor_char_boundary(MOST_NAME)])
}

const UNKNOWN: &str = "0";

/// The running system, which all its containers share.
fn machine() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.split('-').next().filter(|id| !id.is_empty()).unwrap_or(UNKNOWN).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(folder: &Path, name: &str) -> Destination {
        Destination::of(&folder.join(name)).unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_tell_the_file_and_the_writer_and_fit() {
        let folder = tempfile::tempdir().unwrap();
        let file = create(&destination(folder.path(), "net")).unwrap();
        let expected = format!(".net.candlewick-{}-{}-", machine(), std::process::id());
        assert!(file.path().file_name().unwrap().to_str().unwrap().starts_with(&expected), "{:?}", file.path());
        let longest = create(&destination(folder.path(), &"é".repeat(127))).unwrap();
        assert!(longest.path().file_name().unwrap().len() <= 143, "as encrypted folders have it");
        drop((file, longest));
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn the_dead_are_swept_up_and_the_living_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let net = destination(folder.path(), "net");
        let make = |name: &str| File::create_new(folder.path().join(name)).unwrap();
        let hour = |file: &File, hours: u64| {
            file.set_modified(SystemTime::now() - Duration::from_secs(3600 * hours)).unwrap();
        };
        let dead = format!(".net.candlewick-{}-1-aaaaaa", machine());
        let living = format!(".net.candlewick-{}-1-bbbbbb", machine());
        let (other, old) = (".net.candlewick-elsewhere-1-cccccc", ".net.candlewick-elsewhere-1-dddddd");
        let (old_alive, of_another) = (".net.candlewick-elsewhere-1-eeeeee", ".net2.candlewick-elsewhere-1-ffffff");
        drop(make(&dead));
        let lock = make(&living);
        lock.lock().unwrap();
        drop(make(other));
        hour(&make(old), 2);
        let old_lock = make(old_alive);
        hour(&old_lock, 2);
        old_lock.lock().unwrap();
        hour(&make(of_another), 2);
        fs::create_dir(folder.path().join(".net.candlewick-folder")).unwrap();
        let (first, second) = (create(&net).unwrap(), create(&net).unwrap());
        sweep(&net, &first);
        assert!(first.path().exists() && second.path().exists());
        drop((first, second));
        let mut left = [&living, other, old_alive, of_another, ".net.candlewick-folder"];
        left.sort();
        if cfg!(target_os = "linux") {
            assert_eq!(names(folder.path()), left);
        }
    }

    #[test]
    fn nothing_is_swept_up_once_it_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let net = destination(folder.path(), "net");
                    for _ in 0..1_000 {
                        let own = create(&net).unwrap();
                        sweep(&net, &own);
                        assert!(own.path().exists());
                    }
                });
            }
        });
    }
}
