//! Parameters in safetensors files: `conv0.weight`, `conv0.bias`, ... as float32.

mod destination;
mod header;
mod in_place;
mod layout;
mod load;
mod lock;
mod ordinary;
mod reason;
mod rights;
mod run;
mod save;
mod selection;
mod temporary;

pub use load::{Input, Loaded, load, load_some};
pub use run::{Run, load_run, network_of, save_run, text_of};
pub use save::{check_writable, save};
pub use selection::Selection;

use crate::error::{Code, Error, Result};
use crate::memory;
use crate::network::{Network, Parameter};
use crate::shape::show;
use candle_core::{DType, Device, Tensor};
use std::borrow::Cow;
use std::collections::HashMap;

/// Lays the tensors of `network`'s parameters end to end, as float32.
///
/// # Errors
/// `CheckpointInvalid` where a tensor is missing, has another shape or is not of floats, or, unless `ignore_extra`, belongs to
/// no parameter. `OutOfMemory`.
pub fn flatten(network: &Network, tensors: &HashMap<String, Tensor>, ignore_extra: bool) -> Result<Vec<f32>> {
    let is_extra = |name: &&String| !network.parameters.iter().any(|p| p.name == **name);
    if !ignore_extra && let Some(name) = tensors.keys().find(is_extra) {
        return Err(extra(name, tensors.keys().filter(is_extra).count()));
    }
    let mut parameters = memory::zeros(network.parameter_count())?;
    for parameter in &network.parameters {
        let tensor = tensors.get(&parameter.name).ok_or_else(|| missing(parameter))?;
        check_shape(parameter, tensor.dims())?;
        if !tensor.dtype().is_float() {
            return Err(no_floats(parameter, tensor.dtype().as_str()));
        }
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        parameters[parameter.range.clone()].copy_from_slice(&values);
    }
    Ok(parameters)
}

/// The inverse of [`flatten`]: named tensors in the network's order.
///
/// # Errors
/// `Internal`, if `parameters` is not as long as the network's. `OutOfMemory`.
pub fn named(network: &Network, parameters: &[f32]) -> Result<Vec<(String, Tensor)>> {
    network
        .parameters
        .iter()
        .map(|p| {
            let values = memory::copy(parameters.get(p.range.clone()).unwrap_or_default())?;
            Ok((p.name.clone(), Tensor::from_vec(values, p.shape.as_slice(), &Device::Cpu)?))
        })
        .collect()
}

fn extra(name: &str, count: usize) -> Error {
    let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
    invalid(format!(
        "tensor {}{more} belongs to no parameter of this network; was the file saved from another network? With ignoreExtra \
         the rest is loaded all the same",
        shorten(name)
    ))
}

fn missing(parameter: &Parameter) -> Error {
    let (name, expected) = (&parameter.name, show(&parameter.shape));
    invalid(format!(
        "tensor {name} of shape {expected} is missing; was the file saved from another network? With \
         ignoreMismatch the parameter stays as it is"
    ))
}

fn check_shape(parameter: &Parameter, shape: &[usize]) -> Result<()> {
    if shape == parameter.shape {
        return Ok(());
    }
    let (name, shape, expected) = (&parameter.name, show(shape), show(&parameter.shape));
    Err(invalid(format!(
        "tensor {name} has shape {shape}, but this network's is {expected}; with ignoreMismatch the \
         parameter stays as it is"
    )))
}

fn no_floats(parameter: &Parameter, dtype: &str) -> Error {
    invalid(format!("tensor {} holds {}, but parameters are float32", parameter.name, shorten(dtype)))
}

fn invalid(message: String) -> Error {
    Error::new(Code::CheckpointInvalid, message)
}

/// Text from a file, for a sentence: a name of a megabyte or one that moves the cursor says nothing to people.
fn shorten(text: &str) -> Cow<'_, str> {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        None if !text.contains(char::is_control) => text.into(),
        None => text.escape_debug().to_string().into(),
        Some((end, _)) => format!("{}...", text[..end].escape_debug()).into(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::layers::{Dense, Layer};

    pub fn network() -> Network {
        Network::new(&[Layer::Dense(Dense::new(2))], [1, 1, 3]).unwrap()
    }

    pub const VALUES: [f32; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

    pub fn parameters() -> Vec<(String, Tensor)> {
        named(&network(), &VALUES).unwrap()
    }

    #[test]
    fn tensors_of_another_network_are_refused() {
        let flatten_with = |change: &dyn Fn(&mut HashMap<String, Tensor>), ignore_extra| {
            let mut tensors = parameters().into_iter().collect();
            change(&mut tensors);
            flatten(&network(), &tensors, ignore_extra).map_err(|e| e.message)
        };
        let scalar = || Tensor::new(1f32, &Device::Cpu).unwrap();
        let add =
            |t: &mut HashMap<String, Tensor>| t.extend([("more".into(), scalar()), ("yet more".into(), scalar())]);
        assert_eq!(flatten_with(&|_| (), false).unwrap(), VALUES);
        let missing = flatten_with(&|t| drop(t.remove("dense0.bias")), false).unwrap_err();
        assert!(missing.contains("dense0.bias of shape (2) is missing"), "{missing}");
        let extra = flatten_with(&add, false).unwrap_err();
        assert!(extra.contains("more and 1 more belongs to no parameter"), "{extra}");
        let single = flatten_with(&|t| drop(t.insert("odd".into(), scalar())), false).unwrap_err();
        assert!(single.contains("tensor odd belongs to no parameter"), "{single}");
        assert_eq!(flatten_with(&add, true).unwrap(), VALUES);
        let bias = |tensor: Tensor| flatten_with(&move |t| drop(t.insert("dense0.bias".into(), tensor.clone())), false);
        let misshapen = bias(scalar()).unwrap_err();
        assert!(misshapen.contains("dense0.bias has shape (), but this network's is (2)"), "{misshapen}");
        let integers = bias(Tensor::new(&[1u32, 2], &Device::Cpu).unwrap()).unwrap_err();
        assert!(integers.contains("holds u32"), "{integers}");
    }

    #[test]
    fn names_in_sentences_are_short_and_plain() {
        assert_eq!(shorten("dense0.größe"), "dense0.größe");
        assert_eq!(shorten("a\u{1b}[2Jb\n"), r"a\u{1b}[2Jb\n");
        assert_eq!(shorten(&"ü".repeat(100)), "ü".repeat(100));
        assert_eq!(shorten(&"ü".repeat(101)), format!("{}...", "ü".repeat(100)));
    }
}
