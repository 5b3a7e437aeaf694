//! Layers that proptest draws.

use candlewick::activations::Activation;
use candlewick::layers::{AvgPool2d, Conv2d, Dense, Layer, MaxPool2d, Padding};
use proptest::prelude::*;

fn activation() -> impl Strategy<Value = Option<Activation>> {
    prop::option::of(prop::sample::select(Activation::EXAMPLES.to_vec()))
}

/// With kernels of up to so many pixels a side.
pub fn conv(channels: impl Strategy<Value = usize>, most: usize) -> impl Strategy<Value = Layer> {
    let pair = |least: usize, most: usize| [least..=most, least..=most];
    let groups = prop::sample::select(vec![1usize, 1, 1, 2, 3]);
    // Kernels of 3 x 3 with strides of 1 have ways of their own.
    let kernels = prop_oneof![2 => pair(1, most), 1 => Just([3, 3])];
    let strides = prop_oneof![1 => pair(1, 3), 1 => Just([1, 1])];
    (channels, groups, kernels, strides, padding(), any::<bool>(), activation()).prop_map(
        |(channels, groups, kernel_size, strides, padding, use_bias, activation)| {
            let strides = if padding == Padding::Same { [1, 1] } else { strides };
            let conv = Conv2d { strides, padding, groups, use_bias, ..Conv2d::new(channels * groups, kernel_size) };
            Layer::Conv2d(Conv2d { activation, ..conv })
        },
    )
}

fn padding() -> impl Strategy<Value = Padding> {
    prop_oneof![4 => [0usize..=3, 0..=3].prop_map(Padding::Each), 1 => Just(Padding::Same)]
}

pub fn pool() -> impl Strategy<Value = Layer> {
    let pair = || [1usize..=3, 1..=3];
    (pair(), pair(), [0usize..=1, 0..=1], any::<bool>()).prop_map(|(pool_size, strides, padding, max)| {
        if max {
            let padding = [padding[0].min(pool_size[0] / 2), padding[1].min(pool_size[1] / 2)];
            Layer::MaxPool2d(MaxPool2d { strides, padding, ..MaxPool2d::new(pool_size) })
        } else {
            Layer::AvgPool2d(AvgPool2d { strides, ..AvgPool2d::new(pool_size) })
        }
    })
}

fn dense() -> impl Strategy<Value = Layer> {
    (1usize..=21, any::<bool>(), activation())
        .prop_map(|(units, use_bias, activation)| Layer::Dense(Dense { use_bias, activation, ..Dense::new(units) }))
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
