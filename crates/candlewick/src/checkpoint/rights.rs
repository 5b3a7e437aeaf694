//! A file that replaces another keeps its rights.

use std::fs::File;
use std::io::Result;

/// Gives `new` the owner, group, mode and access list of `old`, as far as this process may; nobody gets rights from it that
/// he did not have.
///
/// # Errors
/// The system's, where the rights of `old` cannot be learnt.
#[cfg(unix)]
pub fn keep(old: &File, new: &File) -> Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let (before, now) = (old.metadata()?, new.metadata()?);
    let is_of_group = now.gid() == before.gid() || fchown(new, None, Some(before.gid())).is_ok();
    let is_of_owner = now.uid() == before.uid() || fchown(new, Some(before.uid()), None).is_ok();
    let has_list = keep_access_list(old, new);
    let mode = granted(before.mode(), is_of_owner, is_of_group, has_list);
    // Some network drives have no modes: there the file stays this process's own.
    let _ = new.set_permissions(PermissionsExt::from_mode(mode));
    Ok(())
}

/// The old file's mode, as far as the new one's owner, group and access list are the old one's.
#[cfg(unix)]
fn granted(mode: u32, is_of_owner: bool, is_of_group: bool, has_list: bool) -> u32 {
    // To run as somebody else, or as his group, is a right over what is his.
    let mode = mode & if is_of_owner && is_of_group { 0o7777 } else { 0o777 };
    if is_of_group && has_list { mode } else { without_group(mode) }
}

/// The group can no longer do more than everybody.
#[cfg(unix)]
fn without_group(mode: u32) -> u32 {
    mode & (!0o070 | (mode & 0o007) << 3)
}

/// Without its list, the rights of all in it would pass to the file's group.
#[cfg(target_os = "linux")]
fn keep_access_list(old: &File, new: &File) -> bool {
    use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
    use rustix::io::Errno;
    const NAME: &str = "system.posix_acl_access";
    let mut list = [0; 4096];
    match fgetxattr(old, NAME, &mut list) {
        Ok(length) => fsetxattr(new, NAME, &list[..length], XattrFlags::empty()).is_ok(),
        // None. The folder may have given the new file one.
        Err(Errno::NODATA | Errno::OPNOTSUPP) => {
            matches!(fremovexattr(new, NAME), Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP))
        }
        Err(_) => false,
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn keep_access_list(_: &File, _: &File) -> bool {
    true
}

/// Elsewhere a file's rights are its folder's.
#[cfg(not(unix))]
pub fn keep(_: &File, _: &File) -> Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    use tempfile::NamedTempFile;

    fn pair(mode: u32) -> (NamedTempFile, NamedTempFile) {
        let (old, new) = (NamedTempFile::new().unwrap(), NamedTempFile::new().unwrap());
        old.as_file().set_permissions(PermissionsExt::from_mode(mode)).unwrap();
        (old, new)
    }

    fn kept(old: &NamedTempFile, new: &NamedTempFile) -> (u32, u32, u32) {
        keep(old.as_file(), new.as_file()).unwrap();
        let metadata = new.as_file().metadata().unwrap();
        (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
    }

    #[test]
    fn modes_are_kept() {
        for mode in [0o600, 0o660, 0o644, 0o666, 0o755, 0o200, 0o4755] {
            let (old, new) = pair(mode);
            assert_eq!(kept(&old, &new).0, mode, "{mode:o}");
        }
    }

    #[test]
    fn of_another_owner_group_or_list_less_is_kept() {
        for (is_of_owner, is_of_group, has_list, expected) in [
            (true, true, true, 0o6764),
            (true, true, false, 0o6744),
            (true, false, true, 0o744),
            (false, true, true, 0o764),
            (false, true, false, 0o744),
            (false, false, true, 0o744),
            (false, false, false, 0o744),
        ] {
            let found = granted(0o100_6764, is_of_owner, is_of_group, has_list);
            assert_eq!(found, expected, "{is_of_owner} {is_of_group} {has_list}: {found:o}");
        }
    }

    #[test]
    fn owner_and_group_are_kept_where_one_may() {
        let (old, new) = pair(0o640);
        if fchown(old.as_file(), Some(12), Some(34)).is_ok() {
            assert_eq!(kept(&old, &new), (0o640, 12, 34));
        }
    }

    #[test]
    fn another_group_gets_no_more_than_everybody() {
        for (mode, expected) in [(0o660, 0o600), (0o664, 0o644), (0o646, 0o646), (0o2775, 0o2755)] {
            assert_eq!(without_group(mode), expected, "{mode:o}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_access_list_is_kept_and_one_that_was_not_there_is_not() {
        use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};
        const NAME: &str = "system.posix_acl_access";
        // Version 2; owner rw, user 12 rw, group none, mask rw, others none.
        let entry = |tag: u16, rights: u16, id: u32| {
            [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
        };
        let none = u32::MAX;
        let entries = [(1, 6, none), (2, 6, 12), (4, 0, none), (16, 6, none), (32, 0, none)];
        let entries = entries.map(|(tag, rights, id)| entry(tag, rights, id)).concat();
        let list = [&2u32.to_le_bytes()[..], &entries].concat();
        let (with, without) = pair(0o660);
        if fsetxattr(with.as_file(), NAME, &list, XattrFlags::empty()).is_err() {
            return; // no lists on this file system
        }
        let held = |file: &NamedTempFile| {
            let mut list = [0; 256];
            fgetxattr(file.as_file(), NAME, &mut list).map(|length| list[..length].to_vec()).ok()
        };
        let (_, new) = pair(0o600);
        assert_eq!(kept(&with, &new).0, 0o660);
        assert_eq!(held(&new), Some(list));
        without.as_file().set_permissions(PermissionsExt::from_mode(0o640)).unwrap();
        assert_eq!(kept(&without, &new).0, 0o640);
        assert_eq!(held(&new), None);
    }
}
