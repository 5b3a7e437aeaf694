//! In which visits to a tile the stages are done, and what of each value and gradient is wanted when.
//!
//! A stage that needs the whole batch first ([`Needs::survey`]) begins a new pass. On the way back, what such a stage does for its
//! input is the first thing of the pass before its own: there, all tiles have been heard again.

use super::slots::Lifetime;
use crate::engine::schedule::{Stage, lengths, readers};
use crate::layers::{LaneOperation, Needs};
use std::ops::Range;

/// When each value is needed, counted in stages and the image first, where nothing goes back: from its making to its last reader. The
/// last, which nobody reads, is needed after all stages.
pub fn forward(stages: &[Stage], image_len: usize) -> Vec<Lifetime> {
    let lengths = lengths(stages, image_len).into_iter();
    let mut values: Vec<_> = lengths.enumerate().map(|(i, len)| Lifetime { len, first: i, last: i + 1 }).collect();
    for (i, stage) in stages.iter().enumerate() {
        for value in stage.inputs() {
            values[value].last = i + 1;
        }
    }
    values
}

/// A step on the way back. Values are counted as in [`Stage`], gradients in the order of their making.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Through a stage: from the gradient `dy` by its output to that by its input, which is `dx`, or nobody's wish.
    Through { stage: usize, dy: Source, dx: Option<Source> },
    /// Two ways meet at a value that both read: their gradients are added up.
    Sum { of: [Source; 2], to: Source, len: usize },
}

/// Where a gradient is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// In a place of its own.
    Gradient(usize),
    /// In the place of a value that nobody needs any more.
    Value(usize),
}

/// A gradient's length, and the steps and the visits between which it is needed.
#[derive(Clone, Copy, Debug)]
pub struct Gradient {
    pub steps: Lifetime,
    pub visits: [usize; 2],
}

/// The way there and back.
#[derive(Debug)]
pub struct Route {
    pub needs: Vec<Needs>,
    /// Of each stage.
    pub pass: Vec<usize>,
    pub passes: usize,
    /// Of each pass.
    pub steps: Vec<Vec<Step>>,
    /// Of each pass: the stage that then surveys the gradient by its output.
    pub surveys_back: Vec<Option<(usize, Source)>>,
    pub gradients: Vec<Gradient>,
    /// The visits of the way back that read a value: of stages' inputs, and of outputs that are looked at.
    pub read_back: Vec<Vec<usize>>,
}

impl Route {
    pub fn new(stages: &[Stage]) -> Self {
        let needs: Vec<Needs> = stages.iter().map(|stage| stage.operation.needs()).collect();
        let mut last = 0;
        let pass: Vec<usize> = needs
            .iter()
            .map(|needs| {
                last += usize::from(needs.survey > 0);
                last
            })
            .collect();
        let passes = last + 1;
        Self {
            needs,
            pass,
            passes,
            steps: vec![Vec::new(); passes],
            surveys_back: vec![None; passes],
            gradients: Vec::new(),
            read_back: vec![Vec::new(); stages.len() + 1],
        }
    }

    /// The pass that makes a value.
    pub fn pass_of_value(&self, value: usize) -> usize {
        if value == 0 { 0 } else { self.pass[value - 1] }
    }

    /// The stages of a pass.
    pub fn stages(&self, pass: usize) -> Range<usize> {
        let first = |pass: usize| self.pass.partition_point(|other| *other < pass);
        first(pass)..first(pass + 1)
    }

    /// The visit in which a pass goes back: after all that go forward, the last pass at once.
    pub fn visit_back(&self, pass: usize) -> usize {
        2 * (self.passes - 1) - pass
    }
}

/// [`Route`] as far as the way back is concerned, while it is being found.
pub struct WayBack<'a> {
    stages: &'a [Stage],
    route: Route,
    /// The gradient by each value, as far as it has come.
    at: Vec<Option<Source>>,
    /// Whether anybody asks for the gradient by each value.
    wanted: Vec<bool>,
    /// How many stages read each value.
    readers: Vec<usize>,
    step: usize,
    /// Whether a gradient may take the place of a value.
    in_place: bool,
}

