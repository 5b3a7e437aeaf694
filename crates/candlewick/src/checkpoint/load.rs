//! Reading: first what a file is, then what its header says, then the network's own tensors and nothing else.

use super::header::{Entry, Header};
use super::layout::{MOST_HEADER, SEAL_LEN};
use super::lock::patiently;
use super::reason::words;
use super::run::input_in;
use super::{Selection, check_shape, extra, invalid, missing, no_floats, ordinary, shorten};
use crate::error::{Code, Error, Result};
use crate::memory;
use crate::network::{Network, Parameter};
use crate::normalization::Normalization;
use candle_core::{DType, Device, Tensor};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// Values that are read at a time.
const PIECE: usize = 1 << 16;

/// What parameters of a file expect images to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The file tells of no network, as others' files, or the parameters that images meet first are none of those that were loaded.
    Unknown,
    /// As they count.
    Plain,
    /// What went through this.
    Normalized(Normalization),
}

/// What became of a network's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// All of them, end to end, as float32.
    pub parameters: Vec<f32>,
    /// The names of those that were loaded, in the network's order.
    pub loaded: Vec<String>,
    /// The names of those that stayed as they were.
    pub left: Vec<String>,
    /// What those that were loaded expect.
    pub input: Input,
}

/// Reads all parameters of `network` from `path`, end to end, as float32. Of other tensors nothing is read.
///
/// # Errors
/// As [`load_some`].
pub fn load(network: &Network, path: &Path, ignore_extra: bool) -> Result<Vec<f32>> {
    let all = Selection { ignore_extra, ..Selection::default() };
    Ok(load_some(network, path, &all, &[])?.parameters)
}

/// Reads those parameters of `network` from `path` that are selected; the others are as in `current`, which is all of them end to
/// end, or, if none can be left, empty.
///
/// # Errors
/// `InvalidArgument` for a pattern that fits no parameter. `CheckpointNotFound` where the file cannot be opened or read.
/// `CheckpointInvalid` for what is no ordinary file or not safetensors, for a file that changes meanwhile or has nothing to load, or
/// in which a tensor is not of floats, or, unless the selection ignores that, is missing, has another shape or belongs to no
/// parameter. `OutOfMemory`.
pub fn load_some(network: &Network, path: &Path, selection: &Selection, current: &[f32]) -> Result<Loaded> {
    selection.check(network)?;
    read(network, path, selection, current).map_err(|Error { code, message }| {
        Error::new(code, format!("cannot read parameters from {}: {message}", path.display()))
    })
}

fn read(network: &Network, path: &Path, selection: &Selection, current: &[f32]) -> Result<Loaded> {
    let file = opened(path)?;
    let before = file.metadata().map_err(unreadable)?;
    let (header, start) = header(&file, before.len(), network, selection)?;
    if header.is_sealed {
        (&file).rewind().map_err(unreadable)?;
        check_seal(BufReader::new(&file), before.len())?;
    }
    if let Some(name) = header.extra.as_ref().filter(|_| !selection.ignore_extra) {
        return Err(extra(name, header.extras));
    }
    let (found, left) = find(network, selection, &header)?;
    let mut parameters =
        if left.is_empty() { memory::zeros(network.parameter_count())? } else { memory::copy(current)? };
    let mut loaded = Vec::with_capacity(found.len());
    for (parameter, entry, dtype) in found {
        read_values(&file, start + entry.data_offsets.0, dtype, &mut parameters[parameter.range.clone()])?;
        loaded.push(parameter.name.clone());
    }
    let meets_images = left.first().is_none_or(|name| network.parameters[0].name != *name);
    let input = if meets_images { input_in(&file)? } else { Input::Unknown };
    if let Input::Normalized(normalization) = &input {
        normalization.check(network.input_shape[0]).map_err(|error| invalid(error.message))?;
    }
    let after = file.metadata().map_err(unreadable)?;
    if (before.len(), before.modified().ok()) != (after.len(), after.modified().ok()) {
        return Err(invalid("it changed while it was read; load it again when nobody writes to it".into()));
    }
    Ok(Loaded { parameters, loaded, left, input })
}

