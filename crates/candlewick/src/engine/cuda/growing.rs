//! Memory for what comes in different sizes: batches, orders, figures.

use super::gpu::Gpu;
use crate::error::{Code, Error, Result};

/// Memory that is replaced by more of it when more is asked for.
pub struct Growing<G: Gpu> {
    memory: Option<(G::Memory, usize)>,
}

impl<G: Gpu> Growing<G> {
    /// None yet.
    pub fn new() -> Self {
        Self { memory: None }
    }

    /// At least `bytes` of memory, whose content is not kept.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn room(&mut self, gpu: &G, bytes: usize) -> Result<&mut G::Memory> {
        if self.memory.as_ref().is_none_or(|(_, len)| *len < bytes) {
            self.memory = None; // what is there makes room first
            self.memory = Some((gpu.allocate(bytes)?, bytes));
        }
        match &mut self.memory {
            Some((memory, _)) => Ok(memory),
            None => Err(Error::new(Code::Internal, "memory was just allocated, but is not there")),
        }
    }

    /// Room for `bytes`, and them in it.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceLost`.
    pub fn write(&mut self, gpu: &G, bytes: &[u8]) -> Result<()> {
        let memory = self.room(gpu, bytes.len())?;
        gpu.write(memory, bytes)
    }

    /// 0 before there is any.
    pub fn address(&self, gpu: &G) -> u64 {
        self.memory.as_ref().map_or(0, |(memory, _)| gpu.address(memory))
    }

    /// What there is.
    pub fn memory(&self) -> Option<&G::Memory> {
        self.memory.as_ref().map(|(memory, _)| memory)
    }
}
