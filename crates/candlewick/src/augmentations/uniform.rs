//! Numbers of a range, all alike, made of random words.

/// Words that there are.
pub const WORDS: f64 = 4_294_967_296.0;

/// One of the numbers from the least to below the most.
pub fn between(word: u32, [least, most]: [f64; 2]) -> f64 {
    least + (most - least) * (f64::from(word) / WORDS)
}

/// One of the whole numbers from 0 to below `count`, of which there are fewer than words.
pub fn one_of(word: u32, count: usize) -> usize {
    ((u64::from(word) * count as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_word_is_the_least_number_and_the_greatest_nearly_the_most() {
        assert_eq!(between(0, [-2.0, 6.0]), -2.0);
        assert_eq!(between(1 << 31, [-2.0, 6.0]), 2.0);
        assert_eq!(between(u32::MAX, [-2.0, 6.0]), 6.0 - 8.0 / WORDS);
        assert_eq!(between(u32::MAX, [0.5, 0.5]), 0.5);
    }

    #[test]
    fn each_count_has_its_share_of_words() {
        let third = u32::MAX / 3;
        assert_eq!(
            [0, third, third + 1, 2 * third, 2 * third + 1, u32::MAX].map(|word| one_of(word, 3)),
            [0, 0, 1, 1, 2, 2]
        );
        assert_eq!([0, u32::MAX].map(|word| one_of(word, u32::MAX as usize)), [0, u32::MAX as usize - 1]);
        assert_eq!(one_of(u32::MAX, 1), 0);
    }
}
