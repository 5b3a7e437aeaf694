//! A network as the list of instructions that a tile goes through, with the places of all that they read and write.
//!
//! Most networks take a tile from its images to its gradients in one visit. An operation that needs the whole batch first
//! ([`Needs::survey`]) divides that into passes: all tiles come as far as the operation, what it has found in each is put
//! together, and all tiles go on; and again on the way back. What a tile must keep from one visit to another has a place of its
//! own; what is quickly done again is done again.

use super::fusion::fuse;
use super::homes::Homes;
use crate::engine::route::{self, Route, Source, Step, WayBack};
use crate::engine::schedule::{Stage, lengths};
use crate::engine::slots::{Lifetime, assign};
use crate::layers::{LaneOperation, Needs, Operation};
use crate::simd::Real;
use std::ops::Range;

/// Where some lanes are: the first of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub slot: usize,
    pub len: usize,
}

/// One operation and where what belongs to it is.
#[derive(Clone, Debug)]
pub struct Instruction {
    pub operation: Operation,
    /// Its place in the schedule, which random numbers are made of.
    pub place: usize,
    /// Its parameters among all.
    pub own: Range<usize>,
    /// The same among those that are arranged, if it has them so.
    pub arranged: Range<usize>,
    /// Whether steps move any of them.
    pub learns: bool,
    /// Its sums among a chunk's.
    pub chunk: Range<usize>,
    /// Its lanes of a tile's record.
    pub record: Range<usize>,
    /// Its numbers among the batch's.
    pub batch: Range<usize>,
    pub needs: Needs,
    pub x: Place,
    /// The other input of a sum.
    pub plus: Option<Place>,
    pub y: Place,
}

/// A step on the way back.
#[derive(Clone, Copy, Debug)]
pub enum BackStep {
    /// From the gradient by an instruction's output to that by its input, unless nobody asks for it.
    Through { instruction: usize, dy: Place, dx: Option<Place> },
    /// Two gradients by one value are added up.
    Sum { of: [Place; 2], to: Place },
}

/// What is done with a tile at a time.
#[derive(Clone, Debug, Default)]
pub struct Pass {
    /// Instructions on the way forward.
    pub forward: Range<usize>,
    /// The instruction that then surveys its input.
    pub survey: Option<usize>,
    /// Whether the images are wanted again on the way back, and instructions whose outputs are, and were not kept.
    pub packs_again: bool,
    pub again: Vec<usize>,
    /// The way back, last instruction first.
    pub back: Vec<BackStep>,
    /// The instruction that then surveys the gradient by its output.
    pub survey_back: Option<(usize, Place)>,
}

/// The instructions, in passes, and the memory that they take.
#[derive(Clone, Debug)]
pub struct Program {
    pub instructions: Vec<Instruction>,
    pub passes: Vec<Pass>,
    /// Where the images go.
    pub image: Place,
    pub logits: Place,
    /// Where the loss leaves its gradient by the logits.
    pub loss_gradient: Place,
    /// Lanes of each slot: first those of a thread, which any tile overwrites, then those that a tile keeps from visit to visit.
    pub slots: Vec<usize>,
    /// How many are a thread's.
    pub shared_slots: usize,
    /// Lanes of scratch memory that the neediest operation asks for.
    pub scratch_len: usize,
    /// Numbers of a chunk's sums.
    pub chunk_len: usize,
    /// Lanes of a tile's record.
    pub record_len: usize,
    /// Numbers of the longest survey of a tile.
    pub survey_len: usize,
    /// Numbers that the batch's surveys come to.
    pub batch_len: usize,
    /// Numbers of all arranged parameters.
    pub arranged_len: usize,
}

/// All parameters, as the instructions of a program have them and as those have them that arrange them.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a, R> {
    pub own: &'a [R],
    pub arranged: &'a [R],
}

impl<'a, R> Parameters<'a, R> {
    /// Those of an instruction.
    pub fn of(&self, instruction: &Instruction) -> &'a [R] {
        if instruction.arranged.is_empty() {
            &self.own[instruction.own.clone()]
        } else {
            &self.arranged[instruction.arranged.clone()]
        }
    }
}

/// Arranges the parameters of some instructions, on all threads of the pool that this is called in; `arranged` begins with those of
/// the first.
fn arrange<R: Real>(instructions: &[Instruction], own: &[R], arranged: &mut [R]) {
    match instructions {
        [] => {}
        [instruction] if instruction.arranged.is_empty() => {}
        [instruction] => instruction.operation.arrange(&own[instruction.own.clone()], arranged),
        _ => {
            let (first, second) = instructions.split_at(instructions.len() / 2);
            let (to_first, to_second) = arranged.split_at_mut(second[0].arranged.start - first[0].arranged.start);
            rayon::join(|| arrange(first, own, to_first), || arrange(second, own, to_second));
        }
    }
}

