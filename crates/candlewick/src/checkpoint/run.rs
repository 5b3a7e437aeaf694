//! A training's checkpoint: one safetensors file with all that it goes on from.
//!
//! Under the parameters' own names are those that the network answers by, so that the file is also one of parameters. What else
//! training needs is called `training/...`: the parameters themselves where those are an average, and what the optimiser keeps,
//! each end to end in the network's order. The header's text holds the network, the run as the loop describes it, and the rest of
//! the snapshot. The seal at the end is of every byte before it.

use super::layout::{Layout, NAME, SEAL};
use super::load::{Input, check_seal, damaged, header_length, opened, unreadable};
use super::save::write;
use super::{check_shape, invalid, missing, named, shorten};
use crate::engine::Snapshot;
use crate::error::{Code, Error, Result};
use crate::memory;
use crate::network::Network;
use crate::normalization::Normalization;
use candle_core::{Device, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

/// Before the names of all tensors that are no parameters.
pub(super) const PREFIX: &str = "training/";
const PARAMETERS: &str = "training/parameters";
const PLANE: &str = "training/state.";

/// A training that can be gone on with.
#[derive(Debug)]
pub struct Run {
    /// The network that it is of, as JSON.
    pub network: String,
    /// What the loop has to know, as JSON.
    pub run: String,
    /// What its images go through first.
    pub normalization: Option<Normalization>,
    kept: Kept,
    /// All tensors but the seal, with their shapes.
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Run {
    /// What an engine of `network` goes on from.
    ///
    /// # Errors
    /// `CheckpointInvalid` for another network. `OutOfMemory`.
    pub fn snapshot(&self, network: &Network) -> Result<Snapshot> {
        let mut shown = memory::zeros(network.parameter_count())?;
        for parameter in &network.parameters {
            let (shape, values) = self.tensors.get(&parameter.name).ok_or_else(|| missing(parameter))?;
            check_shape(parameter, shape)?;
            shown[parameter.range.clone()].copy_from_slice(values);
        }
        let flat = |name: &str| match self.tensors.get(name) {
            Some((_, values)) => memory::copy(values),
            None => Err(invalid(format!("tensor {name} is missing"))),
        };
        let planes = (0..self.kept.planes).map(|i| flat(&format!("{PLANE}{i}"))).collect::<Result<_>>()?;
        let (parameters, average) =
            if self.kept.is_averaged { (flat(PARAMETERS)?, Some(shown)) } else { (shown, None) };
        let Kept { kind, steps, batches, seed, .. } = self.kept.clone();
        let normalization = self.normalization.clone();
        Ok(Snapshot { parameters, average, planes, kind, steps, batches, seed, normalization })
    }
}

/// What the header says.
#[derive(Serialize, Deserialize)]
struct Text {
    network: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    normalization: Option<Normalization>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Kept>,
}

/// The part of a snapshot that is no parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    kind: Option<String>,
    steps: u64,
    batches: u64,
    seed: u64,
    planes: usize,
    is_averaged: bool,
}

/// The header's text of a file of parameters, from the network as JSON and what its images go through first.
///
/// # Errors
/// `Internal` for what is no JSON.
pub fn text_of(network: &str, normalization: Option<&Normalization>) -> Result<String> {
    text(Text { network: raw(network)?, normalization: normalization.cloned(), run: None, kept: None })
}

/// Writes a checkpoint, as [`super::save()`] writes parameters, whole or not at all, with the network and the run as JSON.
///
/// # Errors
/// `SaveFailed`; `Internal` for what is no JSON.
pub fn save_run(of: &Network, snapshot: &Snapshot, (network, run): (&str, &str), path: &Path) -> Result<()> {
    let Snapshot { parameters, average, planes, kind, steps, batches, seed, normalization } = snapshot;
    let mut tensors = named(of, average.as_ref().unwrap_or(parameters))?;
    if average.is_some() {
        tensors.push((PARAMETERS.to_owned(), flat(parameters)?));
    }
    for (i, plane) in planes.iter().enumerate() {
        tensors.push((format!("{PLANE}{i}"), flat(plane)?));
    }
    let kept = Kept {
        kind: kind.clone(),
        steps: *steps,
        batches: *batches,
        seed: *seed,
        planes: planes.len(),
        is_averaged: average.is_some(),
    };
    let (network, run, normalization) = (raw(network)?, raw(run)?, normalization.clone());
    let text = text(Text { network, normalization, run: Some(run), kept: Some(kept) })?;
    write(&Layout::new(&tensors, Some(&text), true)?, path)
}

/// Reads a checkpoint, of which every byte is held against the seal.
///
/// # Errors
/// `CheckpointNotFound` where the file cannot be opened or read; `CheckpointInvalid` for what is not a whole checkpoint.
/// `OutOfMemory`.
pub fn load_run(path: &Path) -> Result<Run> {
    read_run(path).map_err(|Error { code, message }| {
        Error::new(code, format!("cannot read a checkpoint from {}: {message}", path.display()))
    })
}

/// The network that a file's header tells of, as JSON.
///
/// # Errors
/// As [`load_run`]; `CheckpointInvalid` for a file that tells of none.
pub fn network_of(path: &Path) -> Result<String> {
    let network = || {
        let text = text_in(&head(&opened(path)?)?)?;
        Ok(text.ok_or_else(|| invalid(NO_NETWORK.into()))?.network.get().to_owned())
    };
    network().map_err(|Error { code, message }: Error| {
        Error::new(code, format!("cannot read a network from {}: {message}", path.display()))
    })
}

/// What a file says of the images of its network.
pub(super) fn input_in(mut file: &File) -> Result<Input> {
    file.rewind().map_err(unreadable)?;
    let Ok(Some(text)) = metadata_in(&head(file)?) else { return Ok(Input::Unknown) };
    let text: Text = serde_json::from_str(&text).map_err(|error| foreign(&error.to_string()))?;
    Ok(text.normalization.map_or(Input::Plain, Input::Normalized))
}

/// The bytes of a file up to the end of its header.
fn head(file: &File) -> Result<Vec<u8>> {
    let length = header_length(file, file.metadata().map_err(unreadable)?.len())?;
    let mut head = length.to_le_bytes().to_vec();
    file.take(length).read_to_end(&mut head).map_err(unreadable)?;
    Ok(head)
}

const NO_NETWORK: &str = "its header tells of no network, as those that candlewick wrote before or that others wrote do not; make \
                          the network and use loadParameters";

fn read_run(path: &Path) -> Result<Run> {
    let mut file = opened(path)?;
    let length = file.metadata().map_err(unreadable)?.len();
    memory::check_room(usize::try_from(length).unwrap_or(usize::MAX))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| foreign(&error.to_string()))?;
    let Ok(seal) = tensors.tensor(SEAL) else { return Err(invalid(NO_RUN.into())) };
    if !bytes.ends_with(seal.data()) {
        return Err(damaged());
    }
    check_seal(&bytes[..], bytes.len() as u64)?;
    let text = text_in(&bytes)?;
    let Some(Text { network, normalization, run: Some(run), kept: Some(kept) }) = text else {
        return Err(invalid(NO_RUN.into()));
    };
    let all = tensors.iter().filter(|(name, _)| *name != SEAL);
    let tensors = all.map(|(name, tensor)| Ok((name.to_owned(), (tensor.shape().to_vec(), floats(name, &tensor)?))));
    let tensors = tensors.collect::<Result<_>>()?;
    Ok(Run { network: network.get().to_owned(), run: run.get().to_owned(), normalization, kept, tensors })
}

