//! Layers as JavaScript writes them, and what follows from an input shape.

use crate::errors::to_js;
use candlewick::network::{Activation, Layer, Network};
use candlewick::{Code, Error, Result};
use napi_derive::napi;

/// A layer; which fields count depends on `kind`: conv2d, maxPool2d, avgPool2d or dense. Pairs are (vertical, horizontal).
#[napi(object)]
pub struct LayerOptions {
    /// conv2d, maxPool2d, avgPool2d or dense.
    pub kind: String,
    /// conv2d
    pub channels: Option<u32>,
    /// conv2d
    pub kernel_size: Option<Vec<u32>>,
    /// maxPool2d, avgPool2d
    pub pool_size: Option<Vec<u32>>,
    /// conv2d, maxPool2d, avgPool2d
    pub strides: Option<Vec<u32>>,
    /// conv2d
    pub padding: Option<Vec<u32>>,
    /// dense
    pub units: Option<u32>,
    /// conv2d, dense: sigmoid, relu, tanh; nothing for none.
    pub activation: Option<String>,
}

/// A layer in its place.
#[napi(object)]
pub struct LayerReport {
    /// `conv0`, `pool0`, `dense0`
    pub name: String,
    /// Of one image, without the batch.
    pub output_shape: Vec<u32>,
    /// Weights and biases together.
    pub parameter_count: u32,
}

/// Infers the shapes of layers for images of (channels, height, width).
#[napi]
pub fn describe(layers: Vec<LayerOptions>, input_shape: Vec<u32>) -> napi::Result<Vec<LayerReport>> {
    let network = network(&layers, &input_shape).map_err(to_js)?;
    let report = |layer: &candlewick::network::PlacedLayer| LayerReport {
        name: layer.name.clone(),
        output_shape: layer.output_shape.iter().map(|d| *d as u32).collect(),
        parameter_count: layer.parameter_count(&network) as u32,
    };
    Ok(network.layers.iter().map(report).collect())
}

/// The names of layers, which need no shape.
#[napi]
pub fn layer_names(layers: Vec<LayerOptions>) -> napi::Result<Vec<String>> {
    Ok(candlewick::network::names(&parse(&layers).map_err(to_js)?))
}

/// The network of these layers.
///
/// # Errors
/// As for [`Network::new`].
pub fn network(layers: &[LayerOptions], input_shape: &[u32]) -> Result<Network> {
    let [c, h, w] = *input_shape else {
        let message =
            format!("the input shape has {} sizes; it needs three: channels, height, width", input_shape.len());
        return Err(Error::new(Code::InvalidArgument, message));
    };
    Network::new(&parse(layers)?, [c as usize, h as usize, w as usize])
}

fn parse(layers: &[LayerOptions]) -> Result<Vec<Layer>> {
    layers.iter().map(layer).collect()
}

fn layer(options: &LayerOptions) -> Result<Layer> {
    match options.kind.as_str() {
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