impl Program {
    /// For answers: what has been used is forgotten.
    pub fn to_answer(stages: &[Stage], image_len: usize) -> Self {
        let mut lifetimes = route::forward(stages, image_len);
        let end = stages.len() + 1;
        let classes = lifetimes[stages.len()].len;
        lifetimes.push(Lifetime { len: classes, first: end, last: end }); // the loss's gradient
        let (places, slots) = assign(&lifetimes);
        let place = |value: usize| Place { slot: places[value], len: lifetimes[value].len };
        let mut program = Self::of(stages, place, place(end), slots);
        program.passes = vec![Pass { forward: 0..stages.len(), ..Pass::default() }];
        program
    }

    /// For training: what the way back looks at is kept, or made again.
    pub fn to_train(stages: &[Stage], image_len: usize) -> Self {
        let (stages, places) = fuse(stages);
        let stages = &stages[..];
        let lengths = lengths(stages, image_len);
        let route = WayBack::find(stages, lengths[stages.len()], true);
        let homes = Homes::find(stages, &route, &lengths);
        let value = |value: usize| Place { slot: homes.values[value], len: lengths[value] };
        let gradient = |source: Source| match source {
            Source::Value(x) => value(x),
            Source::Gradient(i) => Place { slot: homes.gradients[i], len: route.gradients[i].steps.len },
        };
        let mut program = Self::of(stages, value, gradient(Source::Gradient(0)), homes.slots.clone());
        for (instruction, place) in program.instructions.iter_mut().zip(places) {
            instruction.place = place;
        }
        program.shared_slots = homes.shared;
        program.passes = passes(&route, &homes, gradient);
        program
    }

    /// Without passes.
    fn of(stages: &[Stage], place: impl Fn(usize) -> Place, loss_gradient: Place, slots: Vec<usize>) -> Self {
        let mut program = Self {
            instructions: Vec::with_capacity(stages.len()),
            passes: Vec::new(),
            image: place(0),
            logits: place(stages.len()),
            loss_gradient,
            shared_slots: slots.len(),
            slots,
            scratch_len: 0,
            chunk_len: 0,
            record_len: 0,
            survey_len: 0,
            batch_len: 0,
            arranged_len: 0,
        };
        for (i, stage) in stages.iter().enumerate() {
            program.push(stage, [place(stage.x), place(i + 1)], stage.plus.map(&place));
        }
        program
    }

    fn push(&mut self, stage: &Stage, [x, y]: [Place; 2], plus: Option<Place>) {
        let Stage { operation, own, learns, .. } = stage.clone();
        let needs = operation.needs();
        self.scratch_len = self.scratch_len.max(needs.scratch);
        self.survey_len = self.survey_len.max(needs.survey);
        let chunk = next(&mut self.chunk_len, needs.chunk);
        let record = next(&mut self.record_len, needs.record);
        let batch = next(&mut self.batch_len, needs.batch);
        let arranged = next(&mut self.arranged_len, needs.arranged);
        let place = self.instructions.len();
        self.instructions.push(Instruction {
            operation,
            place,
            own,
            arranged,
            learns,
            chunk,
            record,
            batch,
            needs,
            x,
            plus,
            y,
        });
    }

    /// Makes the arranged parameters from the instructions' own.
    pub fn arrange<R: Real>(&self, own: &[R], arranged: &mut [R]) {
        arrange(&self.instructions, own, arranged);
    }

    /// Whether a batch is visited more than once, and so must be in memory as a whole.
    pub fn has_stages(&self) -> bool {
        self.passes.len() > 1
    }

    /// Lanes of the slots that a tile keeps from visit to visit.
    pub fn kept(&self) -> &[usize] {
        &self.slots[self.shared_slots..]
    }
}

fn passes(route: &Route, homes: &Homes, place: impl Fn(Source) -> Place) -> Vec<Pass> {
    let pass = |p: usize| {
        let step = |step: &Step| match *step {
            Step::Through { stage, dy, dx } => {
                BackStep::Through { instruction: stage, dy: place(dy), dx: dx.map(&place) }
            }
            Step::Sum { of, to, .. } => BackStep::Sum { of: of.map(&place), to: place(to) },
        };
        Pass {
            forward: route.stages(p),
            survey: (p + 1 < route.passes).then(|| route.stages(p + 1).start),
            packs_again: p == 0 && homes.packs_again,
            again: homes.again[p].clone(),
            back: route.steps[p].iter().map(step).collect(),
            survey_back: route.surveys_back[p].map(|(stage, dy)| (stage, place(dy))),
        }
    };
    (0..route.passes).map(pass).collect()
}

/// The `len` places after the first `used`, which they are counted among from now on.
fn next(used: &mut usize, len: usize) -> Range<usize> {
    let start = *used;
    *used = start.saturating_add(len);
    start..*used
}
