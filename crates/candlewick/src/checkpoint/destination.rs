//! Where a save goes: behind links, into a folder that is there, over a file that may be written.

use super::ordinary;
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf, absolute, is_separator};

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// A path that a file may be written to.
#[derive(Debug)]
pub struct Destination {
    /// Not a link, so that links stay what they are, and absolute, whatever becomes of the working directory.
    pub path: PathBuf,
    /// What stands there, open for writing, and untouched.
    pub old: Option<File>,
}

impl Destination {
    /// Follows `path` to the file that is to be replaced or made.
    ///
    /// # Errors
    /// The system's, or one with a sentence of ours, for anything but a file that may be written.
    pub fn of(path: &Path) -> Result<Self> {
        let exists = match path.metadata() {
            Ok(metadata) => {
                ordinary::check(metadata.file_type())?;
                if metadata.permissions().readonly() {
                    // To the superuser too, whom the system would not stop.
                    return Err(Error::new(ErrorKind::PermissionDenied, "the file is write-protected"));
                }
                true
            }
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let target = follow(absolute(path)?)?;
        if exists {
            let old = ordinary::open(&target, OpenOptions::new().write(true))?;
            return Ok(Self { path: target, old: Some(old) });
        }
        if names_a_folder(path) || names_a_folder(&target) {
            return Err(Error::new(ErrorKind::IsADirectory, "it names a folder"));
        }
        let folder = folder(&target);
        if !folder.exists() {
            return Err(Error::new(ErrorKind::NotFound, format!("the folder {} does not exist", folder.display())));
        }
        Ok(Self { path: target, old: None })
    }

    /// The folder of the file.
    pub fn folder(&self) -> &Path {
        folder(&self.path)
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// To the end of a chain of links, whether or not something is there.
fn follow(mut path: PathBuf) -> Result<PathBuf> {
    for _ in 0..=MOST_LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = folder(&path).join(next),
            Err(_) => return Ok(path), // no link, or nothing
        }
    }
    Err(Error::other("its links lead nowhere"))
}

/// `runs/`, `runs/.` and `runs/..` mean a folder, even if it is not there yet; Rust would take the first two for `runs`.
fn names_a_folder(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let last = text.rsplit(is_separator).next().unwrap_or_default();
    matches!(last, "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_no_files() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["", ".", "missing/", "missing/."] {
            let error = Destination::of(&folder.path().join(path)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::IsADirectory, "{path}");
        }
        assert_eq!(Destination::of(&folder.path().join("missing/..")).unwrap_err().kind(), ErrorKind::IsADirectory);
        assert!(Destination::of(Path::new("")).is_err());
        let error = Destination::of(&folder.path().join("missing/net")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().ends_with("missing does not exist"), "{error}");
        fs::write(folder.path().join("file"), "x").unwrap();
        assert!(Destination::of(&folder.path().join("file/net")).is_err());
        assert!(Destination::of(&folder.path().join("file/")).is_err());
    }

    #[test]
    fn names_have_a_length() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Destination::of(&folder.path().join("x".repeat(255))).is_ok());
        assert_eq!(
            Destination::of(&folder.path().join("x".repeat(256))).unwrap_err().kind(),
            ErrorKind::InvalidFilename
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_to_their_end() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("real/inner")).unwrap();
        symlink("real/inner", at("folder")).unwrap();
        symlink("second", at("first")).unwrap();
        symlink("folder/../target", at("second")).unwrap();
        let target = || Destination::of(&at("first")).unwrap();
        assert!(target().old.is_none());
        fs::write(at("real/target"), "x").unwrap();
        assert!(target().old.is_some());
        assert_eq!(target().path.canonicalize().unwrap(), at("real/target").canonicalize().unwrap());
        symlink("loop", at("loop")).unwrap();
        assert!(Destination::of(&at("loop")).unwrap_err().to_string().contains("symbolic links"));
        assert!(follow(at("loop")).is_err());
        symlink("missing/", at("dangling")).unwrap();
        assert_eq!(Destination::of(&at("dangling")).unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn write_protection_holds_for_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "x").unwrap();
        let mut permissions = path.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        let error = Destination::of(&path).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::PermissionDenied, "the file is write-protected".into())
        );
    }
}