impl<'a> WayBack<'a> {
    /// Finds it. With `in_place`, gradients take the places of values that nobody needs any more, where operations can do that.
    pub fn find(stages: &'a [Stage], logits: usize, in_place: bool) -> Route {
        let mut wanted = vec![false];
        for stage in stages {
            wanted.push(stage.learns || stage.inputs().any(|value| wanted[value]));
        }
        let (at, readers) = (vec![None; stages.len() + 1], readers(stages));
        let mut way = Self { stages, route: Route::new(stages), at, wanted, readers, step: 0, in_place };
        let visit = way.route.passes - 1;
        way.at[stages.len()] = Some(way.gradient(logits, visit)); // what the loss makes
        for stage in (0..stages.len()).rev().filter(|stage| way.wanted[stage + 1]).collect::<Vec<_>>() {
            way.go_through(stage);
        }
        way.route
    }

    fn go_through(&mut self, stage: usize) {
        let Some(dy) = self.at[stage + 1].take() else { return };
        let Stage { x, plus, .. } = self.stages[stage];
        if let Some(plus) = plus {
            self.bring(x, dy, self.route.pass[stage]);
            self.bring(plus, dy, self.route.pass[stage]);
            return;
        }
        let mut pass = self.route.pass[stage];
        self.step += 1;
        if self.route.needs[stage].survey > 0 {
            self.read(dy, pass);
            let visit = self.route.visit_back(pass);
            self.route.read_back[x].push(visit);
            self.route.surveys_back[pass] = Some((stage, dy));
            pass -= 1;
        }
        let visit = self.route.visit_back(pass);
        self.read(dy, pass);
        self.route.read_back[x].push(visit);
        if self.route.needs[stage].output {
            self.route.read_back[stage + 1].push(visit);
        }
        let dx = self.wanted[x].then(|| match self.may_be_in_place(stage) {
            true => Source::Value(x),
            false => self.gradient(self.len(x), visit),
        });
        self.route.steps[pass].push(Step::Through { stage, dy, dx });
        if let Some(dx) = dx {
            self.bring(x, dx, pass);
        }
    }

    /// Adds what has come to a value by one way to what came by others.
    fn bring(&mut self, value: usize, gradient: Source, pass: usize) {
        if !self.wanted[value] {
            return;
        }
        let Some(other) = self.at[value] else {
            self.at[value] = Some(gradient);
            return;
        };
        self.step += 1;
        self.read(gradient, pass);
        self.read(other, pass);
        let len = self.len(value);
        let to = self.gradient(len, self.route.visit_back(pass));
        self.route.steps[pass].push(Step::Sum { of: [gradient, other], to, len });
        self.at[value] = Some(to);
    }

    fn gradient(&mut self, len: usize, visit: usize) -> Source {
        let steps = Lifetime { len, first: self.step, last: self.step };
        self.route.gradients.push(Gradient { steps, visits: [visit; 2] });
        Source::Gradient(self.route.gradients.len() - 1)
    }

    fn read(&mut self, gradient: Source, pass: usize) {
        let visit = self.route.visit_back(pass);
        if let Source::Gradient(i) = gradient {
            let gradient = &mut self.route.gradients[i];
            (gradient.steps.last, gradient.visits[1]) = (self.step, visit);
        }
    }

    fn len(&self, value: usize) -> usize {
        self.stages[value - 1].output_len
    }

    /// Whether the gradient by a stage's input may take the input's place: nobody else reads that, nor, on the way back, does the
    /// stage that made it; and the gradient is used up in the same visit.
    fn may_be_in_place(&self, stage: usize) -> bool {
        let x = self.stages[stage].x;
        let Some(maker) = x.checked_sub(1) else { return false };
        let of_maker = self.route.needs[maker];
        let is_simple = self.stages[maker].plus.is_none() && of_maker.survey == 0 && !of_maker.output;
        let is_same_visit = self.route.pass[maker] == self.route.pass[stage];
        self.in_place && self.route.needs[stage].in_place && self.readers[x] == 1 && is_simple && is_same_visit
    }
}
