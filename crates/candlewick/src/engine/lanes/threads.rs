//! The cutting of a batch into work for threads, and the memory that they do it in.

use super::program::Program;
use super::tile::Scratch;
use crate::engine::pool::{self, Lease};
use crate::error::Result;
use crate::layers::Accumulators;
use crate::memory::{self, Buffer, check_room};
use crate::metrics::Metrics;
use crate::simd::{LANES, Lane};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most chunks that a batch is cut into, and so the most threads that a batch can use. It is part of the arithmetic, as some
/// gradients are summed within chunks first: changing it changes the last bits of results.
const MOST_CHUNKS: usize = 16;

/// Most tiles of a chunk. A larger batch takes several rounds. Each has room for its record: 4 KiB an input of a dense layer,
/// over all chunks.
const MOST_TILES: usize = 4;

/// Images of a round.
pub const ROUND: usize = MOST_CHUNKS * MOST_TILES * LANES;

/// What a chunk of a round adds up: one thread at a time works on it, tile by tile in order.
pub struct Chunk {
    /// Sums over the tiles: [`Program::chunk_len`].
    pub sums: Vec<f32>,
    /// [`Program::record_len`] lanes of each tile.
    records: Buffer<f32>,
    /// [`Program::survey_len`] numbers of each tile.
    surveys: Vec<f32>,
    /// [`Program::kept`] slots of each tile.
    kept: Vec<Vec<Buffer<f32>>>,
    /// Tiles of the round.
    tiles: usize,
    /// The one that is visited.
    tile: usize,
    pub metrics: Metrics,
}

/// A tile, and what a visit to it reads and writes.
pub struct Visit<'a> {
    /// Its images among the batch's.
    pub images: Range<usize>,
    pub scratch: &'a mut Scratch<f32>,
    pub into: Accumulators<'a, f32>,
    pub survey: &'a mut [f32],
}

impl Chunk {
    fn new() -> Self {
        Self {
            sums: Vec::new(),
            records: Buffer::empty(),
            surveys: Vec::new(),
            kept: Vec::new(),
            tiles: 0,
            tile: 0,
            metrics: Metrics::default(),
        }
    }

    /// Takes what is missing to train on so many tiles.
    fn prepare(&mut self, program: &Program, tiles: usize) -> Result<()> {
        if self.sums.is_empty() {
            self.sums = memory::zeros(program.chunk_len)?;
        }
        self.records.grow(tiles.saturating_mul(program.record_len))?;
        if self.surveys.len() < tiles * program.survey_len {
            self.surveys = memory::zeros(tiles * program.survey_len)?;
        }
        while program.has_stages() && self.kept.len() < tiles {
            let slots = program.kept().iter().map(|len| Buffer::zeros(*len));
            self.kept.push(slots.collect::<Result<_>>()?);
        }
        Ok(())
    }

    fn size(&self) -> usize {
        let kept = self.kept.iter().flatten().map(Buffer::size).sum::<usize>();
        size_of_val(&self.sums[..]) + self.records.size() + size_of_val(&self.surveys[..]) + kept
    }

    /// Where the tile that is visited adds its gradients, those of the round's earlier tiles among them, and where it leaves its
    /// record and its survey.
    pub fn visit<'a>(
        &'a mut self,
        program: &Program,
        images: Range<usize>,
        scratch: &'a mut Scratch<f32>,
    ) -> Visit<'a> {
        let record = &mut self.records[self.tile * program.record_len..][..program.record_len];
        let survey = &mut self.surveys[self.tile * program.survey_len..][..program.survey_len];
        Visit { images, scratch, into: Accumulators { chunk: &mut self.sums, record }, survey }
    }

    /// The slots of the tile that is visited.
    pub fn kept(&mut self) -> &mut [Buffer<f32>] {
        self.kept.get_mut(self.tile).map_or(&mut [], Vec::as_mut_slice)
    }

    /// The records of the last round's tiles, one after the other.
    pub fn records(&self, program: &Program) -> impl Iterator<Item = &[Lane<f32>]> + Clone {
        (0..self.tiles).map(|tile| &self.records[tile * program.record_len..][..program.record_len])
    }

    /// The surveys of the last visits.
    fn surveys(&self, program: &Program) -> impl Iterator<Item = &[f32]> + Clone {
        (0..self.tiles).map(|tile| &self.surveys[tile * program.survey_len..][..program.survey_len])
    }
}

/// An engine's share of threads: how many it uses, the memory of each, and the chunks that they fill.
pub struct Threads {
    count: usize,
    /// As many as work at once.
    scratch: Vec<Mutex<Scratch<f32>>>,
    chunks: Vec<Chunk>,
    /// Chunks that the last round was cut into.
    used: usize,
}

