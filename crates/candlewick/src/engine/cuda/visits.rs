//! The launches of a training step that take images through the network, and what each does with an image.

use crate::engine::route::Route;
use bytemuck::{Pod, Zeroable};
use std::ops::Range;

/// A step on the way back: `struct Step` of kernels/layers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Step {
    pub operation: i32,
    pub dy: i32,
    pub other: i32,
    pub dx: i32,
    pub len: i32,
}

/// What a launch does with each image: `struct Visit` of kernels/arguments.cuh.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Visit {
    pub begins: i32,
    pub first_operation: i32,
    pub end_operation: i32,
    pub ends: i32,
    pub first_step: i32,
    pub end_step: i32,
    pub surveyed: i32,
    pub surveyed_dy: i32,
}

/// Where there is none.
pub const NONE: i32 = -1;

/// One that does nothing.
impl Default for Visit {
    fn default() -> Self {
        Self {
            begins: 0,
            first_operation: 0,
            end_operation: 0,
            ends: 0,
            first_step: 0,
            end_step: 0,
            surveyed: NONE,
            surveyed_dy: NONE,
        }
    }
}

impl Visit {
    /// From the image through `operations`.
    pub fn forward(operations: Range<usize>) -> Self {
        Self { begins: 1, ..Self::default() }.through(operations)
    }

    fn through(self, operations: Range<usize>) -> Self {
        Self { first_operation: operations.start as i32, end_operation: operations.end as i32, ..self }
    }

    fn back(self, steps: &Range<usize>, surveyed: Option<(usize, i32)>) -> Self {
        let (surveyed, surveyed_dy) = surveyed.map_or((NONE, NONE), |(stage, dy)| (stage as i32, dy));
        Self { first_step: steps.start as i32, end_step: steps.end as i32, surveyed, surveyed_dy, ..self }
    }
}

/// Those of a step, one after the other: forward pass by pass, the last pass at once, and back. `steps`: of each pass; `dy`: the place of
/// the gradient that is then surveyed.
pub fn visits(route: &Route, steps: &[Range<usize>], dy: impl Fn(usize) -> i32) -> Vec<Visit> {
    let last = route.passes - 1;
    let surveyed = |pass: usize| route.surveys_back[pass].map(|(stage, _)| (stage, dy(pass)));
    let there = (0..last).map(|pass| Visit {
        begins: i32::from(pass == 0),
        surveyed: route.stages(pass).end as i32,
        ..Visit::default().through(route.stages(pass))
    });
    let turn = Visit { begins: i32::from(last == 0), ends: 1, ..Visit::default() }
        .through(route.stages(last))
        .back(&steps[last], surveyed(last));
    let back = (0..last).rev().map(|pass| Visit::default().back(&steps[pass], surveyed(pass)));
    there.chain([turn]).chain(back).collect()
}
