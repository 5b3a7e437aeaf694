//! The program of answers, and the parameters that it has: the network's own, with batch normalisation folded into the convolution
//! or the dense layer before it, once after each change.

use super::program::{Parameters, Program};
use crate::engine::schedule::{Stage, readers, schedule};
use crate::error::Result;
use crate::layers::{LaneOperation, Operation, batch_norm};
use crate::memory;
use crate::network::Network;
use std::ops::Range;

/// What answers are given by.
pub struct Answering {
    program: Program,
    /// How each parameter comes about; empty where the network's own will do.
    folds: Vec<Fold>,
    /// As the program has them; empty until they are asked for.
    parameters: Vec<f32>,
    arranged: Vec<f32>,
    count: usize,
    is_known: bool,
}

/// Parameters of one stage.
struct Fold {
    operation: Operation,
    /// Among the network's.
    own: Range<usize>,
    /// What is folded into it, and its parameters among the network's.
    norm: Option<(batch_norm::Placed, Range<usize>)>,
    /// Among the program's.
    to: Range<usize>,
}

impl Answering {
    pub fn new(network: &Network) -> Self {
        let stages = schedule(network, false);
        let has_norms = stages.iter().any(|stage| matches!(stage.operation, Operation::BatchNorm(_)));
        let (folds, stages) = if has_norms { fold(stages) } else { (Vec::new(), stages) };
        let count = folds.last().map_or(0, |fold| fold.to.end);
        let program = Program::to_answer(&stages, network.image_len());
        Self { program, folds, parameters: Vec::new(), arranged: Vec::new(), count, is_known: false }
    }

    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        size_of_val(&self.parameters[..]) + size_of_val(&self.arranged[..])
    }

    /// The network's parameters are to change.
    pub fn forget(&mut self) {
        self.is_known = false;
    }

    /// The program, and its parameters.
    pub fn with<'a>(&'a mut self, parameters: &'a [f32]) -> Result<(&'a Program, Parameters<'a, f32>)> {
        if self.parameters.is_empty() && !self.folds.is_empty() {
            self.parameters = memory::zeros(self.count)?;
        }
        if self.arranged.is_empty() {
            self.arranged = memory::zeros(self.program.arranged_len)?;
        }
        let is_known = std::mem::replace(&mut self.is_known, true);
        if !is_known {
            self.folds.iter().for_each(|fold| fold.apply(parameters, &mut self.parameters));
        }
        let own = if self.folds.is_empty() { parameters } else { &self.parameters };
        if !is_known {
            self.program.arrange(own, &mut self.arranged);
        }
        Ok((&self.program, Parameters { own, arranged: &self.arranged }))
    }
}

impl Fold {
    fn apply(&self, parameters: &[f32], folded: &mut [f32]) {
        let (own, to) = (&parameters[self.own.clone()], &mut folded[self.to.clone()]);
        match &self.norm {
            None => to.copy_from_slice(own),
            Some((norm, own_of_norm)) => {
                let (scale, shift) = norm.scale_and_shift(&parameters[own_of_norm.clone()]);
                self.operation.fold(own, &scale, &shift, to);
            }
        }
    }
}

/// Takes those normalisations out of `stages` that can be folded into the stage before, and says where all parameters come from.
fn fold(stages: Vec<Stage>) -> (Vec<Fold>, Vec<Stage>) {
    let readers = readers(&stages);
    let (mut folds, mut left): (Vec<Fold>, Vec<Stage>) = (Vec::new(), Vec::new());
    let (mut count, mut renamed) = (0, vec![0]); // what each value is called among those that are left
    let mut stages = stages.into_iter().peekable();
    let mut index = 0;
    while let Some(stage) = stages.next() {
        index += 1;
        let mut stage = stage.of(&renamed);
        let own = stage.own.clone();
        let follows = |next: &Stage| match &next.operation {
            Operation::BatchNorm(norm) if next.x == index && readers[index] == 1 => Some((*norm, next.own.clone())),
            _ => None,
        };
        let norm = stage.operation.folded().and_then(|folded| Some((folded, stages.peek().and_then(follows)?)));
        let operation = stage.operation.clone();
        let (norm, len) = match norm {
            Some(((folded, len), norm)) => {
                stage.operation = folded;
                (Some(norm), len)
            }
            None => (None, own.len()),
        };
        stage.own = count..count + len;
        count += len;
        folds.push(Fold { operation, own, norm: norm.clone(), to: stage.own.clone() });
        left.push(stage);
        renamed.push(left.len());
        if norm.is_some() {
            stages.next();
            index += 1;
            renamed.push(left.len());
        }
    }
    (folds, left)
}
