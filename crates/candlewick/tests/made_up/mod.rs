//! Images that show nothing, for tests.

use candlewick::dataset::{Dataset, DatasetBuilder};

/// `count` images of `shape`, whose pixels have no simple pattern, with the label that `label` gives each.
pub fn dataset(count: usize, shape: [usize; 3], label: impl Fn(usize) -> usize) -> Dataset {
    let mut builder = DatasetBuilder::new(count, shape).unwrap();
    let pixels = count * shape.iter().product::<usize>();
    builder.push_pixels(&(0..pixels).map(|i| (i * i % 251) as u8).collect::<Vec<_>>()).unwrap();
    builder.push_labels(&(0..count).map(|i| label(i) as u16).collect::<Vec<_>>()).unwrap();
    builder.finish().unwrap()
}
