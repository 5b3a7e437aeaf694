//! Folders of pictures: one a class, perhaps within one a split.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends of the names of files that are taken for pictures, in lower case.
pub const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "gif"];

/// Ends of names of pictures that nobody reads here.
const UNREAD: [&str; 9] = ["tif", "tiff", "heic", "heif", "avif", "jp2", "jxl", "svg", "ico"];

/// Names at the top that make splits, and what each goes by.
const SPLITS: [(&str, SplitName); 7] = [
    ("train", SplitName::Train),
    ("training", SplitName::Train),
    ("test", SplitName::Test),
    ("testing", SplitName::Test),
    ("validation", SplitName::Validation),
    ("valid", SplitName::Validation),
    ("val", SplitName::Validation),
];

/// What a split is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SplitName {
    /// To train on; also all pictures of a folder without splits.
    Train,
    /// To choose by, while training.
    Validation,
    /// To judge by.
    Test,
}

/// What a folder holds.
#[derive(Debug, PartialEq)]
pub struct Folder {
    /// Their names, sorted; labels are their places here.
    pub classes: Vec<String>,
    /// In the order of their names' variants.
    pub splits: Vec<Split>,
    /// Pictures that stand in no class's folder.
    pub loose: usize,
    /// Files of pictures in formats that are not read, by the end of their name.
    pub unread: BTreeMap<String, usize>,
}

/// Pictures of one purpose.
#[derive(Debug, PartialEq)]
pub struct Split {
    /// What they are for.
    pub name: SplitName,
    /// Sorted by class, then by path.
    pub files: Vec<PathBuf>,
    /// Of each file, the place of its class.
    pub labels: Vec<u16>,
}

/// Why a folder cannot be used.
#[derive(Debug, PartialEq)]
pub enum Unusable {
    /// It cannot be read; a sentence.
    NotFound(String),
    /// What it holds is no training set; a sentence.
    Mismatch(String),
    /// The search was cancelled.
    Cancelled,
}

type Result<T> = std::result::Result<T, Unusable>;

/// Finds the pictures of a folder. The folders in it are classes, and all pictures in and below one are of that class; where there is
/// a `train` among them, they are splits, and the classes are in each of these. Whatever begins with a dot is left out, and a
/// link that leads back to a folder above it. Where `classes` are given, labels are their places there, and there need not be
/// pictures of all.
///
/// # Errors
/// For a folder that is not there or may not be read, without pictures, with fewer than two classes, with a class without
/// pictures to train on, or with two whose names differ by case alone; where classes are given, for one that is not among them.
pub fn scan(dir: &Path, classes: Option<&[String]>, cancelled: &AtomicBool) -> Result<Folder> {
    let mut search = Search { cancelled, loose: 0, unread: BTreeMap::new(), above: Vec::new() };
    let top = search.list(dir)?;
    let splits = if top.folders.iter().any(|folder| split_of(folder) == Some(SplitName::Train)) {
        search.loose += top.pictures.len();
        splits(dir, &top.folders)?
    } else {
        search.loose += top.pictures.len();
        vec![(SplitName::Train, dir.to_owned())]
    };
    let mut found = Vec::new();
    for (name, dir) in splits {
        found.push((name, search.classes(&dir)?));
    }
    let classes = match classes {
        Some(classes) => known_names(dir, &found, classes)?,
        None => class_names(dir, &found, search.loose)?,
    };
    let splits =
        found.into_iter().map(|(name, pictures)| split(name, pictures, &classes)).collect::<Result<Vec<_>>>()?;
    Ok(Folder { classes, splits, loose: search.loose, unread: search.unread })
}

/// All pictures in and below a folder, sorted by path.
///
/// # Errors
/// For a folder that is not there or may not be read.
pub fn pictures_below(dir: &Path, cancelled: &AtomicBool) -> Result<Vec<PathBuf>> {
    let mut search = Search { cancelled, loose: 0, unread: BTreeMap::new(), above: Vec::new() };
    let mut files = Vec::new();
    search.descend(dir, &mut files)?;
    files.sort_unstable();
    Ok(files)
}

/// By class.
type Pictures = BTreeMap<String, Vec<PathBuf>>;

