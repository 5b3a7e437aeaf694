//! What an optimiser has made of its steps so far, as an engine keeps it.

use super::Optimizer;
use crate::error::Result;

/// Planes of one number for each parameter (velocity, moments), as many as the optimiser asked for, and the number of its
/// steps. `P` is what an engine keeps a plane in.
///
/// State belongs to the optimiser that made it. Another's is forgotten with its successor's first step, and not by a call that
/// was refused before one.
#[derive(Debug)]
pub struct State<P> {
    planes: Vec<P>,
    /// Of the parameters, where the optimiser keeps one.
    average: Option<P>,
    steps: u64,
    /// What kind of optimiser made it; nothing before the first step.
    kind: Option<&'static str>,
    owner: u64,
    announced: u64,
}

impl<P> State<P> {
    /// Of no steps, and without planes until an optimiser needs them.
    pub fn new() -> Self {
        Self { planes: Vec::new(), average: None, steps: 0, kind: None, owner: 0, announced: 0 }
    }

    /// Says whose the steps from here on are, 0 at first.
    pub fn announce(&mut self, id: u64) {
        self.announced = id;
    }

    /// Hands the state to `optimizer`, whose step is certain to follow: with all planes that it needs, and as a fresh one's
    /// if what is here is another's.
    ///
    /// # Errors
    /// Those of `zeros`, which makes a plane, of `copy`, which makes one of the parameters as they are, and of `clear`, which
    /// fills one with zeros.
    pub fn hand_over(
        &mut self,
        optimizer: &Optimizer,
        zeros: impl FnMut() -> Result<P>,
        copy: impl FnOnce() -> Result<P>,
        clear: impl FnMut(&mut P) -> Result<()>,
    ) -> Result<()> {
        let (kind, is_averaged) = (optimizer.kind(), optimizer.averaging.is_some());
        // Before anything is forgotten, as it may lack memory.
        let begins = is_averaged && (self.average.is_none() || self.is_anothers(kind));
        let begun = if begins { Some(copy()?) } else { None };
        self.hand_to(kind, optimizer.state().len(), zeros, clear)?;
        self.average = if is_averaged { begun.or(self.average.take()) } else { None };
        Ok(())
    }

    fn hand_to(
        &mut self,
        kind: &'static str,
        planes: usize,
        zeros: impl FnMut() -> Result<P>,
        clear: impl FnMut(&mut P) -> Result<()>,
    ) -> Result<()> {
        self.make_room(planes, zeros)?;
        if self.is_anothers(kind) {
            self.reset(clear)?;
        }
        (self.kind, self.owner) = (Some(kind), self.announced);
        Ok(())
    }

    fn is_anothers(&self, kind: &'static str) -> bool {
        self.owner != self.announced || self.kind.is_some_and(|own| own != kind)
    }

    /// Adds planes of zeros until there are as many as that.
    ///
    /// # Errors
    /// Those of `zeros`, which makes one.
    pub fn make_room(&mut self, planes: usize, mut zeros: impl FnMut() -> Result<P>) -> Result<()> {
        while self.planes.len() < planes {
            self.planes.push(zeros()?);
        }
        Ok(())
    }

    /// Counts so many steps more; the number of the last of them, from 1.
    pub fn count_steps(&mut self, steps: u64) -> u64 {
        self.steps += steps;
        self.steps
    }

    /// Takes back the last step, which was not made after all.
    pub fn take_back_step(&mut self) {
        self.steps -= 1;
    }

    /// The steps that were counted.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The planes, of which an optimiser's own are the first.
    pub fn planes(&self) -> &[P] {
        &self.planes
    }

    /// As [`State::planes`], to be changed.
    pub fn planes_mut(&mut self) -> &mut [P] {
        &mut self.planes
    }

    /// The average of the parameters, by which the network answers where there is one.
    pub fn average(&self) -> Option<&P> {
        self.average.as_ref()
    }

    /// As [`State::average`], to be changed.
    pub fn average_mut(&mut self) -> Option<&mut P> {
        self.average.as_mut()
    }

    /// All that is kept.
    pub fn kept(&self) -> impl Iterator<Item = &P> {
        self.planes.iter().chain(&self.average)
    }

    /// What kind of optimiser made it; nothing before the first step.
    pub fn kind(&self) -> Option<&'static str> {
        self.kind
    }

    /// What the optimiser `owner` kept elsewhere, after so many steps of its own.
    pub fn taken_over(planes: Vec<P>, average: Option<P>, steps: u64, kind: Option<&'static str>, owner: u64) -> Self {
        Self { planes, average, steps, kind, owner, announced: owner }
    }

    /// Forgets all steps, and the average with them.
    ///
    /// # Errors
    /// Those of `clear`, which fills a plane with zeros.
    pub fn reset(&mut self, clear: impl FnMut(&mut P) -> Result<()>) -> Result<()> {
        self.planes.iter_mut().try_for_each(clear)?;
        (self.steps, self.average) = (0, None);
        Ok(())
    }
}