const NO_RUN: &str = "it is a file of parameters, and no checkpoint of a training; use loadParameters, or name a file that fit's \
                      checkpoint wrote";

fn floats(name: &str, tensor: &TensorView<'_>) -> Result<Vec<f32>> {
    if tensor.dtype() != Dtype::F32 {
        return Err(invalid(format!("tensor {} holds no float32", shorten(name))));
    }
    memory::collect(tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)))
}

fn flat(values: &[f32]) -> Result<Tensor> {
    Ok(Tensor::from_vec(memory::copy(values)?, values.len(), &Device::Cpu)?)
}

fn raw(json: &str) -> Result<Box<RawValue>> {
    RawValue::from_string(json.to_owned()).map_err(|error| Error::new(Code::Internal, format!("no JSON: {error}")))
}

fn text(text: Text) -> Result<String> {
    serde_json::to_string(&text).map_err(|error| Error::new(Code::Internal, error.to_string()))
}

/// What candlewick says in a header, if it says anything; `bytes` are the first of a file, up to the end of the header or beyond.
fn text_in(bytes: &[u8]) -> Result<Option<Text>> {
    let Some(text) = metadata_in(bytes)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| foreign(&error.to_string()))
}

/// The same as text.
fn metadata_in(bytes: &[u8]) -> Result<Option<String>> {
    let (length, rest) = bytes.split_first_chunk().ok_or_else(|| foreign("it has no header"))?;
    let json = rest.get(..u64::from_le_bytes(*length) as usize).ok_or_else(|| foreign("its header is cut"))?;
    let Header { metadata } = serde_json::from_slice(json).map_err(|error| foreign(&error.to_string()))?;
    Ok(metadata.and_then(|mut all| all.remove(NAME)))
}