/// The splits at the top of a folder.
fn splits(dir: &Path, folders: &[PathBuf]) -> Result<Vec<(SplitName, PathBuf)>> {
    let mut splits = BTreeMap::new();
    for folder in folders {
        let name = last(folder);
        let Some(split) = split_of(folder) else {
            let message = format!(
                "{} has a folder train and, beside it, {name}; beside train, it takes test and validation alone (or take train \
                 itself for a class, in a folder of another name)",
                dir.display()
            );
            return Err(Unusable::Mismatch(message));
        };
        if let Some(other) = splits.insert(split, folder.clone()) {
            let message = format!(
                "{} has both {} and {name}, which mean the same; keep one of them",
                dir.display(),
                last(&other)
            );
            return Err(Unusable::Mismatch(message));
        }
    }
    Ok(splits.into_iter().collect())
}

fn split_of(folder: &Path) -> Option<SplitName> {
    let name = last(folder).to_lowercase();
    SPLITS.iter().find(|(split, _)| *split == name).map(|(_, split)| *split)
}

/// The classes that are given, among which all are that there are pictures of.
fn known_names(dir: &Path, found: &[(SplitName, Pictures)], classes: &[String]) -> Result<Vec<String>> {
    let mut pictures =
        found.iter().flat_map(|(_, pictures)| pictures).filter(|(_, files)| !files.is_empty()).peekable();
    if pictures.peek().is_none() {
        return Err(Unusable::Mismatch(format!("{} has no pictures in folders of classes", dir.display())));
    }
    match pictures.find(|(name, _)| !classes.contains(name)) {
        None => Ok(classes.to_vec()),
        Some((name, _)) => Err(Unusable::Mismatch(format!(
            "{} has pictures of {name}, which is none of the classes {}; name the folders of pictures as they are named there",
            dir.display(),
            classes.join(", ")
        ))),
    }
}

/// The names of the classes that there are pictures of to train on.
fn class_names(dir: &Path, found: &[(SplitName, Pictures)], loose: usize) -> Result<Vec<String>> {
    let dir = dir.display();
    let Some((_, train)) = found.iter().find(|(name, _)| *name == SplitName::Train) else {
        return Err(Unusable::Mismatch(format!("{dir} has no pictures to train on")));
    };
    let mut lower = BTreeMap::new();
    for name in train.keys() {
        if let Some(other) = lower.insert(name.to_lowercase(), name) {
            let message = format!(
                "{dir} has the classes {other} and {name}, which differ by case alone; give them names that differ, or put \
                 their pictures together"
            );
            return Err(Unusable::Mismatch(message));
        }
    }
    if let Some((name, _)) = train.iter().find(|(_, files)| files.is_empty()) {
        let message =
            format!("the class {name} of {dir} has no pictures to train on; put some there, or remove its folder");
        return Err(Unusable::Mismatch(message));
    }
    if train.len() < 2 {
        let there_is = match train.keys().next() {
            Some(name) => format!("one class alone, {name}"),
            None if loose > 0 => format!("{loose} pictures and no folders"),
            None => "no pictures".to_owned(),
        };
        let message = format!(
            "{dir} has {there_is}; put the pictures of each class into a folder of its own, and two classes at least"
        );
        return Err(Unusable::Mismatch(message));
    }
    if train.len() > 1 << 16 {
        return Err(Unusable::Mismatch(format!(
            "{dir} has {} classes; at most {} are told apart",
            train.len(),
            1 << 16
        )));
    }
    Ok(train.keys().cloned().collect())
}

fn split(name: SplitName, pictures: Pictures, classes: &[String]) -> Result<Split> {
    let mut split = Split { name, files: Vec::new(), labels: Vec::new() };
    for (class, files) in pictures {
        let label = classes.iter().position(|known| *known == class).ok_or_else(|| {
            let message = format!(
                "there are pictures of {class} to {} by, but none to train on; add some, or remove them",
                if name == SplitName::Test { "test" } else { "validate" }
            );
            Unusable::Mismatch(message)
        });
        if files.is_empty() {
            continue;
        }
        split.labels.resize(split.labels.len() + files.len(), label? as u16);
        split.files.extend(files);
    }
    Ok(split)
}

/// A walk through folders.
struct Search<'a> {
    cancelled: &'a AtomicBool,
    loose: usize,
    unread: BTreeMap<String, usize>,
    /// The folders that are being walked through, without links in their paths.
    above: Vec<PathBuf>,
}

/// What stands in a folder, hidden things left out.
#[derive(Default)]
struct Listing {
    folders: Vec<PathBuf>,
    pictures: Vec<PathBuf>,
}

