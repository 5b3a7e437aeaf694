//! Threads, and the cutting of a batch into work for them.

use super::program::{Accumulators, Program};
use super::tile::Scratch;
use crate::error::{Code, Error, Result};
use crate::memory;
use crate::metrics::Metrics;
use crate::simd::{LANES, Lane};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Most chunks that a batch is cut into, and so the most threads that a batch can use. It is part of the arithmetic, as some
/// gradients are summed within chunks first: changing it changes the last bits of results.
const MOST_CHUNKS: usize = 16;

/// Most tiles of a chunk. A larger batch takes several rounds. Each has room for its record: 4 KiB an input of a dense layer,
/// over all chunks.
const MOST_TILES: usize = 4;

/// Images of a round.
pub const ROUND: usize = MOST_CHUNKS * MOST_TILES * LANES;

/// What a chunk of a round adds up: one thread at a time works on it, tile by tile in order.
#[derive(Default)]
pub struct Chunk {
    /// Sums over the tiles: [`Program::gradient_len`].
    pub gradient: Vec<f32>,
    /// [`Program::record_len`] lanes of each tile.
    records: Vec<Lane<f32>>,
    /// Tiles of the round that have been here.
    tiles: usize,
    /// Lanes of `records` that they have written.
    written: usize,
    pub metrics: Metrics,
}

impl Chunk {
    fn new(program: &Program) -> Result<Self> {
        let records = memory::zeros(MOST_TILES.saturating_mul(program.record_len))?;
        Ok(Self { gradient: memory::zeros(program.gradient_len)?, records, ..Self::default() })
    }

    fn size(program: &Program) -> usize {
        let records = MOST_TILES.saturating_mul(program.record_len).saturating_mul(size_of::<Lane<f32>>());
        records.saturating_add(program.gradient_len.saturating_mul(size_of::<f32>()))
    }

    fn begin(&mut self) {
        (self.tiles, self.written, self.metrics) = (0, 0, Metrics::default());
    }

    /// Where a tile adds its gradients, those of the round's earlier tiles among them, and where it leaves its record.
    pub fn accumulators(&mut self, program: &Program) -> Accumulators<'_, f32> {
        if self.tiles == 0 {
            self.gradient.fill(0.0);
        }
        self.tiles += 1;
        let record = &mut self.records[self.written..][..program.record_len];
        self.written += program.record_len;
        Accumulators { gradient: &mut self.gradient, record }
    }

    /// The records of the last round's tiles, end to end.
    pub fn records(&self) -> &[Lane<f32>] {
        &self.records[..self.written]
    }
}

/// The engine's threads, each with memory of its own, and the chunks that they fill.
pub struct Threads {
    pool: Arc<rayon::ThreadPool>,
    scratch: Vec<Mutex<Scratch<f32>>>,
    chunks: Vec<Chunk>,
    /// Chunks that the last round was cut into.
    used: usize,
    size: usize,
}

impl Threads {
    /// `others`: bytes that the engine holds besides, so that the check for memory is one.
    ///
    /// # Errors
    /// `InvalidArgument` for no threads, `OutOfMemory`.
    pub fn new(count: Option<usize>, program: &Program, others: usize) -> Result<Self> {
        let invalid = |message| Error::new(Code::InvalidArgument, message);
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = count.unwrap_or_else(all).min(MOST_CHUNKS);
        if count == 0 {
            return Err(invalid("threads is 0; it must be at least 1".to_owned()));
        }
        let chunks = Chunk::size(program).saturating_mul(MOST_CHUNKS);
        let size = Scratch::<f32>::size(program).saturating_mul(count).saturating_add(chunks);
        memory::check_room(size.saturating_add(others))?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|i| format!("candlewick-{i}"))
            .build()
            .map_err(|e| invalid(format!("{count} threads cannot be started: {e}")))?;
        let scratch = (0..count).map(|_| Scratch::new(program).map(Mutex::new)).collect::<Result<_>>()?;
        let chunks = (0..MOST_CHUNKS).map(|_| Chunk::new(program)).collect::<Result<_>>()?;
        Ok(Self { pool: Arc::new(pool), scratch, chunks, used: 0, size })
    }

    /// The threads, to run on: all that is done from within them is.
    pub fn pool(&self) -> Arc<rayon::ThreadPool> {
        Arc::clone(&self.pool)
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Those of the last round.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks[..self.used]
    }

    /// Calls `work` for each tile of a round, at most [`ROUND`] images, with the range of its images. Must be called within
    /// the pool. Tiles of one chunk come one after the other. Returns the sum of the chunks' metrics, which start from zero.
    pub fn for_each_tile(
        &mut self,
        images: Range<usize>,
        work: impl Fn(&mut Scratch<f32>, &mut Chunk, Range<usize>) + Sync,
    ) -> Metrics {
        let tiles = images.len().div_ceil(LANES);
        assert!(tiles <= MOST_CHUNKS * MOST_TILES, "a round has at most {ROUND} images");
        self.used = tiles.min(MOST_CHUNKS);
        let (used, scratch) = (self.used, &self.scratch);
        self.chunks[..used].par_iter_mut().with_max_len(1).enumerate().for_each(|(i, chunk)| {
            let thread = rayon::current_thread_index().unwrap_or(0);
            // Nothing is left half done under the lock but numbers that the next tile starts afresh.
            let scratch = &mut *scratch[thread].lock().unwrap_or_else(PoisonError::into_inner);
            chunk.begin();
            for tile in i * tiles / used..(i + 1) * tiles / used {
                let start = images.start + tile * LANES;
                work(scratch, chunk, start..(start + LANES).min(images.end));
            }
        });
        let mut metrics = Metrics::default();
        for chunk in self.chunks() {
            metrics += chunk.metrics;
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Layer, Network};

    #[test]
    fn every_image_is_in_one_tile() {
        let network = Network::new(&[Layer::Dense { units: 1, activation: Activation::None }], [1, 1, 1]).unwrap();
        let mut threads = Threads::new(Some(3), &Program::new(&network), 0).unwrap();
        for images in [0, 1, 15, 16, 17, 255, 256, 257, 1000, ROUND] {
            let seen = Mutex::new(vec![0; images]);
            let work = |_: &mut Scratch<f32>, chunk: &mut Chunk, range: Range<usize>| {
                assert_eq!(range.start % LANES, 5);
                chunk.metrics.count += range.len() as u64;
                range.for_each(|i| seen.lock().unwrap()[i - 5] += 1);
            };
            let metrics = threads.pool().install(|| threads.for_each_tile(5..5 + images, work));
            assert!(seen.lock().unwrap().iter().all(|n| *n == 1));
            assert_eq!(metrics.count as usize, images);
        }
    }
}
