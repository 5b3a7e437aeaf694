//! The real images, for tests. (candlewick's users read IDX files in TypeScript; the crate itself takes bytes.)

use candlewick::dataset::{Dataset, DatasetBuilder};
use flate2::read::GzDecoder;
use std::io::Read;
use std::path::PathBuf;

/// The first `count` training images.
pub fn train(count: usize) -> Dataset {
    let mut builder = DatasetBuilder::new(count, [1, 28, 28]).unwrap();
    builder.push_pixels(&read("train-images-idx3-ubyte", 16, count * 784)).unwrap();
    let labels: Vec<u16> = read("train-labels-idx1-ubyte", 8, count).into_iter().map(u16::from).collect();
    builder.push_labels(&labels).unwrap();
    builder.finish().unwrap()
}

fn read(name: &str, header: usize, len: usize) -> Vec<u8> {
    let folders = [std::env::var("FASHION_MNIST_DIR").unwrap_or_default(), "/usr/share/datasets/fashion-mnist".into()];
    let paths = folders.iter().map(|folder| PathBuf::from(folder).join(format!("{name}.gz")));
    let path = paths.into_iter().find(|path| path.exists()).unwrap_or_else(|| {
        panic!(
            "{name}.gz is in neither of {folders:?}; `npm test` sees to it, or: apt-get install dataset-fashion-mnist"
        )
    });
    let mut bytes = vec![0; header + len];
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_exact(&mut bytes).unwrap();
    bytes.split_off(header)
}
