//! The values of images: bytes, which count as 0 to 1, or float32 as they are.

use crate::error::Result;
use crate::memory;
use memmap2::Mmap;

#[derive(Debug)]
pub enum Pixels {
    Bytes(Vec<u8>),
    /// Bytes of a file, which the system reads as they are looked at, and forgets where memory is short.
    Mapped(Mmap),
    Floats(Vec<f32>),
}

impl Pixels {
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(all) => all.len(),
            Self::Mapped(all) => all.len(),
            Self::Floats(all) => all.len(),
        }
    }

    /// Gives back the memory that nothing came for.
    pub fn shrink(&mut self) {
        match self {
            Self::Bytes(all) => all.shrink_to_fit(),
            Self::Mapped(_) => {}
            Self::Floats(all) => all.shrink_to_fit(),
        }
    }

    /// Bytes of memory that nobody else can have.
    pub fn size(&self) -> usize {
        match self {
            Self::Bytes(all) => size_of_val(&all[..]),
            Self::Mapped(_) => 0,
            Self::Floats(all) => size_of_val(&all[..]),
        }
    }

    /// None of floats.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(all) => all,
            Self::Mapped(all) => all,
            Self::Floats(_) => &[],
        }
    }

    /// None of bytes.
    pub fn floats(&self) -> &[f32] {
        match self {
            Self::Bytes(_) | Self::Mapped(_) => &[],
            Self::Floats(all) => all,
        }
    }

    /// An image of so many values, as it lies in memory.
    pub fn row(&self, index: usize, len: usize) -> &[u8] {
        match self {
            Self::Bytes(_) | Self::Mapped(_) => &self.bytes()[index * len..][..len],
            Self::Floats(all) => bytemuck::cast_slice(&all[index * len..][..len]),
        }
    }

    /// Copies of the images of so many values that `lists` names, from one memory after the other, all of which are of one kind.
    pub fn gathered(lists: &[(&Self, &[u32])], len: usize) -> Result<Self> {
        match lists.first() {
            Some((Self::Floats(_), _)) => {
                rows(lists.iter().map(|(pixels, list)| (pixels.floats(), *list)), len).map(Self::Floats)
            }
            _ => rows(lists.iter().map(|(pixels, list)| (pixels.bytes(), *list)), len).map(Self::Bytes),
        }
    }
}

/// The rows of length `len` that each list names of its values.
fn rows<'a, T: Copy + 'a>(lists: impl Iterator<Item = (&'a [T], &'a [u32])> + Clone, len: usize) -> Result<Vec<T>> {
    let count: usize = lists.clone().map(|(_, list)| list.len()).sum();
    let mut all = memory::room(count.saturating_mul(len))?;
    for (values, list) in lists {
        list.iter().for_each(|index| all.extend_from_slice(&values[*index as usize * len..][..len]));
    }
    Ok(all)
}
