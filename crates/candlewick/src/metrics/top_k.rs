//! Whether an image's class is among the first few that the network takes it for.

use crate::error::Result;
use crate::memory;

/// Images whose class is among the first k, for one k or several.
#[derive(Debug)]
pub struct TopK {
    /// Each k, with the images that were right.
    counts: Vec<(u32, u64)>,
}

impl TopK {
    /// Of no images.
    pub fn new(ks: &[u32]) -> Result<Self> {
        Ok(Self { counts: memory::collect(ks.iter().map(|k| (*k, 0)))? })
    }

    /// An image before whose class so many others come.
    pub fn count(&mut self, rank: usize) {
        for (k, right) in &mut self.counts {
            *right += u64::from(rank < *k as usize);
        }
    }

    /// Each k with the share of right answers among so many images.
    pub fn accuracies(&self, images: u64) -> impl Iterator<Item = (u32, f64)> {
        self.counts.iter().map(move |(k, right)| (*k, *right as f64 / images as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_k_are_those_of_ranks_below_k() {
        let mut top = TopK::new(&[1, 3]).unwrap();
        [0, 1, 2, 3, 0].into_iter().for_each(|rank| top.count(rank));
        assert_eq!(top.accuracies(5).collect::<Vec<_>>(), [(1, 0.4), (3, 0.8)]);
    }
}
