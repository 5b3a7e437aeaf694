//! Ordinary files, and nothing else: reading from a device may never end, opening a pipe may wait for ever.

use std::fs::{File, FileType, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::path::Path;

/// Opens the file to which `path` leads.
///
/// # Errors
/// The system's; `IsADirectory` for a folder, `Unsupported` for what is no file either.
pub fn open(path: &Path, options: &mut OpenOptions) -> Result<File> {
    check(path.metadata()?.file_type())?;
    // By now a pipe may be in its place: then opening does not wait, and the second look finds it.
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32);
    }
    let file = options.open(path)?;
    check(file.metadata()?.file_type())?;
    Ok(file)
}

/// Fails for anything but an ordinary file.
pub fn check(kind: FileType) -> Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(Error::new(ErrorKind::IsADirectory, "it is a folder"));
    }
    Err(Error::new(ErrorKind::Unsupported, format!("it is {}, not a file", name(kind))))
}

#[cfg(unix)]
fn name(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn name(_: FileType) -> &'static str {
    "a device"
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, mknodat};

    #[test]
    fn what_is_no_ordinary_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = |path: &Path| {
            [OpenOptions::new().read(true), OpenOptions::new().write(true)]
                .map(|options| open(path, options).unwrap_err())
                .map(|error| (error.kind(), error.to_string()))
        };
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, kind, words) in [
            (folder.path(), ErrorKind::IsADirectory, "it is a folder"),
            (Path::new("/dev/zero"), ErrorKind::Unsupported, "it is a device, not a file"),
            (&pipe, ErrorKind::Unsupported, "it is a pipe, not a file"),
            (&socket, ErrorKind::Unsupported, "it is a socket, not a file"),
        ] {
            let expected = (kind, words.to_owned());
            assert_eq!(refusal(path), [expected.clone(), expected]);
        }
        std::fs::write(folder.path().join("file"), "x").unwrap();
        let file = open(&folder.path().join("file"), OpenOptions::new().read(true)).unwrap();
        let flags = fcntl_getfl(&file).unwrap();
        assert!(flags.contains(OFlags::NONBLOCK), "a pipe that took its place would be waited for");
    }
}