impl Search<'_> {
    /// The pictures of each folder in `dir`.
    fn classes(&mut self, dir: &Path) -> Result<Pictures> {
        let mut pictures = Pictures::new();
        for folder in self.list(dir)?.folders {
            let mut files = Vec::new();
            self.descend(&folder, &mut files)?;
            files.sort_unstable();
            pictures.insert(last(&folder), files);
        }
        Ok(pictures)
    }

    /// All pictures in and below a folder.
    fn descend(&mut self, folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
        let own = fs::canonicalize(folder).map_err(|error| unreadable(folder, &error))?;
        if self.above.contains(&own) {
            return Ok(());
        }
        self.above.push(own);
        let listing = self.list(folder)?;
        files.extend(listing.pictures);
        for folder in listing.folders {
            self.descend(&folder, files)?;
        }
        self.above.pop();
        Ok(())
    }

    fn list(&mut self, folder: &Path) -> Result<Listing> {
        let (mut listing, failed) = (Listing::default(), |error: io::Error| unreadable(folder, &error));
        for entry in fs::read_dir(folder).map_err(failed)? {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(Unusable::Cancelled);
            }
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "__MACOSX" {
                continue;
            }
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            // A link that leads nowhere is told of when it is to be read.
            let target =
                if kind.is_symlink() { fs::metadata(&path).ok().map(|target| target.file_type()) } else { Some(kind) };
            let end = path.extension().map(|end| end.to_string_lossy().to_lowercase()).unwrap_or_default();
            if target.is_some_and(|target| target.is_dir()) {
                listing.folders.push(path);
            } else if EXTENSIONS.contains(&&*end) {
                listing.pictures.push(path);
            } else if UNREAD.contains(&&*end) {
                *self.unread.entry(end).or_default() += 1;
            }
        }
        Ok(listing)
    }
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn unreadable(folder: &Path, error: &io::Error) -> Unusable {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        io::ErrorKind::NotADirectory => "it is no folder".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => error.to_string(),
    };
    Unusable::NotFound(format!(
        "cannot read pictures from {}: {reason}; name a folder that holds one for each class",
        folder.display()
    ))
}

