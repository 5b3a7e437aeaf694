//! Threads, and the cutting of a batch into work for them.

use super::program::Program;
use super::tile::Scratch;
use crate::error::{Code, Error, Result};
use crate::memory;
use crate::metrics::Metrics;
use crate::simd::LANES;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most chunks that a batch is cut into, and so the most threads that a batch can use. It is part of the arithmetic, as
/// gradients are summed within chunks first: changing it changes the last bits of results.
const MOST_CHUNKS: usize = 16;

/// Vectors as long as all parameters: themselves, their gradient, their velocity, and a gradient a chunk.
const VECTORS: usize = 3 + MOST_CHUNKS;

/// What a chunk of a batch adds up: one thread at a time works on it, tile by tile in order.
#[derive(Default)]
pub struct Chunk {
    /// As long as the network's parameters.
    pub gradient: Vec<f32>,
    pub metrics: Metrics,
}

/// The engine's threads, each with memory of its own, and the chunks that they fill.
pub struct Threads {
    pool: rayon::ThreadPool,
    scratch: Vec<Mutex<Scratch<f32>>>,
    chunks: Vec<Mutex<Chunk>>,
    /// Chunks that the last batch was cut into.
    used: usize,
    size: usize,
}

impl Threads {
    pub fn new(count: Option<usize>, program: &Program, parameter_count: usize) -> Result<Self> {
        let invalid = |message| Error::new(Code::InvalidArgument, message);
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = count.unwrap_or_else(all).min(MOST_CHUNKS);
        if count == 0 {
            return Err(invalid("threads is 0; it must be at least 1".to_owned()));
        }
        let numbers = VECTORS.saturating_mul(parameter_count).saturating_mul(size_of::<f32>());
        let size = Scratch::<f32>::size(program).saturating_mul(count).saturating_add(numbers);
        memory::check_room(size)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|i| format!("candlewick-{i}"))
            .build()
            .map_err(|e| invalid(format!("{count} threads cannot be started: {e}")))?;
        let scratch = (0..count).map(|_| Scratch::new(program).map(Mutex::new)).collect::<Result<_>>()?;
        let chunk = || Ok(Chunk { gradient: memory::zeros(parameter_count)?, ..Chunk::default() });
        let chunks = (0..MOST_CHUNKS).map(|_| chunk().map(Mutex::new)).collect::<Result<_>>()?;
        Ok(Self { pool, scratch, chunks, used: 0, size })
    }

    pub fn count(&self) -> usize {
        self.scratch.len()
    }

    /// Bytes that the engine holds, here and in its [`VECTORS`].
    pub fn size(&self) -> usize {
        self.size
    }

    /// Calls `work` for each tile of a batch of `images`, on all threads, with the range of its images. Tiles of one chunk
    /// come one after the other, after `begin`. Returns the sum of the chunks' metrics, which start from zero.
    pub fn for_each_tile(
        &mut self,
        images: usize,
        begin: impl Fn(&mut Chunk) + Sync,
        work: impl Fn(&mut Scratch<f32>, &mut Chunk, Range<usize>) + Sync,
    ) -> Metrics {
        let tiles = images.div_ceil(LANES);
        self.used = tiles.min(MOST_CHUNKS);
        let (next, used, scratch, chunks) = (AtomicUsize::new(0), self.used, &self.scratch, &self.chunks);
        self.pool.broadcast(|thread| {
            let scratch = &mut *lock(&scratch[thread.index()]);
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= used {
                    break;
                }
                let chunk = &mut *lock(&chunks[i]);
                chunk.metrics = Metrics::default();
                begin(chunk);
                for tile in i * tiles / used..(i + 1) * tiles / used {
                    work(scratch, chunk, tile * LANES..((tile + 1) * LANES).min(images));
                }
            }
        });
        let mut metrics = Metrics::default();
        for chunk in &self.chunks[..self.used] {
            metrics += lock(chunk).metrics;
        }
        metrics
    }

    /// The sum of the last batch's chunks' gradients, in the chunks' order.
    pub fn sum_gradients(&self, sum: &mut [f32]) {
        let chunks: Vec<_> = self.chunks[..self.used].iter().map(lock).collect();
        let share = sum.len().div_ceil(self.count()).max(1);
        self.pool.install(|| {
            sum.par_chunks_mut(share).enumerate().for_each(|(i, sum)| {
                let range = i * share..i * share + sum.len();
                sum.fill(0.0);
                for chunk in &chunks {
                    for (sum, g) in sum.iter_mut().zip(&chunk.gradient[range.clone()]) {
                        *sum += g;
                    }
                }
            });
        });
    }
}

/// Nothing is left half done under a lock but numbers, which the next batch starts from zero.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Layer, Network};

    #[test]
    fn every_image_is_in_one_tile() {
        let network = Network::new(&[Layer::Dense { units: 1, activation: Activation::None }], [1, 1, 1]).unwrap();
        let mut threads = Threads::new(Some(3), &Program::new(&network), 2).unwrap();
        for images in [0, 1, 15, 16, 17, 255, 256, 257, 1000] {
            let seen = Mutex::new(vec![0; images]);
            let work = |_: &mut Scratch<f32>, chunk: &mut Chunk, range: Range<usize>| {
                assert_eq!(range.start % LANES, 0);
                chunk.metrics.count += range.len() as u64;
                range.for_each(|i| seen.lock().unwrap()[i] += 1);
            };
            let metrics = threads.for_each_tile(images, |_| (), work);
            assert!(seen.lock().unwrap().iter().all(|n| *n == 1));
            assert_eq!(metrics.count as usize, images);
        }
    }
}
