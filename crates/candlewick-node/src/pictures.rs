//! Pictures from files.

use crate::aside;
use crate::dataset::Dataset;
use crate::errors::{internal, to_js};
use candlewick::{Code, Error, Result, dataset, memory};
use candlewick_pictures::folder::{self, SplitName, Unusable};
use candlewick_pictures::{Cached, Failure, Fit, Preparation, Progress, Source, cached, load, reason, survey};
use napi::Env;
use napi::bindgen_prelude::{Either, Object, Uint8Array};
use napi_derive::napi;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;

/// How far the work on pictures is, and a way to end it.
#[napi]
pub struct PictureProgress(Arc<Progress>);

#[napi]
impl PictureProgress {
    /// Of work that has not begun.
    #[napi(constructor)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Pictures that are done.
    #[napi(getter)]
    pub fn done(&self) -> u32 {
        self.0.done.load(Ordering::Relaxed) as u32
    }

    /// Those of them that are broken.
    #[napi(getter)]
    pub fn broken(&self) -> u32 {
        self.0.broken.load(Ordering::Relaxed) as u32
    }

    /// Ends the work, which then fails.
    #[napi]
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }
}

/// How pictures become images.
#[napi(object)]
#[derive(Clone)]
pub struct PictureOptions {
    /// (channels, height, width)
    pub shape: Vec<u32>,
    /// `cover`, `contain` or `stretch`
    pub fit: String,
    /// Red, green, blue.
    pub background: Vec<u32>,
}

/// A picture that cannot be used.
#[napi(object)]
pub struct BrokenPicture {
    /// Its place among those that were asked for.
    pub number: u32,
    /// Why, as the end of a sentence.
    pub reason: String,
}

/// A folder's pictures and their classes.
#[napi]
pub struct PictureFolder(Arc<folder::Folder>);

/// Finds the pictures of a folder, of these classes, or of those that there are.
#[napi(ts_return_type = "Promise<PictureFolder>")]
pub fn scan_pictures<'env>(
    env: &'env Env,
    dir: String,
    classes: Option<Vec<String>>,
    progress: &PictureProgress,
) -> napi::Result<Object<'env>> {
    let progress = progress.0.clone();
    let scan = move || folder::scan(dir.as_ref(), classes.as_deref(), &progress.cancelled).map_err(unusable);
    aside::run(env, scan, |folder| PictureFolder(Arc::new(folder)))
}

/// The paths of all pictures in and below a folder, sorted.
#[napi(ts_return_type = "Promise<string[]>")]
pub fn pictures_below<'env>(env: &'env Env, dir: String, progress: &PictureProgress) -> napi::Result<Object<'env>> {
    let progress = progress.0.clone();
    let find = move || folder::pictures_below(dir.as_ref(), &progress.cancelled).map_err(unusable);
    aside::run(env, find, |paths| paths.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>())
}

#[napi]
impl PictureFolder {
    /// Their names, by label.
    #[napi(getter)]
    pub fn classes(&self) -> Vec<String> {
        self.0.classes.clone()
    }

    /// `train`, and whichever of `validation` and `test` there are.
    #[napi(getter)]
    pub fn splits(&self) -> Vec<String> {
        let name = |split: &folder::Split| match split.name {
            SplitName::Train => "train".into(),
            SplitName::Validation => "validation".into(),
            SplitName::Test => "test".into(),
        };
        self.0.splits.iter().map(name).collect()
    }

    /// Pictures of each class in a split.
    #[napi]
    pub fn counts(&self, split: u32) -> napi::Result<Vec<u32>> {
        let mut counts = vec![0; self.0.classes.len()];
        self.split(split)?.labels.iter().for_each(|label| counts[*label as usize] += 1);
        Ok(counts)
    }