impl<P> Default for State<P> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::memory::out_of_memory;
    use crate::optimizers::{Averaging, Ema, Sgd};

    /// Of a network of one parameter.
    type Tiny = State<[f32; 1]>;

    fn clear(plane: &mut [f32; 1]) -> Result<()> {
        *plane = [0.0];
        Ok(())
    }

    /// A step that leaves the number of all the optimiser's steps in each of its planes.
    fn step(state: &mut Tiny, kind: &'static str, planes: usize) -> u64 {
        state.hand_to(kind, planes, || Ok([0.0]), clear).unwrap();
        let number = state.count_steps(1);
        for plane in &mut state.planes_mut()[..planes] {
            plane[0] += 1.0;
            assert_eq!(plane[0], number as f32, "planes and steps begin together");
        }
        number
    }

    #[test]
    fn state_changes_hands_with_the_first_step_of_another() {
        let mut state = Tiny::new();
        assert_eq!([step(&mut state, "sgd", 1), step(&mut state, "sgd", 1)], [1, 2], "nobody else was announced");
        state.announce(7);
        assert_eq!(state.planes(), [[2.0]], "nothing happens before a step");
        assert_eq!(
            [step(&mut state, "sgd", 1), step(&mut state, "sgd", 1)],
            [1, 2],
            "it is the new one's from there on"
        );
        state.announce(8);
        state.announce(7);
        assert_eq!(step(&mut state, "sgd", 1), 3, "one that made no step has not been");
    }

    #[test]
    fn state_of_one_kind_is_not_taken_for_that_of_another() {
        let mut state = Tiny::new();
        step(&mut state, "sgd", 1);
        step(&mut state, "sgd", 1);
        assert_eq!(step(&mut state, "adam", 2), 1, "though nobody was announced");
        assert_eq!(step(&mut state, "adam", 2), 2);
        assert_eq!(step(&mut state, "sgd", 1), 1);
    }

    #[test]
    fn planes_come_when_they_are_needed_and_stay() {
        let mut state = Tiny::new();
        let hand_over = |state: &mut Tiny, momentum| {
            let sgd = Sgd { learning_rate: 0.1, momentum, ..Sgd::PLAIN };
            state.hand_over(&sgd.into(), || Ok([0.0]), || Ok([5.0]), clear).unwrap();
        };
        hand_over(&mut state, 0.0);
        assert!(state.planes().is_empty());
        hand_over(&mut state, 0.5);
        assert_eq!(state.planes(), [[0.0]]);
        state.planes_mut()[0] = [3.0];
        hand_over(&mut state, 0.0);
        hand_over(&mut state, 0.5);
        assert_eq!(state.planes(), [[3.0]], "momentum that pauses goes on");
    }

    #[test]
    fn an_average_begins_with_the_parameters_and_is_its_optimizers() {
        let mut state = Tiny::new();
        let hand_over = |state: &mut Tiny, averages: bool, parameter| {
            let averaging = averages.then_some(Averaging::Ema(Ema { decay: 0.5 }));
            let optimizer = Optimizer { averaging, ..Sgd::PLAIN.into() };
            state.hand_over(&optimizer, || Ok([0.0]), || Ok([parameter]), clear).unwrap();
            state.average().copied()
        };
        assert_eq!(hand_over(&mut state, false, 1.0), None);
        assert_eq!(hand_over(&mut state, true, 2.0), Some([2.0]));
        assert_eq!(hand_over(&mut state, true, 3.0), Some([2.0]), "it goes on");
        state.announce(7);
        assert_eq!(state.average(), Some(&[2.0]), "nothing happens before a step");
        assert_eq!(hand_over(&mut state, true, 4.0), Some([4.0]));
        assert_eq!(hand_over(&mut state, false, 5.0), None);
        assert_eq!(hand_over(&mut state, true, 6.0), Some([6.0]));
        state.reset(clear).unwrap();
        assert_eq!(state.average(), None);
    }

    #[test]
    fn what_lacks_memory_changes_nothing() {
        let mut state = Tiny::new();
        step(&mut state, "sgd", 1);
        state.announce(7);
        let refused = state.hand_to("adam", 2, || Err(out_of_memory(4)), clear);
        assert_eq!(refused.unwrap_err().code, Code::OutOfMemory);
        let averaged = Optimizer { averaging: Some(Averaging::Ema(Ema { decay: 0.5 })), ..Sgd::PLAIN.into() };
        assert!(state.hand_over(&averaged, || Ok([0.0]), || Err(out_of_memory(4)), clear).is_err());
        state.announce(0);
        assert_eq!(step(&mut state, "sgd", 1), 2);
    }

    #[test]
    fn a_reset_is_a_fresh_start() {
        let mut state = Tiny::new();
        step(&mut state, "sgd", 1);
        state.reset(clear).unwrap();
        assert_eq!(step(&mut state, "sgd", 1), 1);
    }
}
