//! What engines and the addon rely on in a dataset, beyond that it keeps what it is given.

mod made_up;

use candlewick::dataset::Dataset;

fn dataset(count: usize) -> Dataset {
    made_up::dataset(count, [1, 1, 1], |_| 0)
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
