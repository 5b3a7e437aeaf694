//! Trains LeNet on Fashion-MNIST, whose four .gz files are in a folder:
//! `cargo run --release --example lenet -- /usr/share/datasets/fashion-mnist`

use candlewick::activations::Activation;
use candlewick::dataset::{Dataset, DatasetBuilder};
use candlewick::engine::{Engine, Progress, lanes::LanesEngine};
use candlewick::layers::{Conv2d, Dense, Layer, MaxPool2d};
use candlewick::losses::Loss;
use candlewick::{initializers::Initializer, network::Network, optimizers::Sgd};
use flate2::read::GzDecoder;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::{error::Error, fs::File, io::Read, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("say which folder Fashion-MNIST is in")?;
    let train = images(folder.as_ref(), "train")?;
    let test = images(folder.as_ref(), "t10k")?;

    let network = Network::new(&lenet(), train.shape())?;
    for layer in &network.layers {
        println!("{} output shape: {:?}", layer.name, layer.output_shape);
    }
    let parameters = Initializer::xavier().parameters(&network, 1)?;
    let mut engine = LanesEngine::new(network, None)?; // on all processors
    engine.set_flat_parameters(parameters)?;

    let (loss, sgd, progress) = (Loss::default(), Sgd::new(0.9)?.into(), Progress::default());
    let all: Vec<u32> = (0..test.len() as u32).collect();
    let mut order: Vec<u32> = (0..train.len() as u32).collect();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for epoch in 1..=5 {
        order.shuffle(&mut random);
        let trained = engine.train(&train, &order, 256, &loss, &sgd, &progress)?;
        let tested = engine.evaluate(&test, &all, &loss, &progress)?;
        let (mean, [before, after]) = (trained.mean_loss(), [trained.accuracy(), tested.accuracy()]);
        println!("epoch {epoch}, loss {mean:.4}, train acc {before:.3}, test acc {after:.3}");
    }
    Ok(())
}

fn lenet() -> [Layer; 7] {
    let activation = Some(Activation::Sigmoid);
    let conv = |channels| Layer::Conv2d(Conv2d { activation, ..Conv2d::new(channels, [5, 5]) });
    let pool = || Layer::MaxPool2d(MaxPool2d::new([2, 2]));
    let dense = |units, activation| Layer::Dense(Dense { activation, ..Dense::new(units) });
    [conv(6), pool(), conv(16), pool(), dense(120, activation), dense(84, activation), dense(10, None)]
}

/// A pair of IDX files: behind a header, a byte for each pixel, and one for each label.
fn images(folder: &Path, part: &str) -> Result<Dataset, Box<dyn Error>> {
    let read = |name: &str, header: usize| -> Result<Vec<u8>, Box<dyn Error>> {
        let mut bytes = Vec::new();
        GzDecoder::new(File::open(folder.join(format!("{part}-{name}-ubyte.gz")))?).read_to_end(&mut bytes)?;
        Ok(bytes.split_off(header))
    };
    let (pixels, labels) = (read("images-idx3", 16)?, read("labels-idx1", 8)?);
    let mut builder = DatasetBuilder::new(labels.len(), [1, 28, 28])?;
    builder.push_pixels(&pixels)?;
    builder.push_labels(&labels.into_iter().map(u16::from).collect::<Vec<_>>())?;
    Ok(builder.finish()?)
}