    /// The path of a picture.
    #[napi]
    pub fn path(&self, split: u32, number: u32) -> napi::Result<String> {
        let files = &self.split(split)?.files;
        let path = files.get(number as usize).ok_or_else(|| to_js(internal("there is no such picture")))?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// Pictures that stand in no class's folder.
    #[napi(getter)]
    pub fn loose(&self) -> u32 {
        self.0.loose as u32
    }

    /// Pictures in formats that are not read, as in `12 .heic`.
    #[napi(getter)]
    pub fn unread(&self) -> Vec<String> {
        self.0.unread.iter().map(|(end, count)| format!("{count} .{end}")).collect()
    }

    /// Decodes a split's pictures into a dataset: in memory, or in a file of the folder `cache`, if one is given.
    #[napi(ts_return_type = "Promise<LoadedPictures>")]
    pub fn load<'env>(
        &self,
        env: &'env Env,
        split: u32,
        options: PictureOptions,
        fails: bool,
        cache: Option<String>,
        progress: &PictureProgress,
    ) -> napi::Result<Object<'env>> {
        self.split(split)?;
        let preparation = options.preparation().map_err(to_js)?;
        let (folder, progress) = (self.0.clone(), progress.0.clone());
        let work = move || {
            let split = &folder.splits[split as usize];
            match cache {
                None => in_memory(split, &preparation, fails, &progress),
                Some(dir) => in_file(split, &preparation, fails, dir.as_ref(), &progress),
            }
        };
        aside::make(env, work, |env, (images, broken)| {
            let dataset = Dataset::new_for(env, images)?;
            Ok(LoadedPictures { dataset: Some(dataset), broken })
        })
    }

    /// Looks at all pictures: JSON of the sizes, of those that are broken, and of those that are the same.
    #[napi(ts_return_type = "Promise<string>")]
    pub fn survey<'env>(&self, env: &'env Env, progress: &PictureProgress) -> napi::Result<Object<'env>> {
        let (folder, progress) = (self.0.clone(), progress.0.clone());
        let work = move || {
            let found = survey(&folder, threads(), &progress).map_err(|failure| failed(failure, |_| String::new()))?;
            serde_json::to_string(&found).map_err(|error| internal(&error.to_string()))
        };
        aside::run(env, work, |text| text)
    }

    fn split(&self, split: u32) -> napi::Result<&folder::Split> {
        self.0.splits.get(split as usize).ok_or_else(|| to_js(internal("there is no such split")))
    }
}

type Broken = Vec<(usize, String)>;

/// What became of a split's pictures.
#[napi]
pub struct LoadedPictures {
    dataset: Option<Dataset>,
    broken: Broken,
}

#[napi]
impl LoadedPictures {
    /// The images, in the order of the pictures; those of broken ones are zeros. It can be taken once.
    #[napi]
    pub fn dataset(&mut self) -> napi::Result<Dataset> {
        self.dataset.take().ok_or_else(|| to_js(internal("the dataset was taken already")))
    }

    /// The pictures that are broken, in order.
    #[napi(getter)]
    pub fn broken(&self) -> Vec<BrokenPicture> {
        broken_of(&self.broken)
    }
}

/// Images of some pictures, one behind the other; those of broken ones are zeros.
#[napi(object)]
pub struct PreparedPictures {
    /// Their values.
    pub data: Uint8Array,
    /// The pictures that are broken, in order.
    pub broken: Vec<BrokenPicture>,
}

