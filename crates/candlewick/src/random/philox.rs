//! Philox4x32-10: a counter and a key become four random words (Salmon, Moraes, Dror and Shaw, Parallel Random Numbers: As Easy as
//! 1, 2, 3, SC 2011; their library Random123). As nothing is carried on from word to word, threads, instruction sets and engines
//! find the same, in whatever order they ask. kernels/philox.cuh is the same for GPUs.

use crate::simd::LANES;

const ROUNDS: usize = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// The golden ratio and √3 - 1.
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// What random numbers are made of, but for their places in the batch: the key, and the rest of the counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// The network's.
    pub seed: u64,
    /// Number of the step, from 1 on; counted modulo 2³².
    pub step: u64,
    /// The operation's place in the schedule of training.
    pub place: usize,
}

impl Chance {
    /// The words `4 block` to `4 block + 3` of the image of this place in the batch.
    pub fn words(self, image: usize, block: usize) -> [u32; 4] {
        self.of_images([image as u32], block).map(|[word]| word)
    }

    /// The same of sixteen images, word by word.
    #[inline(always)]
    pub fn of_tile(self, first_image: usize, block: usize) -> [[u32; LANES]; 4] {
        let mut images = [first_image as u32; LANES];
        for (lane, image) in images.iter_mut().enumerate() {
            *image += lane as u32;
        }
        self.of_images(images, block)
    }

    #[inline(always)]
    fn of_images<const N: usize>(self, images: [u32; N], block: usize) -> [[u32; N]; 4] {
        let Self { seed, step, place } = self;
        let counter = [[block as u32; N], images, [place as u32; N], [(seed >> 32) as u32; N]];
        philox4x32(counter, [seed as u32, step as u32])
    }
}

/// Of N counters at once.
#[inline(always)]
fn philox4x32<const N: usize>(counter: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    let mut c = counter;
    for _ in 0..ROUNDS {
        let mut next = c;
        for i in 0..N {
            let products = [0, 1].map(|half| u64::from(c[2 * half][i]) * u64::from(MULTIPLIERS[half]));
            next[0][i] = (products[1] >> 32) as u32 ^ c[1][i] ^ key[0];
            next[1][i] = products[1] as u32;
            next[2][i] = (products[0] >> 32) as u32 ^ c[3][i] ^ key[1];
            next[3][i] = products[0] as u32;
        }
        c = next;
        key = [0, 1].map(|half| key[half].wrapping_add(KEY_STEPS[half]));
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `philox4x32 10` of Random123's kat_vectors: counter, key, words.
    const KNOWN: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
    ];

    #[test]
    fn the_words_are_those_of_random123() {
        for (counter, key, words) in KNOWN {
            assert_eq!(philox4x32(counter.map(|word| [word]), key), words.map(|word| [word]));
        }
    }

    #[test]
    fn a_tile_finds_what_its_images_find() {
        let chance = Chance { seed: 0x0123_4567_89ab_cdef, step: 7, place: 3 };
        let tile = chance.of_tile(40, 5);
        for lane in 0..LANES {
            assert_eq!(tile.map(|words| words[lane]), chance.words(40 + lane, 5));
        }
        assert_eq!(
            chance.words(40, 5),
            philox4x32([[5], [40], [3], [0x0123_4567]], [0x89ab_cdef, 7]).map(|[word]| word)
        );
    }
}
