//! What engines and the addon rely on in a dataset, beyond that it keeps what it is given.

use candlewick::dataset::{Dataset, DatasetBuilder};

fn dataset(count: usize) -> Dataset {
    let mut builder = DatasetBuilder::new(count, [1, 1, 1]).unwrap();
    builder.push_pixels(&vec![0; count]).unwrap();
    builder.push_labels(&vec![0; count]).unwrap();
    builder.finish().unwrap()
}

#[test]
fn equal_datasets_are_told_apart() {
    let datasets = [dataset(2), dataset(2), dataset(2)];
    let ids: std::collections::HashSet<u64> = datasets.iter().map(Dataset::id).collect();
    assert_eq!(ids.len(), 3, "a GPU would take one's copy for another's");
}

#[test]
fn only_a_dataset_without_images_is_empty() {
    assert!(dataset(0).is_empty());
    assert!(!dataset(1).is_empty());
}
