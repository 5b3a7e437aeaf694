//! Layers as JavaScript writes them, and what follows from an input shape.

use crate::errors::{internal, to_js};
use candlewick::network::{Activation, Layer, Network};
use candlewick::{Code, Error, Result};
use napi_derive::napi;
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;

/// A layer; which fields count depends on `kind`: conv2d, maxPool2d, avgPool2d or dense. Pairs are (vertical, horizontal).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LayerOptions<'a> {
    /// conv2d, maxPool2d, avgPool2d or dense.
    #[serde(borrow)]
    kind: Cow<'a, str>,
    /// conv2d
    channels: Option<u32>,
    /// conv2d
    kernel_size: Option<Vec<u32>>,
    /// maxPool2d, avgPool2d
    pool_size: Option<Vec<u32>>,
    /// conv2d, maxPool2d, avgPool2d
    strides: Option<Vec<u32>>,
    /// conv2d
    padding: Option<Vec<u32>>,
    /// dense
    units: Option<u32>,
    /// conv2d, dense: sigmoid, relu, tanh; nothing for none.
    #[serde(borrow)]
    activation: Option<Cow<'a, str>>,
}

/// A layer in its place, as an array: its name (`conv0`), the output shape of one image, with the batch, and the number of its
/// weights and biases.
#[derive(Serialize)]
struct LayerReport<'a>(&'a str, #[serde(serialize_with = "with_batch")] &'a [usize], usize);

fn with_batch<S: Serializer>(shape: &[usize], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(std::iter::once(&1).chain(shape))
}

/// Infers the shapes of layers for images of (channels, height, width). Layers and what is said of them go as JSON, which is
/// several times as fast as object by object.
#[napi]
pub fn describe(layers: String, input_shape: Vec<u32>) -> napi::Result<String> {
    let network = network(&layers, &input_shape).map_err(to_js)?;
    let reports = network
        .layers
        .iter()
        .map(|layer| LayerReport(&layer.name, &layer.output_shape, layer.parameter_count(&network)));
    serde_json::to_string(&reports.collect::<Vec<_>>()).map_err(|error| to_js(internal(&error.to_string())))
}

/// The names of layers, which need no shape.
#[napi]
pub fn layer_names(layers: String) -> napi::Result<Vec<String>> {
    Ok(candlewick::network::names(&parse(&layers).map_err(to_js)?))
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
    Network::new(&parse(layers)?, [c as usize, h as usize, w as usize])
}

fn parse(layers: &str) -> Result<Vec<Layer>> {
    let layers: Vec<LayerOptions<'_>> = serde_json::from_str(layers)
        .map_err(|reason| Error::new(Code::InvalidArgument, format!("these layers cannot be read: {reason}")))?;
    layers.iter().map(layer).collect()
}

fn layer(options: &LayerOptions<'_>) -> Result<Layer> {
    match &*options.kind {
        "conv2d" => Ok(Layer::Conv2d {
            channels: number("channels", options.channels)?,
            kernel_size: pair("kernelSize", &options.kernel_size)?,
            strides: pair("strides", &options.strides)?,
            padding: pair("padding", &options.padding)?,
            activation: activation(options.activation.as_deref())?,
        }),
        "maxPool2d" => Ok(Layer::MaxPool2d {
            pool_size: pair("poolSize", &options.pool_size)?,
            strides: pair("strides", &options.strides)?,
        }),
        "avgPool2d" => Ok(Layer::AvgPool2d {
            pool_size: pair("poolSize", &options.pool_size)?,
            strides: pair("strides", &options.strides)?,
        }),
        "dense" => Ok(Layer::Dense {
            units: number("units", options.units)?,
            activation: activation(options.activation.as_deref())?,
        }),
        kind => Err(Error::new(Code::InvalidArgument, format!("there is no layer of kind \"{kind}\""))),
    }
}

fn number(name: &str, value: Option<u32>) -> Result<usize> {
    value.map(|v| v as usize).ok_or_else(|| Error::new(Code::InvalidArgument, format!("{name} is missing")))
}

fn pair(name: &str, value: &Option<Vec<u32>>) -> Result<[usize; 2]> {
    match value.as_deref() {
        Some([vertical, horizontal]) => Ok([*vertical as usize, *horizontal as usize]),
        _ => Err(Error::new(Code::InvalidArgument, format!("{name} is not a pair of numbers"))),
    }
}

fn activation(name: Option<&str>) -> Result<Activation> {
    match name {
        None => Ok(Activation::None),
        Some("sigmoid") => Ok(Activation::Sigmoid),
        Some("relu") => Ok(Activation::Relu),
        Some("tanh") => Ok(Activation::Tanh),
        Some(name) => Err(Error::new(Code::InvalidArgument, format!("there is no activation \"{name}\""))),
    }
}
