//! The bytes of a safetensors file in their order, written in pieces rather than built in memory.

use crate::error::{Code, Error, Result};
use candle_core::Tensor;
use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, View};
use std::io::{self, Write};

/// Values that are written at a time.
const PIECE: usize = 1 << 16;

/// A file that is to be written.
pub struct Layout<'a> {
    /// Its length, then JSON.
    head: Vec<u8>,
    tensors: Vec<&'a Tensor>,
    data_len: usize,
}

impl<'a> Layout<'a> {
    /// Lays tensors out as safetensors does: by type, then by name.
    ///
    /// # Errors
    /// `Internal` for tensors that cannot be written.
    pub fn new(parameters: &'a [(String, Tensor)]) -> Result<Self> {
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
        let info = info.collect();
        let defect =
            |reason: String| Error::new(Code::Internal, format!("the parameters cannot be serialised: {reason}"));
        let metadata = Metadata::new(None, info).map_err(|e| defect(e.to_string()))?;
        let json = serde_json::to_vec(&metadata).map_err(|e| defect(e.to_string()))?;
        let length = json.len().next_multiple_of(8); // spaces follow, so that the values are aligned
        let mut head = (length as u64).to_le_bytes().to_vec();
        head.extend(json);
        head.resize(8 + length, b' ');
        Ok(Self { head, tensors: ordered.into_iter().map(|(.., tensor)| tensor).collect(), data_len })
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
    pub fn write_rest(&self, mut to: impl Write) -> io::Result<()> {
        to.write_all(&self.head[8..])?;
        for tensor in &self.tensors {
            let flat = tensor.flatten_all().map_err(io::Error::other)?;
            for start in (0..flat.elem_count()).step_by(PIECE) {
                let piece = flat.narrow(0, start, PIECE.min(flat.elem_count() - start)).map_err(io::Error::other)?;
                to.write_all(&View::data(&piece))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

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
            let layout = Layout::new(tensors).unwrap();
            let mut bytes = layout.beginning().to_vec();
            layout.write_rest(&mut bytes).unwrap();
            assert!(bytes == expected);
            assert_eq!(layout.len(), expected.len() as u64);
        }
    }
}
