//! A network as the list of operations that a tile goes through, with the places of all that they read and write.

use crate::engine::schedule::{Stage, schedule};
use crate::layers::{LaneOperation, Needs, Operation};
use crate::network::Network;
use std::ops::Range;

/// One operation and where what belongs to it is.
#[derive(Clone, Debug)]
pub struct Instruction {
    pub operation: Operation,
    /// Its parameters among all.
    pub own: Range<usize>,
    /// Its sums among a chunk's.
    pub chunk: Range<usize>,
    /// Its lanes of a tile's record.
    pub record: Range<usize>,
    pub needs: Needs,
}

/// The operations, and the length of what goes into each and out of the last.
#[derive(Clone, Debug)]
pub struct Program {
    pub instructions: Vec<Instruction>,
    /// Values of one image: `lengths[i]` before instruction i, `lengths[i + 1]` after it.
    pub lengths: Vec<usize>,
    /// Lanes of scratch memory that the neediest operation asks for.
    pub scratch_len: usize,
    /// Numbers of a chunk's sums.
    pub chunk_len: usize,
    /// Lanes of a tile's record.
    pub record_len: usize,
}

impl Program {
    pub fn new(network: &Network) -> Self {
        let mut program = Self {
            instructions: Vec::new(),
            lengths: vec![network.image_len()],
            scratch_len: 0,
            chunk_len: 0,
            record_len: 0,
        };
        for Stage { operation, own, output_len } in schedule(network) {
            let needs = operation.needs();
            program.scratch_len = program.scratch_len.max(needs.scratch);
            let chunk = next(&mut program.chunk_len, needs.chunk);
            let record = next(&mut program.record_len, needs.record);
            program.instructions.push(Instruction { operation, own, chunk, record, needs });
            program.lengths.push(output_len);
        }
        program
    }

    /// The longest of [`Program::lengths`].
    pub fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }
}

/// The `len` places after the first `used`, which they are counted among from now on.
fn next(used: &mut usize, len: usize) -> Range<usize> {
    let start = *used;
    *used = start.saturating_add(len);
    start..*used
}
