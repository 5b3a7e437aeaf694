//! Layers that proptest draws.

use candlewick::activations::Activation;
use candlewick::layers::{AvgPool2d, Conv2d, Dense, Layer, MaxPool2d};
use proptest::prelude::*;

fn activation() -> impl Strategy<Value = Option<Activation>> {
    prop::option::of(prop::sample::select(Activation::EXAMPLES.to_vec()))
}

/// With kernels of up to so many pixels a side.
pub fn conv(channels: impl Strategy<Value = usize>, most: usize) -> impl Strategy<Value = Layer> {
    let pair = |least: usize, most: usize| [least..=most, least..=most];
    (channels, pair(1, most), pair(1, 3), pair(0, 3), activation()).prop_map(
        |(channels, kernel_size, strides, padding, activation)| {
            Layer::Conv2d(Conv2d { strides, padding, activation, ..Conv2d::new(channels, kernel_size) })
        },
    )
}

pub fn pool() -> impl Strategy<Value = Layer> {
    ([1usize..=3, 1..=3], [1usize..=3, 1..=3], any::<bool>()).prop_map(|(pool_size, strides, max)| {
        if max {
            Layer::MaxPool2d(MaxPool2d { strides, ..MaxPool2d::new(pool_size) })
        } else {
            Layer::AvgPool2d(AvgPool2d { strides, ..AvgPool2d::new(pool_size) })
        }
    })
}

fn dense() -> impl Strategy<Value = Layer> {
    (1usize..=21, activation()).prop_map(|(units, activation)| Layer::Dense(Dense { activation, ..Dense::new(units) }))
}

/// One to `most` layers of images, up to two dense ones; not all of them fit together.
pub fn layers(of_images: impl Strategy<Value = Layer>, most: usize) -> impl Strategy<Value = Vec<Layer>> {
    (prop::collection::vec(of_images, 1..=most), prop::collection::vec(dense(), 0..=2)).prop_map(
        |(mut layers, dense)| {
            layers.extend(dense);
            layers
        },
    )
}
