//! Why the system refused, in words.

use std::io::{Error, ErrorKind};

/// `permission denied` rather than `Permission denied (os error 13)`.
pub fn words(error: &Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default().trim_end_matches('.'); // Windows ends its sentences
    let mut letters = text.chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

/// What to do about a save that failed for `kind`.
pub fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound | ErrorKind::NotADirectory => "make the folder first, or choose one that exists",
        ErrorKind::IsADirectory => "name a file in it",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "make it writable, or choose another path",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "make room, or choose another disk"
        }
        ErrorKind::InvalidFilename => "choose a shorter or plainer name",
        ErrorKind::ResourceBusy => "wait for it, or choose another path",
        _ => "choose another path",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_systems_and_words_for_people() {
        assert_eq!(words(&Error::other("it is a folder")), "it is a folder");
        assert_eq!(words(&Error::other("File not found. (os error 2)")), "file not found");
        #[cfg(unix)]
        assert_eq!(words(&Error::from_raw_os_error(13)), "permission denied");
        assert_eq!(words(&Error::other("")), "");
    }

    #[test]
    fn each_reason_has_its_advice() {
        for (kinds, words) in [
            (&[ErrorKind::NotFound, ErrorKind::NotADirectory][..], "make the folder first"),
            (&[ErrorKind::IsADirectory], "name a file in it"),
            (&[ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem], "make it writable"),
            (&[ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge], "make room"),
            (&[ErrorKind::InvalidFilename], "choose a shorter or plainer name"),
            (&[ErrorKind::ResourceBusy], "wait for it"),
            (&[ErrorKind::Unsupported, ErrorKind::Other], "choose another path"),
        ] {
            for kind in kinds {
                assert!(advice(*kind).starts_with(words), "{kind}: {}", advice(*kind));
            }
        }
    }
}
