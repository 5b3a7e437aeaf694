//! What the kernels and the engine both know is the same: the emulation, which is compiled from the kernels' source, is asked.

use super::gpu::{Kernel, THREADS};
use super::layout::{Arguments, Operation, SPLITS};
use super::loss::DeviceLoss;
use super::optimizer::{DeviceOptimizer, DeviceRate};
use super::visits::{Step, Visit};
use super::{PARAMETERS, SHARERS, SUMS};
use crate::activations::Activation;
use crate::engine::schedule::schedule;
use crate::layers::Layer;
use crate::losses::{Loss, Mix};
use crate::network::Network;
use crate::optimizers::{MOST_STATE, Optimizer};
use std::ffi::{CStr, CString, c_char};
use std::fmt::Debug;
use std::mem::offset_of;

unsafe extern "C" {
    safe fn candlewick_layer(kind: i32) -> *const c_char;
    safe fn candlewick_function(function: i32) -> *const c_char;
    safe fn candlewick_rule(rule: i32) -> *const c_char;
    safe fn candlewick_loss(kind: i32) -> *const c_char;
    fn candlewick_fact(name: *const c_char) -> i64;
    fn candlewick_has_kernel(name: *const c_char) -> bool;
}

/// Whether C++ has the same number of this name.
fn hold(name: &str, expected: usize) {
    let name = CString::new(name).unwrap();
    // SAFETY: a C string.
    let found = unsafe { candlewick_fact(name.as_ptr()) };
    assert_eq!(found, expected as i64, "{name:?}, which is -1 where kernels/facts.h does not tell it");
}

/// Whether C++ has the same struct. A field that is forgotten here is a compiler's error.
macro_rules! hold_struct {
    ($name:literal, $type:ident { $($field:ident),* $(,)? }) => {
        let $type { $($field: _),* } = $type::default();
        hold($name, size_of::<$type>());
        $(hold(concat!($name, ".", stringify!($field)), offset_of!($type, $field));)*
    };
}

#[test]
fn structs_have_the_same_fields_in_the_same_places() {
    hold_struct! {
        "Operation",
        Operation { kind, x, y, plus, own, own_end, learned_end, partial, record, numbers, words }
    }
    hold_struct! { "Step", Step { operation, dy, other, dx, len } }
    hold_struct! {
        "Visit",
        Visit { begins, first_operation, end_operation, ends, first_step, end_step, surveyed, surveyed_dy }
    }
    hold_struct! {
        "Optimizer",
        DeviceOptimizer {
            steps, begun, planes, rates, decays, average, average_decay, share, clip_norm, scale, rule, settings,
        }
    }
    hold_struct! { "Rate", DeviceRate { momentum, learning_rate, padding } }
    hold_struct! { "Mix", Mix { other, share } }
    hold_struct! { "Loss", DeviceLoss { class_weights, scales, kind, settings } }
    hold_struct! {
        "Arguments",
        Arguments {
            operations, steps, bytes, floats, order, labels, mixes, values, loss, parameters, turned, gradient, optimizer, batches, seed, partials, records, losses, correct,
            logits, scratch, numbers, sums, normalization, visit, image_len, plane_len, classes, first, images, batch, memory_len, by_image, loss_gradient, survey,
            partial_len, record_len, partial_count, parameter_count, scale,
        }
    }
}

#[test]
fn numbers_are_the_same() {
    hold("THREADS", THREADS as usize);
    hold("SPLITS", SPLITS);
    hold("PARAMETERS", PARAMETERS);
    hold("SHARERS", SHARERS);
    hold("SUMS", SUMS);
    hold("MOST_STATE", MOST_STATE);
}

/// Whether a struct of C++'s, as compilers write its name (`6Conv2d`), has that of a variant.
fn hold_name(found: *const c_char, variant: &impl Debug) {
    // SAFETY: a C string of the program's.
    let found = unsafe { CStr::from_ptr(found) }.to_str().unwrap();
    let variant = format!("{variant:?}");
    let expected = variant.split(['(', ' ']).next().unwrap();
    assert_eq!(found, format!("{}{expected}", expected.len()));
}

/// A number that is not in C++'s list ends the program, with a word.
#[test]
fn layers_functions_rules_and_losses_have_the_same_numbers() {
    for layer in Layer::examples() {
        for stage in schedule(&Network::new(&[layer], [2, 6, 6]).unwrap(), true) {
            hold_name(candlewick_layer(stage.operation.encode(1).unwrap().kind), &stage.operation);
        }
    }
    for function in Activation::EXAMPLES {
        hold_name(candlewick_function(function.on_device().0), function);
    }
    for optimizer in Optimizer::EXAMPLES {
        hold_name(candlewick_rule(optimizer.encode().rule), optimizer.at(1, 0).motion(true));
    }
    for loss in Loss::examples(3) {
        hold_name(candlewick_loss(loss.encode(3).kind), &loss);
    }
}

#[test]
fn kernels_have_their_names() {
    for kernel in Kernel::ALL {
        let name = CString::new(kernel.name()).unwrap();
        // SAFETY: a C string.
        assert!(unsafe { candlewick_has_kernel(name.as_ptr()) }, "{kernel:?}");
    }
}