/// Decodes pictures from files, by their paths, or from memory.
#[napi(ts_return_type = "Promise<PreparedPictures>")]
pub fn prepare_pictures<'env>(
    env: &'env Env,
    pictures: Vec<Either<String, Uint8Array>>,
    options: PictureOptions,
    progress: &PictureProgress,
) -> napi::Result<Object<'env>> {
    let preparation = options.preparation().map_err(to_js)?;
    let source = |picture: Either<String, Uint8Array>| match picture {
        Either::A(path) => Ok(Source::File(path.into())),
        // JavaScript may change its own meanwhile.
        Either::B(bytes) => memory::copy(&bytes).map(Source::Bytes),
    };
    let sources = pictures.into_iter().map(source).collect::<Result<Vec<_>>>().map_err(to_js)?;
    let progress = progress.0.clone();
    let work = move || {
        let mut images = memory::zeros(sources.len().saturating_mul(preparation.image_len()))?;
        let sink = Mutex::new(&mut images[..]);
        let broken = load(&sources, &preparation, threads(), false, &sink, &progress);
        Ok((broken.map_err(|failure| failed(failure, |_| String::new()))?, images))
    };
    aside::run(env, work, |(broken, images)| PreparedPictures { data: images.into(), broken: broken_of(&broken) })
}

fn in_memory(
    split: &folder::Split,
    preparation: &Preparation,
    fails: bool,
    progress: &Progress,
) -> Result<(dataset::Dataset, Broken)> {
    let mut images = memory::zeros(split.files.len().saturating_mul(preparation.image_len()))?;
    let sources: Vec<_> = split.files.iter().cloned().map(Source::File).collect();
    let sink = Mutex::new(&mut images[..]);
    let broken = load(&sources, preparation, threads(), fails, &sink, progress);
    let broken = broken.map_err(|failure| failed(failure, |number| shown(&split.files[number])))?;
    Ok((dataset::Dataset::of_bytes(preparation.shape, images, split.labels.clone())?, broken))
}

fn in_file(
    split: &folder::Split,
    preparation: &Preparation,
    fails: bool,
    dir: &Path,
    progress: &Progress,
) -> Result<(dataset::Dataset, Broken)> {
    let found = cached(dir, &split.files, preparation, threads(), fails, progress);
    let Cached { file, broken, .. } = found.map_err(|failure| match failure {
        Failure::Sink(error) => {
            let message = format!(
                "cannot write images into {}: {}; name another folder as cacheDir, or keep them in memory",
                dir.display(),
                reason(&error)
            );
            Error::new(Code::SaveFailed, message)
        }
        other => failed(other, |number| shown(&split.files[number])),
    })?;
    Ok((dataset::Dataset::of_file(preparation.shape, &file, split.labels.clone())?, broken))
}

impl PictureOptions {
    fn preparation(&self) -> Result<Preparation> {
        let defect = || internal("a picture's options are not what they should be");
        let fit = match &*self.fit {
            "cover" => Fit::Cover,
            "contain" => Fit::Contain,
            "stretch" => Fit::Stretch,
            _ => return Err(defect()),
        };
        let shape: [u32; 3] = self.shape[..].try_into().map_err(|_| defect())?;
        let background: [u32; 3] = self.background[..].try_into().map_err(|_| defect())?;
        Ok(Preparation { shape: shape.map(|size| size as usize), fit, background: background.map(|value| value as u8) })
    }
}

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn broken_of(broken: &Broken) -> Vec<BrokenPicture> {
    broken.iter().map(|(number, reason)| BrokenPicture { number: *number as u32, reason: reason.clone() }).collect()
}

fn unusable(error: Unusable) -> Error {
    match error {
        Unusable::NotFound(message) => Error::new(Code::DataNotFound, message),
        Unusable::Mismatch(message) => Error::new(Code::DataMismatch, message),
        Unusable::Cancelled => cancelled(),
    }
}

fn failed(failure: Failure, path: impl Fn(usize) -> String) -> Error {
    match failure {
        Failure::Cancelled => cancelled(),
        Failure::Broken(number, reason) => {
            let message =
                format!("{} cannot be read: {reason}; remove it, or leave out onError: \"fail\"", path(number));
            Error::new(Code::DataCorrupt, message)
        }
        Failure::Sink(error) => internal(&error.to_string()),
    }
}

fn cancelled() -> Error {
    Error::new(Code::Cancelled, "the work was cancelled")
}