/// Of a header, what is no tensor.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__")]
    metadata: Option<HashMap<String, String>>,
}

fn foreign(reason: &str) -> Error {
    invalid(format!("it is no whole safetensors file of candlewick's ({}); it may be cut short", shorten(reason)))
}

#[cfg(test)]
mod tests {
    use super::super::layout::SEAL_LEN;
    use super::super::tests::{VALUES, network};
    use super::super::{Selection, load, load_some, save};
    use super::*;
    use std::fs;
    use std::path::PathBuf;
    use tempfile::{TempDir, tempdir};

    fn normalization() -> Normalization {
        Normalization { mean: vec![1.0 / 3.0], deviation: vec![0.25] }
    }

    fn snapshot() -> Snapshot {
        let plane = |by: f32| VALUES.map(|value| value * by).to_vec();
        Snapshot {
            parameters: plane(2.0),
            average: Some(VALUES.to_vec()),
            planes: vec![plane(-1.0), plane(f32::MIN_POSITIVE / 4.0)],
            kind: Some("adam".into()),
            steps: u64::MAX,
            batches: 7,
            seed: 3,
            normalization: Some(normalization()),
        }
    }

    const NETWORK: &str = r#"{"layers":[{"kind":"dense","units":2}],"inputShape":[1,1,3]}"#;