/// Whether a file's name is that of a picture.
pub fn is_picture(path: &Path) -> bool {
    path.extension().is_some_and(|end| EXTENSIONS.contains(&&*end.to_string_lossy().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A folder with empty files of these paths; those that end with a slash are folders.
    fn folder(paths: &[&str]) -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in paths {
            let file = dir.path().join(path);
            fs::create_dir_all(if path.ends_with('/') { &file } else { file.parent().unwrap() }).unwrap();
            if !path.ends_with('/') {
                fs::write(file, "").unwrap();
            }
        }
        dir
    }

    fn scanned(dir: &TempDir) -> Result<Folder> {
        scan(dir.path(), None, &AtomicBool::new(false))
    }

    fn refusal(paths: &[&str]) -> String {
        let dir = folder(paths);
        match scanned(&dir) {
            Err(Unusable::Mismatch(message)) => message.replace(&dir.path().display().to_string(), "photos"),
            other => panic!("{other:?}"),
        }
    }

    fn names(dir: &TempDir, split: &Split) -> Vec<String> {
        let relative = |file: &PathBuf| file.strip_prefix(dir.path()).unwrap().to_str().unwrap().replace('\\', "/");
        split.files.iter().map(relative).collect()
    }

    #[test]
    fn folders_are_classes_by_their_sorted_names() {
        let dir = folder(&[
            "dog/b.PNG",
            "dog/a.jpeg",
            "cat/deep/er/z.gif",
            "cat/a.webp",
            "cat/notes.txt",
            "cat/.hidden.png",
            ".git/x.png",
            "loose.jpg",
            "cat/raw.HEIC",
            "Zebra/1.bmp",
            "__MACOSX/cat/._a.png",
        ]);
        let found = scanned(&dir).unwrap();
        assert_eq!(found.classes, ["Zebra", "cat", "dog"]);
        assert_eq!((found.loose, found.unread), (1, BTreeMap::from([("heic".to_owned(), 1)])));
        let [split] = &found.splits[..] else { panic!() };
        assert_eq!(names(&dir, split), ["Zebra/1.bmp", "cat/a.webp", "cat/deep/er/z.gif", "dog/a.jpeg", "dog/b.PNG"]);
        assert_eq!((split.name, &split.labels[..]), (SplitName::Train, &[0, 1, 1, 2, 2][..]));
    }

    #[test]
    fn a_folder_of_training_pictures_makes_splits() {
        let dir = folder(&["train/a/1.png", "train/b/2.png", "val/b/3.png", "val/a/", "Test/a/4.png"]);
        let found = scanned(&dir).unwrap();
        assert_eq!(found.classes, ["a", "b"]);
        let splits: Vec<_> =
            found.splits.iter().map(|split| (split.name, names(&dir, split), split.labels.clone())).collect();
        assert_eq!(
            splits,
            [
                (SplitName::Train, vec!["train/a/1.png".to_owned(), "train/b/2.png".into()], vec![0, 1]),
                (SplitName::Validation, vec!["val/b/3.png".into()], vec![1]),
                (SplitName::Test, vec!["Test/a/4.png".into()], vec![0]),
            ]
        );
        assert_eq!(scanned(&folder(&["test/1.png", "validation/2.png"])).unwrap().classes, ["test", "validation"]);
    }

    #[test]
    fn what_is_no_training_set_is_refused_with_a_sentence() {
        let two = "put the pictures of each class into a folder of its own, and two classes at least";
        for (paths, sentence) in [
            (&["x/"][..], "the class x of photos has no pictures to train on; put some there, or remove its folder"),
            (
                &["a/1.png", "x/"],
                "the class x of photos has no pictures to train on; put some there, or remove its folder",
            ),
            (&[], &format!("photos has no pictures; {two}")),
            (&["1.png", "2.png"], &format!("photos has 2 pictures and no folders; {two}")),
            (&["a/1.png"], &format!("photos has one class alone, a; {two}")),
            (
                &["Cat/1.png", "cat/2.png"],
                "photos has the classes Cat and cat, which differ by case alone; give them names that \
                 differ, or put their pictures together",
            ),
            (
                &["train/a/1.png", "train/b/1.png", "test/c/1.png"],
                "there are pictures of c to test by, but none to train on; add \
                 some, or remove them",
            ),
            (
                &["train/a/1.png", "dogs/1.png"],
                "photos has a folder train and, beside it, dogs; beside train, it takes test and \
                 validation alone (or take train itself for a class, in a folder of another name)",
            ),
        ] {
            assert_eq!(refusal(paths), sentence);
        }
        let twice = refusal(&["train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/a/1.png"]);
        assert!(twice.ends_with("which mean the same; keep one of them"), "{twice}");
        let Err(Unusable::NotFound(message)) = scan(Path::new("/nowhere/at/all"), None, &AtomicBool::new(false)) else {
            panic!()
        };
        assert!(message.contains("/nowhere/at/all: there is no such folder"), "{message}");
        let cancelled = scan(folder(&["a/1.png"]).path(), None, &AtomicBool::new(true));
        assert_eq!(cancelled, Err(Unusable::Cancelled));
    }

    #[test]
    fn classes_that_are_given_keep_their_places() {
        let dir = folder(&["b/1.png", "empty/", "z/2.png"]);
        let known = ["z", "b", "c"].map(str::to_owned);
        let scan_by = |classes: &[String]| scan(dir.path(), Some(classes), &AtomicBool::new(false));
        let found = scan_by(&known).unwrap();
        assert_eq!((found.classes, &found.splits[0].labels[..]), (known.to_vec(), &[1, 0][..]));
        let Err(Unusable::Mismatch(message)) = scan_by(&known[1..]) else { panic!() };
        assert!(message.contains("has pictures of z, which is none of the classes b, c;"), "{message}");
        let Err(Unusable::Mismatch(message)) = scan(folder(&["a/"]).path(), Some(&known), &AtomicBool::new(false))
        else {
            panic!()
        };
        assert!(message.ends_with("has no pictures in folders of classes"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_loops_end() {
        use std::os::unix::fs::symlink;
        let dir = folder(&["a/1.png", "b/2.png", "elsewhere.d/3.png"]);
        let at = |path: &str| dir.path().join(path);
        symlink(at("a"), at("a/again")).unwrap();
        symlink(dir.path(), at("b/top")).unwrap();
        symlink(at("elsewhere.d/3.png"), at("b/linked.png")).unwrap();
        symlink(at("nothing"), at("b/broken.png")).unwrap();
        let found = scanned(&dir).unwrap();
        let names = names(&dir, &found.splits[0]);
        assert_eq!(names.iter().filter(|name| name.starts_with("a/")).count(), 1, "{names:?}");
        assert!(names.contains(&"b/linked.png".to_owned()) && names.contains(&"b/broken.png".to_owned()), "{names:?}");
    }
}