impl Threads {
    /// `count` threads, but no more than a batch can use; all processors' for `None`. They come with a job, and memory when
    /// it is told for what.
    ///
    /// # Errors
    /// `InvalidArgument` for no threads.
    pub fn new(count: Option<usize>) -> Result<Self> {
        let count = pool::check(count)?.min(MOST_CHUNKS);
        Ok(Self { count, scratch: Vec::new(), chunks: Vec::new(), used: 0 })
    }

    /// The threads, to run on: all that is done from within them is.
    ///
    /// # Errors
    /// `OutOfMemory`, if the system gives no more.
    pub fn lease(&self) -> Result<Lease> {
        pool::lease(self.count)
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        let scratch = self.scratch.iter().map(|scratch| lock(scratch).size());
        scratch.chain(self.chunks.iter().map(Chunk::size)).sum()
    }

    /// Takes the memory that answers to so many images need, as far as it is not there.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn prepare_to_answer(&mut self, program: &Program, images: usize) -> Result<()> {
        let tiles = images.min(ROUND).div_ceil(LANES);
        let chunks = tiles.min(MOST_CHUNKS);
        let at_once = self.count.min(chunks);
        while self.scratch.len() < at_once {
            self.scratch.push(Mutex::new(Scratch::new()));
        }
        for scratch in &mut self.scratch[..at_once] {
            scratch.get_mut().unwrap_or_else(PoisonError::into_inner).prepare(program)?;
        }
        while self.chunks.len() < chunks {
            self.chunks.push(Chunk::new());
        }
        Ok(())
    }

    /// Takes the memory that batches of up to so many images need to train on, as far as it is not there.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn prepare_to_train(&mut self, program: &Program, images: usize) -> Result<()> {
        let tiles = images.min(round(program)).div_ceil(LANES);
        let chunks = tiles.min(MOST_CHUNKS);
        if program.has_stages() {
            let lanes = program.kept().iter().fold(0usize, |sum, len| sum.saturating_add(*len));
            let bytes = lanes.saturating_mul(size_of::<Lane<f32>>()).saturating_mul(tiles);
            check_room(bytes.saturating_sub(self.size()))?;
        }
        self.prepare_to_answer(program, images)?;
        let of_a_chunk = tiles.div_ceil(chunks.max(1));
        self.chunks[..chunks].iter_mut().try_for_each(|chunk| chunk.prepare(program, of_a_chunk))
    }

    /// Those of the last round.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks[..self.used]
    }

    /// The surveys of a batch's tiles, each with its number of images.
    pub fn surveys<'a>(
        &'a self,
        program: &'a Program,
        images: usize,
    ) -> impl Iterator<Item = (usize, &'a [f32])> + Clone {
        let surveys = self.chunks().iter().flat_map(|chunk| chunk.surveys(program));
        surveys.enumerate().map(move |(tile, survey)| ((images - tile * LANES).min(LANES), survey))
    }

    /// The sums of the first chunk, which is among those of any round.
    pub fn first_sums(&mut self) -> &mut Vec<f32> {
        &mut self.chunks[0].sums
    }

    /// Calls `work` for each tile of a round, with the range of its images; a round that is visited for the first time begins with
    /// sums of zero. Must be called within the leased threads, after there is memory for as many images. Tiles of one chunk come
    /// one after the other. Returns the sum of the chunks' metrics, which start from zero.
    pub fn for_each_tile(
        &mut self,
        images: Range<usize>,
        is_first: bool,
        work: impl Fn(&mut Scratch<f32>, &mut Chunk, Range<usize>) + Sync,
    ) -> Metrics {
        let tiles = images.len().div_ceil(LANES);
        self.used = tiles.min(MOST_CHUNKS);
        let used = self.used;
        let scratch = &self.scratch[..self.count.min(used)];
        self.chunks[..used].par_iter_mut().with_max_len(1).enumerate().for_each(|(i, chunk)| {
            let scratch = &mut *free(scratch);
            let own = i * tiles / used..(i + 1) * tiles / used;
            (chunk.tiles, chunk.metrics) = (own.len(), Metrics::default());
            if is_first {
                chunk.sums.fill(0.0);
            }
            for (tile, of_round) in own.enumerate() {
                chunk.tile = tile;
                let start = images.start + of_round * LANES;
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

/// Images of a round: of a network with stages, a batch is one, whatever its size.
pub fn round(program: &Program) -> usize {
    if program.has_stages() { usize::MAX } else { ROUND }
}

/// The thread's own memory, which is in its cache, or where a batch has fewer chunks than there are threads, any that is free:
/// as many threads as there are of them work at once.
fn free(all: &[Mutex<Scratch<f32>>]) -> MutexGuard<'_, Scratch<f32>> {
    let thread = rayon::current_thread_index().unwrap_or(0);
    let (others, own) = all.split_at(thread % all.len());
    own.iter().chain(others).find_map(|scratch| scratch.try_lock().ok()).unwrap_or_else(|| lock(&own[0]))
}

/// Nothing is left half done under the lock but numbers that the next tile starts afresh.
fn lock(scratch: &Mutex<Scratch<f32>>) -> MutexGuard<'_, Scratch<f32>> {
    scratch.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::schedule::schedule;
    use crate::error::Code;
    use crate::layers::{Dense, Layer};
    use crate::network::Network;

    #[test]
    fn every_image_is_in_one_tile() {
        let network = Network::new(&[Layer::Dense(Dense::new(1))], [1, 1, 1]).unwrap();
        let mut threads = Threads::new(Some(3)).unwrap();
        for images in [0, 1, 15, 16, 17, 255, 256, 257, 1000, ROUND] {
            let seen = Mutex::new(vec![0; images]);
            let work = |_: &mut Scratch<f32>, chunk: &mut Chunk, range: Range<usize>| {
                assert_eq!(range.start % LANES, 5);
                chunk.metrics.count += range.len() as u64;
                range.for_each(|i| seen.lock().unwrap()[i - 5] += 1);
            };
            threads.prepare_to_answer(&to_answer(&network), images).unwrap();
            let metrics = threads.lease().unwrap().install(|| threads.for_each_tile(5..5 + images, true, work));
            assert!(seen.lock().unwrap().iter().all(|n| *n == 1));
            assert_eq!(metrics.count as usize, images);
        }
    }

    fn to_answer(network: &Network) -> Program {
        Program::to_answer(&schedule(network, false), network.image_len())
    }

    fn to_train(network: &Network) -> Program {
        Program::to_train(&schedule(network, true), network.image_len())
    }

    fn network() -> Network {
        let dense = |units| Layer::Dense(Dense::new(units));
        Network::new(&[dense(10), dense(3)], [1, 1, 100]).unwrap()
    }

    #[test]
    fn a_batch_is_shared_by_sixteen_threads_at_most() {
        assert_eq!(Threads::new(Some(1000)).unwrap().count, MOST_CHUNKS);
        assert_eq!(Threads::new(Some(0)).err().unwrap().code, Code::InvalidArgument);
    }

    #[test]
    fn memory_is_what_the_batch_and_the_purpose_need() {
        let (to_answer, to_train) = (to_answer(&network()), to_train(&network()));
        let threads = |count| Threads::new(Some(count)).unwrap();
        let answer_size = |count, images| {
            let mut threads = threads(count);
            threads.prepare_to_answer(&to_answer, images).unwrap();
            threads.size()
        };
        let train_size = |images| {
            let mut threads = threads(1);
            threads.prepare_to_train(&to_train, images).unwrap();
            threads.size()
        };
        let lanes = |n: usize| (n + 2) * 64; // a buffer has one lane more for its alignment
        let answer = lanes(99) + lanes(9);
        assert_eq!(threads(2).size(), 0);
        assert_eq!(answer_size(2, 0), 0);
        assert_eq!(answer_size(2, 16), answer, "a tile is one thread's");
        assert_eq!(answer_size(2, 17), 2 * answer);
        assert_eq!(answer_size(2, 100_000), 2 * answer);
        let [one, two, many] = [16, 32, 100_000].map(train_size);
        let record = (two - one) / 64 - 1;
        let gradients = lanes(2) + lanes(9);
        assert_eq!(one, gradients + lanes(99) + lanes(9) + lanes(2) + (record + 1) * 64);
        assert_eq!(many - one, 16 * (MOST_TILES * record + 1) * 64 - (record + 1) * 64);
    }

    #[test]
    fn memory_grows_with_the_batch_and_stays() {
        let program = to_train(&network());
        let mut threads = Threads::new(Some(3)).unwrap();
        let mut sizes = Vec::new();
        for images in [16, 48, 1024, 16, 1024] {
            threads.prepare_to_train(&program, images).unwrap();
            sizes.push(threads.size());
            let work = |scratch: &mut Scratch<f32>, chunk: &mut Chunk, images: Range<usize>| {
                chunk.visit(&program, images, scratch).into.record.fill(Lane::zero());
            };
            threads.lease().unwrap().install(|| threads.for_each_tile(0..images, true, work));
        }
        assert!(sizes[0] < sizes[1] && sizes[1] < sizes[2]);
        assert_eq!(sizes[2..], [sizes[2]; 3]);
    }
}