/// Holds the `len` bytes of a file against the checksum that they end with.
pub(super) fn check_seal(file: impl Read, len: u64) -> Result<()> {
    let mut content = file.take(len.saturating_sub(SEAL_LEN as u64));
    let (mut sum, mut bytes) = (crc32fast::Hasher::new(), [0; 1 << 14]);
    loop {
        match content.read(&mut bytes).map_err(unreadable)? {
            0 => break,
            read => sum.update(&bytes[..read]),
        }
    }
    let mut seal = [0; SEAL_LEN];
    content.into_inner().read_exact(&mut seal).map_err(unreadable)?;
    if sum.finalize().to_le_bytes() == seal { Ok(()) } else { Err(damaged()) }
}

pub(super) fn damaged() -> Error {
    let message = "its bytes do not fit its checksum: it was damaged, or changed by something other than candlewick; use an older one";
    invalid(message.into())
}

/// A file to read, locked: who writes in place holds a lock. Where there are no locks, its readers find that the file is in the making.
pub(super) fn opened(path: &Path) -> Result<File> {
    let file = ordinary::open(path, OpenOptions::new().read(true)).map_err(unreadable)?;
    let _ = patiently(|| file.try_lock_shared());
    Ok(file)
}

/// A parameter, its tensor in the file, and that tensor's type.
type Found<'a> = (&'a Parameter, &'a Entry, DType);

/// What is to be read, and the names of the parameters that stay as they are.
fn find<'a>(network: &'a Network, selection: &Selection, header: &'a Header) -> Result<(Vec<Found<'a>>, Vec<String>)> {
    let (mut found, mut left) = (Vec::with_capacity(network.parameters.len()), Vec::new());
    for parameter in &network.parameters {
        if !selection.takes(&parameter.name) {
            left.push(parameter.name.clone());
            continue;
        }
        let entry = header.tensors.get(&parameter.name).ok_or_else(|| missing(parameter));
        match entry.and_then(|entry| check_shape(parameter, &entry.shape).map(|()| entry)) {
            Ok(entry) => {
                let dtype = floats(entry).ok_or_else(|| no_floats(parameter, &entry.dtype.to_lowercase()))?;
                found.push((parameter, entry, dtype));
            }
            Err(_) if selection.ignore_mismatch => left.push(parameter.name.clone()),
            Err(error) => return Err(error),
        }
    }
    if found.is_empty() && !left.is_empty() {
        let message =
            "no tensor to be loaded is there in this network's shape; was the file saved from another network?";
        return Err(invalid(message.into()));
    }
    Ok((found, left))
}

/// The header of a file of `len` bytes, and where the tensors begin.
fn header(file: &File, len: u64, network: &Network, selection: &Selection) -> Result<(Header, u64)> {
    let length = header_length(file, len)?;
    // Names and the list of places, at worst. An entry of a tensor is longer than what is kept of it.
    memory::check_room(4 * length as usize).map_err(|_| {
        Error::new(
            Code::OutOfMemory,
            format!("there is no memory for its header of {length} bytes; end other programs"),
        )
    })?;
    let header = Header::read(BufReader::new(file.take(length)), network, selection).map_err(|error| {
        match error.io_error_kind() {
            Some(kind) => unreadable(kind.into()),
            None => foreign(format!("its header: {}", shorten(&error.to_string()))),
        }
    })?;
    let held = len - 8 - length;
    if header.data_len != held {
        return Err(foreign(format!("its tensors take {} bytes, but it holds {held}", header.data_len)));
    }
    Ok((header, 8 + length))
}

/// The length of the header of a file of `len` bytes, which follows.
pub(super) fn header_length(mut file: &File, len: u64) -> Result<u64> {
    let mut length = [0; 8];
    if len < length.len() as u64 {
        return Err(foreign(format!("{len} bytes hold no header")));
    }
    file.read_exact(&mut length).map_err(unreadable)?;
    let length = u64::from_le_bytes(length);
    if length > MOST_HEADER.min(len - 8) {
        return Err(foreign(format!("a header of {length} bytes in a file of {len}")));
    }
    Ok(length)
}

fn foreign(reason: String) -> Error {
    invalid(format!("it is not a safetensors file ({reason}); it may be cut short or of another format"))
}

/// The type of a tensor that can be made float32.
fn floats(entry: &Entry) -> Option<DType> {
    match entry.dtype.as_str() {
        "F64" => Some(DType::F64),
        "F32" => Some(DType::F32),
        "F16" => Some(DType::F16),
        "BF16" => Some(DType::BF16),
        "F8_E4M3" => Some(DType::F8E4M3),
        _ => None,
    }
}