    fn saved(snapshot: &Snapshot) -> (TempDir, PathBuf) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("run.safetensors");
        save_run(&network(), snapshot, (NETWORK, r#"{"epoch":2}"#), &path).unwrap();
        (folder, path)
    }

    fn refused(path: &Path) -> String {
        let error = load_run(path).unwrap_err();
        assert_eq!(error.code, Code::CheckpointInvalid);
        error.message
    }

    #[test]
    fn what_is_saved_comes_back_to_the_bit() {
        let plain = Snapshot { average: None, planes: Vec::new(), kind: None, normalization: None, ..snapshot() };
        for snapshot in [snapshot(), plain] {
            let (_folder, path) = saved(&snapshot);
            let run = load_run(&path).unwrap();
            assert_eq!(run.snapshot(&network()).unwrap(), snapshot);
            assert_eq!((run.network.as_str(), run.run.as_str()), (NETWORK, r#"{"epoch":2}"#));
            assert_eq!(network_of(&path).unwrap(), NETWORK);
        }
    }

    #[test]
    fn a_checkpoint_is_a_file_of_the_parameters_that_answer() {
        let (_folder, path) = saved(&snapshot());
        assert_eq!(load(&network(), &path, false).unwrap(), VALUES);
    }

    #[test]
    fn a_file_of_parameters_is_no_checkpoint_and_tells_of_its_network() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        let parameters = named(&network(), &VALUES).unwrap();
        save(&parameters, Some(&text_of(NETWORK, None).unwrap()), &path).unwrap();
        assert_eq!(network_of(&path).unwrap(), NETWORK);
        assert!(refused(&path).contains("it is a file of parameters, and no checkpoint"));
        save(&parameters, None, &path).unwrap();
        assert!(network_of(&path).unwrap_err().message.contains("its header tells of no network"));
    }

    #[test]
    fn a_file_tells_what_its_parameters_expect_of_images() {
        let text = |normalization: Option<Normalization>| text_of(NETWORK, normalization.as_ref()).unwrap();
        assert_eq!(text(None), format!(r#"{{"network":{NETWORK}}}"#), "as before there were normalizations");
        let folder = tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        let parameters = named(&network(), &VALUES).unwrap();
        let input = |only: &[&str]| {
            let only = only.iter().map(|&pattern| pattern.to_owned()).collect();
            let selection = Selection { only, ..Selection::default() };
            load_some(&network(), &path, &selection, &[0.0; 8]).map(|loaded| loaded.input)
        };
        save(&parameters, None, &path).unwrap();
        assert_eq!(input(&[]), Ok(Input::Unknown));
        save(&parameters, Some("{}"), &path).unwrap();
        assert!(input(&[]).unwrap_err().message.contains("no whole safetensors file of candlewick's"));
        save(&parameters, Some(&text(None)), &path).unwrap();
        assert_eq!(input(&[]), Ok(Input::Plain));
        save(&parameters, Some(&text(Some(normalization()))), &path).unwrap();
        assert_eq!(input(&[]), Ok(Input::Normalized(normalization())));
        assert_eq!(input(&["*.weight"]), Ok(Input::Normalized(normalization())));
        assert_eq!(input(&["*.bias"]), Ok(Input::Unknown), "which images do not meet");
        assert_eq!(network_of(&path).unwrap(), NETWORK);
        let of_two = Normalization { mean: vec![0.5; 2], deviation: vec![0.5; 2] };
        save(&parameters, Some(&text(Some(of_two))), &path).unwrap();
        let error = input(&[]).unwrap_err();
        assert_eq!(error.code, Code::CheckpointInvalid);
        assert!(error.message.contains("mean has 2 numbers, but images have 1 channel; give"), "{error}");
    }

    #[test]
    fn a_checkpoint_of_other_channels_is_refused() {
        let (_folder, path) = saved(&snapshot());
        let mut run = load_run(&path).unwrap();
        assert_eq!(run.normalization, Some(normalization()));
        run.normalization = Some(Normalization { mean: vec![0.5; 3], deviation: vec![0.5; 3] });
        let mut engine = crate::engine::lanes::LanesEngine::new(network(), Some(1)).unwrap();
        let snapshot = run.snapshot(&network()).unwrap();
        let error = crate::engine::Engine::restore(&mut engine, &snapshot, 1).unwrap_err();
        assert_eq!(error.code, Code::CheckpointInvalid);
        assert!(error.message.contains("mean has 3 numbers"), "{error}");
    }

    /// Cut at every byte, and each byte changed in its turn.
    #[test]
    fn no_damaged_file_is_taken_for_a_whole_one() {
        let (_folder, path) = saved(&snapshot());
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            refused(&path);
        }
        let (header, data) = (8 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize, whole.len());
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(&path, damaged).unwrap();
            refused(&path);
            if (header..data).contains(&at) {
                let error = load(&network(), &path, false).unwrap_err();
                assert!(error.message.contains("do not fit its checksum"), "its parameters too: {error}");
            }
        }
    }

    #[test]
    fn the_halves_of_two_files_are_no_file() {
        let (_folder, first) = saved(&snapshot());
        let (_other_folder, second) = saved(&Snapshot { batches: 8, parameters: vec![1.0; 8], ..snapshot() });
        let [a, b] = [first, second.clone()].map(|path| fs::read(path).unwrap());
        assert_eq!(a.len(), b.len());
        let header = 8 + u64::from_le_bytes(*a.first_chunk().unwrap()) as usize;
        for at in [header, (header + a.len()) / 2, a.len() - SEAL_LEN] {
            fs::write(&second, [&a[..at], &b[at..]].concat()).unwrap();
            assert!(refused(&second).contains("do not fit its checksum"));
        }
    }

    #[test]
    fn another_network_is_refused() {
        use crate::layers::{Dense, Layer};
        let (_folder, path) = saved(&snapshot());
        let other = Network::new(&[Layer::Dense(Dense::new(3))], [1, 1, 3]).unwrap();
        let error = load_run(&path).unwrap().snapshot(&other).unwrap_err();
        assert!(error.message.contains("dense0.weight has shape (2, 3)"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_not_found() {
        let error = load_run(Path::new("nowhere/run.safetensors")).unwrap_err();
        assert_eq!(error.code, Code::CheckpointNotFound);
    }
}
