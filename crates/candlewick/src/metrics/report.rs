//! What comes of a tally, as JSON has it.

use serde::Serialize;
use std::collections::BTreeMap;

/// What was asked for, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// For each k, the share of images whose class is among the first k that the network takes it for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<BTreeMap<u32, f64>>,
    /// Of each class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_class: Option<Vec<ClassFigures>>,
    /// The means over the classes.
    #[serde(rename = "macro", skip_serializing_if = "Option::is_none")]
    pub means: Option<MacroFigures>,
    /// Images by their class, a row for each, and their answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Vec<Vec<u32>>>,
}

/// How well a class is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassFigures {
    /// Of the images that are taken for it, the share that are of it; 0 where none is.
    pub precision: f64,
    /// Of its images, the share that are taken for it; 0 where there is none.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// Its images.
    pub support: u64,
}

/// Means over classes, each of the same weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MacroFigures {
    /// Of their precisions.
    pub precision: f64,
    /// Of their recalls.
    pub recall: f64,
    /// Of their F1s.
    pub f1: f64,
}
