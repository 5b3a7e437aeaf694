//! Layers as JavaScript writes them, and what follows from an input shape.

use crate::errors::{internal, to_js};
use candlewick::network::Network;
use candlewick::{Code, Error, Result, layers};
use napi_derive::napi;
use serde::{Serialize, Serializer};

/// A layer in its place, as an array: its name (`conv0`), the output shape of one image, with the batch, and how many of its
/// numbers training moves, and how many it does not.
#[derive(Serialize)]
struct LayerReport<'a>(&'a str, #[serde(serialize_with = "with_batch")] &'a [usize], usize, usize);

fn with_batch<S: Serializer>(shape: &[usize], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(std::iter::once(&1).chain(shape))
}

/// Infers the shapes of layers for images of (channels, height, width). Layers and what is said of them go as JSON, which is
/// several times as fast as object by object.
#[napi]
pub fn describe(layers: String, input_shape: Vec<u32>) -> napi::Result<String> {
    let network = network(&layers, &input_shape).map_err(to_js)?;
    let reports = network.layers.iter().map(|layer| {
        let [trainable, other] = layer.parameter_counts(&network);
        LayerReport(&layer.name, &layer.output_shape, trainable, other)
    });
    serde_json::to_string(&reports.collect::<Vec<_>>()).map_err(|error| to_js(internal(&error.to_string())))
}

/// A parameter, as an object: its name and shape.
#[derive(Serialize)]
struct ParameterReport<'a> {
    name: &'a str,
    shape: &'a [usize],
}

/// The parameters of layers for images of (channels, height, width), in their order. Layers and parameters go as JSON.
#[napi]
pub fn parameter_list(layers: String, input_shape: Vec<u32>) -> napi::Result<String> {
    let network = network(&layers, &input_shape).map_err(to_js)?;
    let reports = network.parameters.iter().map(|p| ParameterReport { name: &p.name, shape: &p.shape });
    serde_json::to_string(&reports.collect::<Vec<_>>()).map_err(|error| to_js(internal(&error.to_string())))
}

/// The names of layers, which need no shape.
#[napi]
pub fn layer_names(layers: String) -> napi::Result<Vec<String>> {
    Ok(candlewick::network::names(&layers::from_json(&layers).map_err(to_js)?))
}

/// The network of these layers, in JSON.
///
/// # Errors
/// As for [`Network::new`].
pub fn network(layers: &str, input_shape: &[u32]) -> Result<Network> {
    let [c, h, w] = *input_shape else {
        let message =
            format!("the input shape has {} sizes; it needs three: channels, height, width", input_shape.len());
        return Err(Error::new(Code::InvalidArgument, message));
    };
    Network::new(&layers::from_json(layers)?, [c as usize, h as usize, w as usize])
}
