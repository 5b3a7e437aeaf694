//! Which values share a piece of memory: those that are not needed at the same time.

/// Something that has to be in memory from one moment to another, both included.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    pub len: usize,
    pub first: usize,
    pub last: usize,
}

/// A slot for each of some lifetimes, which are in the order of their beginnings, and the slots' lengths: the longest of what is in
/// them, one after the other.
pub fn assign(lifetimes: &[Lifetime]) -> (Vec<usize>, Vec<usize>) {
    let (mut lengths, mut free_after): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    let place = |lifetime: &Lifetime| {
        let slot = free_after.iter().position(|last| *last < lifetime.first).unwrap_or(lengths.len());
        if slot == lengths.len() {
            lengths.push(0);
            free_after.push(0);
        }
        lengths[slot] = lengths[slot].max(lifetime.len);
        free_after[slot] = lifetime.last;
        slot
    };
    let slots = lifetimes.iter().map(place).collect();
    (slots, lengths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_at_once_lies_apart_and_nothing_else() {
        let lifetime = |(len, first, last)| Lifetime { len, first, last };
        let chain = [(5, 0, 1), (9, 1, 2), (3, 2, 3), (4, 3, 4)].map(lifetime);
        assert_eq!(assign(&chain), (vec![0, 1, 0, 1], vec![5, 9]));
        let around = [(5, 0, 3), (9, 1, 2), (3, 2, 3), (4, 3, 3), (7, 4, 4)].map(lifetime);
        assert_eq!(assign(&around), (vec![0, 1, 2, 1, 0], vec![7, 9, 3]));
        assert_eq!(assign(&[]), (vec![], vec![]));
    }
}
