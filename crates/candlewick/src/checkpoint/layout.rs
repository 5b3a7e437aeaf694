//! The bytes of a safetensors file in their order, written in pieces rather than built in memory.

use crate::error::{Code, Error, Result};
use candle_core::Tensor;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, View};
use std::collections::HashMap;
use std::io::{self, Write};

/// Bytes of a header, at most: safetensors' own limit.
pub const MOST_HEADER: u64 = 100_000_000;

/// What candlewick says of a file goes by this name in the header's metadata.
pub const NAME: &str = "candlewick";

/// Values that are written at a time.
const PIECE: usize = 1 << 16;

/// The tensor that a sealed file ends with: four bytes, the CRC-32 of all bytes before, lowest first.
pub const SEAL: &str = "training/crc32";
/// Bytes of the seal.
pub const SEAL_LEN: usize = 4;

/// A file that is to be written.
pub struct Layout<'a> {
    /// Its length, then JSON.
    head: Vec<u8>,
    tensors: Vec<&'a Tensor>,
    data_len: usize,
    is_sealed: bool,
}

impl<'a> Layout<'a> {
    /// Lays tensors out as safetensors does, by type, then by name, with the text that goes by the name of candlewick, and
    /// perhaps a seal, by which a file that was cut, changed or put together from two is known.
    ///
    /// # Errors
    /// `Internal` for tensors that cannot be written.
    pub fn new(parameters: &'a [(String, Tensor)], text: Option<&str>, is_sealed: bool) -> Result<Self> {
        let mut ordered: Vec<_> =
            parameters.iter().map(|(name, tensor)| (Dtype::from(tensor.dtype()), name, tensor)).collect();
        ordered.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let mut data_len = 0;
        let info = ordered.iter().map(|(dtype, name, tensor)| {
            let start = data_len;
            data_len += tensor.data_len();
            let info = TensorInfo { dtype: *dtype, shape: tensor.dims().to_vec(), data_offsets: (start, data_len) };
            ((*name).clone(), info)
        });
        let mut info: Vec<_> = info.collect();
        if is_sealed {
            let data_offsets = (data_len, data_len + SEAL_LEN);
            info.push((SEAL.to_owned(), TensorInfo { dtype: Dtype::U8, shape: vec![SEAL_LEN], data_offsets }));
            data_len += SEAL_LEN;
        }
        let text = text.map(|text| HashMap::from([(NAME.to_owned(), text.to_owned())]));
        let defect =
            |reason: String| Error::new(Code::Internal, format!("the parameters cannot be serialised: {reason}"));
        let metadata = Metadata::new(text, info).map_err(|e| defect(e.to_string()))?;
        let json = serde_json::to_vec(&metadata).map_err(|e| defect(e.to_string()))?;
        let length = json.len().next_multiple_of(8); // spaces follow, so that the values are aligned
        if length as u64 > MOST_HEADER {
            let message = format!(
                "the header would have {length} bytes, but nobody reads more than {MOST_HEADER}; let callbacks remember less"
            );
            return Err(Error::new(Code::SaveFailed, message));
        }
        let mut head = (length as u64).to_le_bytes().to_vec();
        head.extend(json);
        head.resize(8 + length, b' ');
        Ok(Self { head, tensors: ordered.into_iter().map(|(.., tensor)| tensor).collect(), data_len, is_sealed })
    }

    /// Bytes of the file.
    pub fn len(&self) -> u64 {
        (self.head.len() + self.data_len) as u64
    }

    /// The first bytes of the file, without which the rest is no safetensors file.
    pub fn beginning(&self) -> &[u8] {
        &self.head[..8]
    }

    /// Writes what follows [`Layout::beginning`].
    pub fn write_rest(&self, to: impl Write) -> io::Result<()> {
        let mut to = Summed { to, sum: crc32fast::Hasher::new() };
        to.sum.update(self.beginning());
        to.write_all(&self.head[8..])?;
        for tensor in &self.tensors {
            let flat = tensor.flatten_all().map_err(io::Error::other)?;
            for start in (0..flat.elem_count()).step_by(PIECE) {
                let piece = flat.narrow(0, start, PIECE.min(flat.elem_count() - start)).map_err(io::Error::other)?;
                to.write_all(&View::data(&piece))?;
            }
        }
        if self.is_sealed {
            let seal = to.sum.clone().finalize().to_le_bytes();
            to.write_all(&seal)?;
        }
        Ok(())
    }
}

/// Sums up what is written.
struct Summed<W> {
    to: W,
    sum: crc32fast::Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn a_header_that_nobody_would_read_is_not_written() {
        let error = Layout::new(&[], Some(&"x".repeat(MOST_HEADER as usize)), true).err().unwrap();
        assert_eq!(error.code, Code::SaveFailed);
        assert!(error.message.contains("nobody reads more than 100000000"), "{error}");
    }

    #[test]
    fn the_bytes_are_those_of_safetensors() {
        let long = Tensor::arange(0f32, (2 * PIECE + 3) as f32, &Device::Cpu).unwrap();
        let turned = Tensor::arange(0f64, 6.0, &Device::Cpu).unwrap().reshape((2, 3)).unwrap().t().unwrap();
        let tensors = [
            ("z".to_owned(), long.clone()),
            ("half \"é\"".to_owned(), long.narrow(0, 5, 9).unwrap().to_dtype(DType::F16).unwrap()),
            ("scalar".to_owned(), Tensor::new(3u32, &Device::Cpu).unwrap()),
            ("nothing".to_owned(), Tensor::zeros((0, 4), DType::F32, &Device::Cpu).unwrap()),
            ("a".to_owned(), turned),
        ];
        for tensors in [&tensors[..], &[]] {
            let expected = safetensors::serialize(tensors.iter().map(|(name, t)| (name.as_str(), t)), None).unwrap();
            let layout = Layout::new(tensors, None, false).unwrap();
            let mut bytes = layout.beginning().to_vec();
            layout.write_rest(&mut bytes).unwrap();
            assert!(bytes == expected);
            assert_eq!(layout.len(), expected.len() as u64);
        }
    }
}