/// Fills `values` from the file's byte `start` on.
fn read_values(mut file: &File, start: u64, dtype: DType, values: &mut [f32]) -> Result<()> {
    file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    let size = dtype.size_in_bytes();
    let mut bytes = vec![0; PIECE.min(values.len()) * size];
    for piece in values.chunks_mut(PIECE) {
        let bytes = &mut bytes[..piece.len() * size];
        file.read_exact(bytes).map_err(unreadable)?;
        let tensor = Tensor::from_raw_buffer(bytes, dtype, &[piece.len()], &Device::Cpu)?;
        piece.copy_from_slice(&tensor.to_dtype(DType::F32)?.to_vec1::<f32>()?);
    }
    Ok(())
}

pub(super) fn unreadable(error: io::Error) -> Error {
    let reason = words(&error);
    match error.kind() {
        ErrorKind::UnexpectedEof => {
            invalid("it was cut short while it was read; load it again when nobody writes to it".into())
        }
        ErrorKind::IsADirectory | ErrorKind::Unsupported => {
            invalid(format!("{reason}; name a file that net.saveParameters wrote"))
        }
        _ => Error::new(Code::CheckpointNotFound, format!("{reason}; name a file that net.saveParameters wrote")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{VALUES, network, parameters};
    use super::*;
    use crate::checkpoint::save;
    use crate::layers::{Dense, Layer};
    use std::fs;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::{Duration, SystemTime};
    use tempfile::{TempDir, tempdir};

    /// A header and what follows it, in a file.
    fn file(json: &str, data: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        fs::write(&path, [&(json.len() as u64).to_le_bytes(), json.as_bytes(), data].concat()).unwrap();
        (folder, path)
    }

    fn entry(name: &str, dtype: &str, shape: &str, start: usize, end: usize) -> String {
        format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    }

    /// A file of the network's two tensors as `dtype`, and of more.
    fn file_of(dtype: &str, data: &[u8], more: &str) -> (TempDir, PathBuf) {
        let size = data.len() / 8;
        let [weight, bias] = [
            entry("dense0.weight", dtype, "[2,3]", 0, 6 * size),
            entry("dense0.bias", dtype, "[2]", 6 * size, 8 * size),
        ];
        file(&format!("{{{weight},{bias}{more}}}"), data)
    }

    fn little_endian<T: candle_core::WithDType>() -> Vec<u8> {
        let tensor = Tensor::new(&VALUES, &Device::Cpu).unwrap().to_dtype(T::DTYPE).unwrap();
        safetensors::View::data(&tensor).into_owned()
    }

    #[test]
    fn all_floats_are_read_as_float32() {
        for (dtype, data) in [
            ("F64", little_endian::<f64>()),
            ("F32", little_endian::<f32>()),
            (
                "F16",
                VALUES
                    .iter()
                    .flat_map(|x| ((*x).to_bits() >> 13).wrapping_sub(112 << 10).to_le_bytes()[..2].to_vec())
                    .collect(),
            ),
            ("BF16", VALUES.iter().flat_map(|x| ((*x).to_bits() >> 16).to_le_bytes()[..2].to_vec()).collect()),
            ("F8_E4M3", vec![0x38, 0x40, 0x44, 0x48, 0x4a, 0x4c, 0x4e, 0x50]),
        ] {
            let (_folder, path) = file_of(dtype, &data, "");
            assert_eq!(load(&network(), &path, false).unwrap(), VALUES, "{dtype}");
        }
        for dtype in ["I8", "U16", "F8_E5M2", "F8_E8M0", "NEW"] {
            let (_folder, path) = file_of(dtype, &[0; 16][..if dtype == "U16" { 16 } else { 8 }], "");
            let error = load(&network(), &path, false).unwrap_err();
            assert_eq!(error.code, Code::CheckpointInvalid);
            let words = format!("dense0.weight holds {}, but parameters are float32", dtype.to_lowercase());
            assert!(error.message.contains(&words), "{}", error.message);
        }
    }

    #[test]
    fn of_extra_tensors_only_the_first_name_matters() {
        for (dtype, size) in [("BOOL", 1), ("I8", 1), ("U64", 8), ("F8_E5M2", 1), ("C64", 8), ("NEW", 3)] {
            let more = format!(
                r#",{},{},"__metadata__":{{}}"#,
                entry("mask", dtype, "[4]", 32, 32 + 4 * size),
                entry("end", "U8", "[0]", 32, 32)
            );
            let (_folder, path) = file_of("F32", &little_endian::<f32>(), &more);
            let bytes = [fs::read(&path).unwrap(), vec![7; 4 * size]].concat();
            fs::write(&path, bytes).unwrap();
            assert_eq!(load(&network(), &path, true).unwrap(), VALUES, "{dtype}");
            let error = load(&network(), &path, false).unwrap_err();
            assert!(error.message.contains("tensor mask and 1 more belongs to no parameter"), "{}", error.message);
            assert!(error.message.contains(path.to_str().unwrap()), "{}", error.message);
        }
    }

    #[test]
    fn of_a_selection_the_rest_stays_as_it_is() {
        let (_folder, path) = file_of("F32", &little_endian::<f32>(), "");
        let load = |only: &[&str], ignore_mismatch, network: &Network| {
            let only = only.iter().map(|&pattern| pattern.to_owned()).collect();
            let current: Vec<f32> = (0..network.parameter_count()).map(|i| -(i as f32)).collect();
            load_some(network, &path, &Selection { only, ignore_mismatch, ignore_extra: false }, &current)
        };
        let weight = load(&["*.weight"], false, &network()).unwrap();
        assert_eq!(weight.parameters, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -6.0, -7.0]);
        assert_eq!(
            (&weight.loaded[..], &weight.left[..]),
            (&["dense0.weight".into()][..], &["dense0.bias".into()][..])
        );
        let all = load(&["*s", "dense*"], false, &network()).unwrap();
        assert_eq!((&all.parameters[..], &all.left[..]), (&VALUES[..], &[][..]));

        // Of two layers, the first fits but for its weight, and the other is not there.
        let other = [Layer::Dense(Dense::new(2)), Layer::Dense(Dense::new(1))];
        let other = Network::new(&other, [1, 1, 4]).unwrap();
        let some = load(&[], true, &other).unwrap();
        assert_eq!(some.loaded, ["dense0.bias"]);
        assert_eq!(some.left, ["dense0.weight", "dense1.weight", "dense1.bias"]);
        assert_eq!(some.parameters, [0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, 7.0, 8.0, -10.0, -11.0, -12.0]);
        let message = |only: &[&str], ignore| load(only, ignore, &other).unwrap_err().message;
        assert!(
            message(&[], false).contains("dense0.weight has shape (2, 3), but this network's is (2, 4); with ignore")
        );
        assert!(message(&["dense1*"], false).contains("dense1.weight of shape (1, 2) is missing; was the file"));
        assert!(message(&["dense1*"], true).contains("no tensor to be loaded is there in this network's shape"));
        assert!(message(&["conv*"], true).contains("the pattern \"conv*\" fits none of the network's 4 parameters"));
    }

    #[test]
    fn extra_tensors_outside_a_selection_do_not_matter() {
        let more = format!(",{}", entry("mask", "U8", "[0]", 32, 32));
        let (_folder, path) = file_of("F32", &little_endian::<f32>(), &more);
        let load = |only: &str| {
            let selection = Selection { only: vec![only.into()], ..Selection::default() };
            load_some(&network(), &path, &selection, &[0.0; 8])
        };
        assert_eq!(load("dense*").unwrap().parameters, VALUES);
        assert!(load("*").unwrap_err().message.contains("tensor mask belongs to no parameter"));
    }

    #[test]
    fn tensors_lie_in_any_order_and_are_read_in_pieces() {
        let units = 2 * PIECE as u32 + 3;
        let layers = [Layer::Dense(Dense::new(units as usize))];
        let network = Network::new(&layers, [1, 1, 1]).unwrap();
        let count = units as usize;
        let json = format!(
            "{{{},{}}}",
            entry("dense0.weight", "F32", &format!("[{count},1]"), 4 * count, 8 * count),
            entry("dense0.bias", "F32", &format!("[{count}]"), 0, 4 * count)
        );
        let data: Vec<u8> = (0..2 * units).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let (_folder, path) = file(&json, &data);
        let expected: Vec<f32> = (units..2 * units).chain(0..units).map(|i| i as f32).collect();
        assert!(load(&network, &path, false).unwrap() == expected);
    }

    #[test]
    fn what_is_no_safetensors_file_is_refused() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        let none = load(&network(), &path, false).unwrap_err();
        assert_eq!(none.code, Code::CheckpointNotFound);
        assert!(none.message.contains("no such file or directory; name a file"), "{}", none.message);
        save(&parameters(), None, &path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let refused = |bytes: &[u8], reason: &str| {
            fs::write(&path, bytes).unwrap();
            let error = load(&network(), &path, false).unwrap_err();
            assert_eq!(error.code, Code::CheckpointInvalid, "{}", error.message);
            assert!(error.message.contains("not a safetensors file"), "{}", error.message);
            assert!(error.message.contains(reason), "{}", error.message);
        };
        refused(&bytes[..0], "0 bytes hold no header");
        refused(&bytes[..4], "4 bytes hold no header");
        refused(&bytes[..20], "in a file of 20");
        refused(&bytes[..bytes.len() - 1], "its tensors take 32 bytes, but it holds 31");
        refused(&[&bytes, &[0u8][..]].concat(), "its tensors take 32 bytes, but it holds 33");
        refused(&[0; 8], "its header: EOF");
        refused(&[&8u64.to_le_bytes()[..], b"{\"a\":[]}"].concat(), "its header: ");
        refused(&[&9u64.to_le_bytes()[..], b"{\"a\":[]}"].concat(), "a header of 9 bytes in a file of 16");
        refused(&[255; 4000], "a header of 18446744073709551615 bytes");
        refused(&[&8u64.to_le_bytes()[..], b"{\"a\":\"x\"}"].concat(), "its header");
        let shout =
            format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":[\"{}\"],\"data_offsets\":[0,4]}}}}", "A".repeat(1 << 20));
        refused(&[&(shout.len() as u64).to_le_bytes(), shout.as_bytes(), &[0; 4]].concat(), "AAA...");
    }

    #[test]
    fn headers_have_a_limit() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        fs::write(&path, (MOST_HEADER + 1).to_le_bytes()).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(1 << 33).unwrap(); // sparse
        let error = load(&network(), &path, false).unwrap_err();
        assert!(error.message.contains("a header of 100000001 bytes"), "{}", error.message);
        fs::write(&path, MOST_HEADER.to_le_bytes()).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 33).unwrap();
        let error = load(&network(), &path, false).unwrap_err();
        assert!(error.message.contains("its header: expected value at line 1 column 1"), "{}", error.message);
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        save(&parameters(), None, &path).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let len = file.metadata().unwrap().len();
        let (header, start) = header(&file, len, &network(), &Selection::default()).unwrap();
        let bias = &header.tensors["dense0.bias"];
        let mut values = [0.0; 2];
        read_values(&file, start + bias.data_offsets.0, DType::F32, &mut values).unwrap();
        assert_eq!(values, VALUES[6..]);
        file.set_len(start + bias.data_offsets.1 - 1).unwrap();
        let error = read_values(&file, start + bias.data_offsets.0, DType::F32, &mut values).unwrap_err();
        assert_eq!(error.code, Code::CheckpointInvalid);
        assert!(error.message.contains("cut short while it was read"), "{}", error.message);
    }

    #[test]
    fn a_file_that_is_written_meanwhile_is_an_error() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        save(&parameters(), None, &path).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut time = SystemTime::now();
                while !is_done.load(Relaxed) {
                    time += Duration::from_secs(1);
                    file.set_modified(time).unwrap();
                }
            });
            let error = (0..10_000).find_map(|_| load(&network(), &path, false).err());
            is_done.store(true, Relaxed);
            let error = error.unwrap();
            assert_eq!(error.code, Code::CheckpointInvalid);
            assert!(error.message.contains("changed while it was read"), "{}", error.message);
        });
    }

    #[cfg(unix)]
    #[test]
    fn folders_and_devices_are_not_read() {
        let folder = tempdir().unwrap();
        for path in [folder.path(), Path::new("/dev/zero"), Path::new("/dev/full"), Path::new("/dev/null")] {
            let error = load(&network(), path, false).unwrap_err();
            assert_eq!(error.code, Code::CheckpointInvalid, "{}", error.message);
            assert!(error.message.contains("; name a file"), "{}", error.message);
        }
        let odd = load(&network(), Path::new("a\0b"), false).unwrap_err();
        assert_eq!(odd.code, Code::CheckpointNotFound);
    }
}
