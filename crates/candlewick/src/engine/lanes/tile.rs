//! Sixteen images on their way through the network, forward and backward, in the cache of one core.

use super::program::{BackStep, Instruction, Parameters, Pass, Place, Program};
use crate::error::Result;
use crate::layers::{Accumulators, Batch, LaneOperation, Seen, add};
use crate::losses::Objective;
use crate::memory::Buffer;
use crate::metrics::Metrics;
use crate::random::Chance;
use crate::simd::{Kernel, Lane, Lanes, Real};

/// The memory that a tile needs: [`Program::slots`], those that it keeps among them while it is visited.
pub struct Scratch<R> {
    slots: Vec<Buffer<R>>,
    operation: Buffer<R>,
}

/// What all instructions of a program work with.
#[derive(Clone, Copy)]
pub struct Run<'a, R> {
    pub program: &'a Program,
    pub parameters: Parameters<'a, R>,
    /// Its numbers are those of all instructions.
    pub batch: Batch<'a, R>,
}

impl<'a, R> Run<'a, R> {
    fn own(&self, instruction: usize) -> &'a [R] {
        self.parameters.of(&self.program.instructions[instruction])
    }

    fn batch(&self, instruction: usize) -> Batch<'a, R> {
        let Instruction { batch, place, .. } = &self.program.instructions[instruction];
        let (numbers, chance) = (&self.batch.numbers[batch.clone()], Chance { place: *place, ..self.batch.chance });
        Batch { numbers, chance, ..self.batch }
    }
}

impl<R: Real> Scratch<R> {
    /// Without memory.
    pub fn new() -> Self {
        Self { slots: Vec::new(), operation: Buffer::empty() }
    }

    /// Takes what is still missing.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn prepare(&mut self, program: &Program) -> Result<()> {
        while self.slots.len() < program.slots.len() {
            self.slots.push(Buffer::empty());
        }
        for (slot, len) in self.slots.iter_mut().zip(&program.slots[..program.shared_slots]) {
            slot.grow(*len)?;
        }
        self.operation.grow(program.scratch_len)
    }

    /// Bytes that a thread takes for it.
    pub fn needs(program: &Program) -> usize {
        let slots =
            program.slots[..program.shared_slots].iter().fold(program.scratch_len, |sum, len| sum.saturating_add(*len));
        slots.saturating_mul(size_of::<Lane<R>>())
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.slots.iter().chain([&self.operation]).map(Buffer::size).sum()
    }

    /// Takes a tile's own slots in, or gives them back.
    pub fn exchange(&mut self, program: &Program, kept: &mut [Buffer<R>]) {
        self.slots[program.shared_slots..program.slots.len()].swap_with_slice(kept);
    }

    /// Where the images go: `[C][H][W]`.
    pub fn input(&mut self, program: &Program) -> &mut [Lane<R>] {
        let Place { slot, len } = program.image;
        &mut self.slots[slot][..len]
    }

    fn at(&self, place: Place) -> &[Lane<R>] {
        &self.slots[place.slot][..place.len]
    }

    /// Has something written to a place from all others.
    fn write(&mut self, place: Place, write: impl FnOnce(&Self, &mut [Lane<R>], &mut [Lane<R>])) {
        let mut slot = std::mem::replace(&mut self.slots[place.slot], Buffer::empty());
        let mut scratch = std::mem::replace(&mut self.operation, Buffer::empty());
        write(self, &mut slot[..place.len], &mut scratch);
        (self.slots[place.slot], self.operation) = (slot, scratch);
    }

    /// The images' logits, `[classes]`, and room for as many.
    pub fn answer<L: Lanes<Real = R>>(
        &mut self,
        l: L,
        program: &Program,
        parameters: Parameters<'_, R>,
    ) -> (&[Lane<R>], &mut [Lane<R>]) {
        for instruction in &program.instructions {
            let own = parameters.of(instruction);
            self.write(instruction.y, |slots, y, scratch| match instruction.plus {
                Some(plus) => add::Placed::add(l, slots.at(instruction.x), slots.at(plus), y),
                None => instruction.operation.forward(l, own, slots.at(instruction.x), y, scratch),
            });
        }
        self.logits_and_gradient(program)
    }

    fn logits_and_gradient(&mut self, program: &Program) -> (&[Lane<R>], &mut [Lane<R>]) {
        let (logits, gradient) = (program.logits, program.loss_gradient);
        let [logits_slot, gradient_slot] =
            self.slots.get_disjoint_mut([logits.slot, gradient.slot]).expect("a place for each of the two");
        (&logits_slot[..logits.len], &mut gradient_slot[..gradient.len])
    }

    /// In training, from what is there when a pass begins to what its instructions make of it.
    pub fn forward<L: Lanes<Real = R>>(
        &mut self,
        l: L,
        run: Run<'_, R>,
        instructions: impl IntoIterator<Item = usize>,
    ) {
        for i in instructions {
            let instruction = &run.program.instructions[i];
            self.write(instruction.y, |slots, y, scratch| {
                let x = slots.at(instruction.x);
                match instruction.plus {
                    Some(plus) => add::Placed::add(l, x, slots.at(plus), y),
                    None => instruction.operation.forward_in_training(l, run.own(i), run.batch(i), x, y, scratch),
                }
            });
        }
    }

    /// What the next pass must know of all tiles.
    pub fn survey<L: Lanes<Real = R>>(&self, l: L, run: Run<'_, R>, pass: &Pass, survey: &mut [R]) {
        if let Some(next) = pass.survey {
            let instruction = &run.program.instructions[next];
            let survey = &mut survey[..instruction.needs.survey];
            instruction.operation.survey(l, self.at(instruction.x), run.batch.live, survey);
        }
    }

    /// The loss of the logits; its gradient by them, times `scale`, is kept for [`Scratch::backward`].
    pub fn loss<L: Lanes<Real = R>>(
        &mut self,
        l: L,
        program: &Program,
        objective: &Objective<'_>,
        scale: R,
    ) -> Metrics {
        let (logits, gradient) = self.logits_and_gradient(program);
        objective.tile(l, logits, scale, gradient)
    }

    /// A pass's way back: what the gradients by the parameters are made of.
    pub fn backward<L: Lanes<Real = R>>(&mut self, l: L, run: Run<'_, R>, pass: &Pass, into: &mut Accumulators<'_, R>) {
        for step in &pass.back {
            match *step {
                BackStep::Through { instruction, dy, dx } => self.go_through(l, run, instruction, dy, dx, into),
                BackStep::Sum { of: [a, b], to } => {
                    self.write(to, |slots, sum, _| add::Placed::add(l, slots.at(a), slots.at(b), sum));
                }
            }
        }
    }

    fn go_through<L: Lanes<Real = R>>(
        &mut self,
        l: L,
        run: Run<'_, R>,
        i: usize,
        dy: Place,
        dx: Option<Place>,
        into: &mut Accumulators<'_, R>,
    ) {
        let instruction = &run.program.instructions[i];
        if instruction.learns {
            let into = Accumulators {
                chunk: &mut into.chunk[instruction.chunk.clone()],
                record: &mut into.record[instruction.record.clone()],
            };
            let seen =
                Seen { x: at(&self.slots, instruction.x), y: at(&self.slots, instruction.y), dy: at(&self.slots, dy) };
            instruction.operation.leave(l, seen, into, &mut self.operation);
        }
        let Some(place) = dx else { return };
        self.write(place, |slots, dx, scratch| {
            let (y, dy) = (slots.at(instruction.y), slots.at(dy));
            if place == instruction.x {
                instruction.operation.input_gradient_in_place(l, dx, y, dy);
            } else {
                let seen = Seen { x: slots.at(instruction.x), y, dy };
                instruction.operation.input_gradient_in_training(l, run.own(i), run.batch(i), seen, dx, scratch);
            }
        });
    }

    /// What the pass before must know of all tiles on its way back.
    pub fn survey_back<L: Lanes<Real = R>>(&self, l: L, run: Run<'_, R>, pass: &Pass, survey: &mut [R]) {
        if let Some((i, dy)) = pass.survey_back {
            let instruction = &run.program.instructions[i];
            let seen = Seen { x: self.at(instruction.x), y: &[], dy: self.at(dy) };
            let survey = &mut survey[..instruction.needs.survey];
            instruction.operation.survey_back(l, run.own(i), run.batch(i), seen, survey);
        }
    }
}

fn at<R: Real>(slots: &[Buffer<R>], place: Place) -> &[Lane<R>] {
    &slots[place.slot][..place.len]
}

/// A visit on the way forward, but for the last pass's.
pub struct Forward<'a> {
    pub run: Run<'a, f32>,
    pub pass: &'a Pass,
    pub scratch: &'a mut Scratch<f32>,
    pub survey: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(self, l: L) {
        self.scratch.forward(l, self.run, self.pass.forward.clone());
        self.scratch.survey(l, self.run, self.pass, self.survey);
    }
}

/// The last pass's visit: forward, loss and backward. Of most networks it is the only one.
pub struct Turn<'a> {
    pub run: Run<'a, f32>,
    pub pass: &'a Pass,
    pub objective: Objective<'a>,
    pub scale: f32,
    pub scratch: &'a mut Scratch<f32>,
    pub survey: &'a mut [f32],
    pub into: Accumulators<'a, f32>,
}

impl Kernel for Turn<'_> {
    type Output = Metrics;
    fn run<L: Lanes<Real = f32>>(mut self, l: L) -> Metrics {
        self.scratch.forward(l, self.run, self.pass.forward.clone());
        let metrics = self.scratch.loss(l, self.run.program, &self.objective, self.scale);
        self.scratch.backward(l, self.run, self.pass, &mut self.into);
        self.scratch.survey_back(l, self.run, self.pass, self.survey);
        metrics
    }
}

/// A visit on the way back, but for the last pass's.
pub struct Back<'a> {
    pub run: Run<'a, f32>,
    pub pass: &'a Pass,
    pub scratch: &'a mut Scratch<f32>,
    pub survey: &'a mut [f32],
    pub into: Accumulators<'a, f32>,
}

impl Kernel for Back<'_> {
    type Output = ();
    fn run<L: Lanes<Real = f32>>(mut self, l: L) {
        self.scratch.forward(l, self.run, self.pass.again.iter().copied());
        self.scratch.backward(l, self.run, self.pass, &mut self.into);
        self.scratch.survey_back(l, self.run, self.pass, self.survey);
    }
}

/// Forward and loss of the tile in `scratch`, for an answer.
pub struct Score<'a> {
    pub program: &'a Program,
    pub parameters: Parameters<'a, f32>,
    pub objective: Objective<'a>,
    pub scratch: &'a mut Scratch<f32>,
}

impl<'a> Kernel for Score<'a> {
    type Output = (Metrics, &'a [Lane<f32>]);
    fn run<L: Lanes<Real = f32>>(self, l: L) -> Self::Output {
        let (logits, gradient) = self.scratch.answer(l, self.program, self.parameters);
        (self.objective.tile(l, logits, 1.0, gradient), logits)
    }
}

/// Forward of the tile in `scratch`: its logits, `[classes]`.
pub struct Predict<'a> {
    pub program: &'a Program,
    pub parameters: Parameters<'a, f32>,
    pub scratch: &'a mut Scratch<f32>,
}

impl<'a> Kernel for Predict<'a> {
    type Output = &'a [Lane<f32>];
    fn run<L: Lanes<Real = f32>>(self, l: L) -> &'a [Lane<f32>] {
        self.scratch.answer(l, self.program, self.parameters).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;
    use crate::engine::lanes::update::parts;
    use crate::engine::schedule::schedule;
    use crate::layers::finite_differences::{Numbers, check};
    use crate::layers::{
        ActivationLayer, AvgPool2d, BatchNorm, Conv2d, Dense, Layer, MaxPool2d, ParameterKind, Residual,
    };
    use crate::losses::{Loss, Targets};
    use crate::network::Network;
    use crate::simd::{Float64, LANES};

    /// Convolution, padding, stride, both pools, windows that overlap and that do not, every activation, and pools on either side of them.
    fn network() -> Network {
        let conv = |channels, kernel, stride, padding, activation| {
            Layer::Conv2d(Conv2d {
                strides: [stride; 2],
                padding: [padding; 2].into(),
                activation,
                ..Conv2d::new(channels, [kernel; 2])
            })
        };
        let layers = [
            conv(3, 3, 1, 1, Some(Activation::Sigmoid)),
            Layer::MaxPool2d(MaxPool2d { strides: [2, 2], ..MaxPool2d::new([3, 3]) }),
            conv(5, 2, 2, 1, Some(Activation::Tanh)),
            Layer::MaxPool2d(MaxPool2d::new([3, 1])),
            Layer::AvgPool2d(AvgPool2d { strides: [1, 1], ..AvgPool2d::new([1, 2]) }),
            Layer::Dense(Dense { activation: Some(Activation::Relu), ..Dense::new(7) }),
            Layer::Dense(Dense::new(4)),
        ];
        Network::new(&layers, [2, 10, 9]).unwrap()
    }

    /// A batch of tiles, and what a batch's surveys came to.
    struct Tiles {
        tiles: Vec<Scratch<f64>>,
        labels: Vec<Vec<u32>>,
        numbers: Vec<f64>,
        surveys: Vec<Vec<f64>>,
        records: Vec<Vec<Lane<f64>>>,
        chunk: Vec<f64>,
    }

    impl Tiles {
        /// Each with a memory of its own, in which nothing is kept by chance but what a program asks for.
        fn new(program: &Program, images: &[Vec<f64>], labels: &[u32]) -> Self {
            let tile = |images: &[Vec<f64>]| {
                let mut scratch = Scratch::new();
                scratch.prepare(program).unwrap();
                for (slot, len) in scratch.slots.iter_mut().zip(&program.slots) {
                    slot.grow(*len).unwrap();
                }
                pack(scratch.input(program), images);
                scratch
            };
            let tiles: Vec<_> = images.chunks(LANES).map(tile).collect();
            Self {
                labels: labels.chunks(LANES).map(<[u32]>::to_vec).collect(),
                numbers: vec![f64::NAN; program.batch_len],
                surveys: vec![vec![f64::NAN; program.survey_len]; tiles.len()],
                records: vec![vec![Lane::splat(f64::NAN); program.record_len]; tiles.len()],
                chunk: vec![0.0; program.chunk_len],
                tiles,
            }
        }

        fn surveys(&self) -> Vec<(usize, &[f64])> {
            self.labels.iter().map(Vec::len).zip(self.surveys.iter().map(Vec::as_slice)).collect()
        }

        /// Does `work` with each tile, and spoils what threads share after it.
        fn visit(
            &mut self,
            program: &Program,
            parameters: Parameters<'_, f64>,
            mut work: impl FnMut(&mut Scratch<f64>, Run<'_, f64>, &[u32], &mut [f64], &mut Accumulators<'_, f64>),
        ) {
            for (i, tile) in self.tiles.iter_mut().enumerate() {
                let live = self.labels[i].len();
                let batch = Batch {
                    numbers: &self.numbers,
                    first: i * LANES,
                    live,
                    chance: Chance { seed: 1, step: 1, place: 0 },
                };
                let run = Run { program, parameters, batch };
                let mut into = Accumulators { chunk: &mut self.chunk, record: &mut self.records[i] };
                work(tile, run, &self.labels[i], &mut self.surveys[i], &mut into);
                for slot in &mut tile.slots[..program.shared_slots] {
                    slot.fill(Lane::splat(f64::NAN));
                }
            }
        }
    }

    fn pack(to: &mut [Lane<f64>], images: &[Vec<f64>]) {
        to.fill(Lane::zero());
        for (lane, image) in images.iter().enumerate() {
            for (to, from) in to.iter_mut().zip(image) {
                to.0[lane] = *from;
            }
        }
    }

    /// The mean loss of a batch, tile by tile, and its gradient.
    fn loss_and_gradient(
        program: &Program,
        images: &[Vec<f64>],
        labels: &[u32],
        parameters: &[f64],
    ) -> (f64, Vec<f64>) {
        let (mut loss, scale, last) = (0.0, 1.0 / images.len() as f64, program.passes.len() - 1);
        let (plain, mut tiles) = (Loss::default(), Tiles::new(program, images, labels));
        let mut arranged = vec![f64::NAN; program.arranged_len];
        program.arrange(parameters, &mut arranged);
        let (all, parameters) = (parameters, Parameters { own: parameters, arranged: &arranged });
        for pass in &program.passes[..last] {
            tiles.visit(program, parameters, |tile, run, _, survey, _| {
                tile.forward(Float64, run, pass.forward.clone());
                tile.survey(Float64, run, pass, survey);
            });
            let Instruction { operation, own, batch, .. } = &program.instructions[pass.survey.unwrap()];
            let (mut own, mut numbers) = (all[own.clone()].to_vec(), vec![0.0; batch.len()]);
            operation.conclude(tiles.surveys().into_iter(), &mut own, &mut numbers);
            tiles.numbers[batch.clone()].copy_from_slice(&numbers);
        }
        for (p, pass) in program.passes.iter().enumerate().rev() {
            let mut images = images.chunks(LANES);
            tiles.visit(program, parameters, |tile, run, labels, survey, into| {
                let images = images.next().unwrap();
                if pass.packs_again {
                    pack(tile.input(program), images);
                }
                if p == last {
                    if last == 0 {
                        pack(tile.input(program), images);
                    }
                    tile.forward(Float64, run, pass.forward.clone());
                    let objective = Objective::new(&plain, Targets::Labels(labels), 1).unwrap();
                    loss += tile.loss(Float64, program, &objective, scale).loss;
                } else {
                    tile.forward(Float64, run, pass.again.iter().copied());
                }
                tile.backward(Float64, run, pass, into);
                tile.survey_back(Float64, run, pass, survey);
            });
            if let Some((instruction, _)) = pass.survey_back {
                let Instruction { operation, chunk, batch, .. } = &program.instructions[instruction];
                let (mut sums, mut numbers) = (vec![0.0; chunk.len()], tiles.numbers[batch.clone()].to_vec());
                operation.conclude_back(tiles.surveys().into_iter(), &mut numbers, &mut sums);
                tiles.numbers[batch.clone()].copy_from_slice(&numbers);
                tiles.chunk[chunk.clone()].copy_from_slice(&sums);
            }
        }
        let mut gradient = vec![f64::NAN; all.len()];
        for part in parts(program) {
            let chunks = std::iter::once(&tiles.chunk[..]);
            let records = tiles.records.iter().map(Vec::as_slice);
            part.gradient(Float64, program, true, chunks, records, &mut gradient[part.range.clone()]);
        }
        (loss, gradient)
    }

    /// Max pools whose windows touch take the place of their input on the way back: not those of the image, and not one's
    /// that a pool before it still looks at.
    fn pools() -> Network {
        let pool = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
        let conv = Layer::Conv2d(Conv2d { activation: Some(Activation::Tanh), ..Conv2d::new(2, [1, 1]) });
        let dense = Layer::Dense(Dense::new(3));
        Network::new(&[pool.clone(), conv, pool.clone(), pool, dense], [1, 16, 8]).unwrap()
    }

    #[test]
    fn pools_in_place_agree_with_finite_differences() {
        agrees_with_finite_differences(&pools(), 3, &[1, 17]);
    }

    #[test]
    fn the_whole_network_agrees_with_finite_differences() {
        agrees_with_finite_differences(&network(), 4, &[1, 15, 16, 17]);
    }

    /// Every example of a layer, between a convolution and what makes classes of it, in training.
    #[test]
    fn every_layer_in_a_network_agrees_with_finite_differences() {
        for layer in Layer::examples() {
            let conv = Layer::Conv2d(Conv2d { activation: Some(Activation::Tanh), ..Conv2d::new(4, [2, 2]) });
            let dense = |units| Layer::Dense(Dense::new(units));
            let network = Network::new(&[conv, layer, dense(3)], [1, 7, 7]).unwrap();
            agrees_with_finite_differences(&network, 3, &[2, 17]);
        }
    }

    /// Normalisation of the image, of a dense layer's output, twice in a row, on both ways of a block, and around blocks.
    #[test]
    fn passes_agree_with_finite_differences() {
        let norm = || Layer::BatchNorm(BatchNorm::default());
        let tanh = || Layer::Activation(ActivationLayer { activation: Activation::Tanh });
        let relu = || Layer::Activation(ActivationLayer { activation: Activation::Relu });
        let pool = || Layer::MaxPool2d(MaxPool2d::new([2, 2]));
        let conv = |channels, kernel: usize| {
            Layer::Conv2d(Conv2d { padding: [kernel / 2; 2].into(), ..Conv2d::new(channels, [kernel; 2]) })
        };
        let dense = |units| Layer::Dense(Dense::new(units));
        let block = |body, shortcut| Layer::Residual(Residual { body, shortcut });
        for layers in [
            vec![norm(), conv(3, 3), norm(), norm(), tanh(), pool(), dense(4), norm(), tanh(), dense(3)],
            vec![conv(9, 3), norm(), relu(), conv(8, 3), pool(), norm(), relu(), dense(3)],
            vec![
                conv(3, 1),
                block(vec![conv(3, 3), norm(), tanh(), conv(3, 3), norm()], vec![]),
                tanh(),
                pool(),
                dense(3),
            ],
            vec![
                block(vec![norm(), block(vec![conv(2, 3), norm()], vec![]), tanh()], vec![conv(2, 1), norm()]),
                pool(),
                block(vec![conv(3, 1)], vec![conv(3, 3), norm(), tanh()]),
                dense(3),
            ],
            vec![block(vec![norm(), tanh()], vec![]), block(vec![pool(), conv(2, 1), norm()], vec![pool()]), dense(3)],
        ] {
            agrees_with_finite_differences(&Network::new(&layers, [2, 4, 4]).unwrap(), 3, &[2, 17]);
        }
    }

    fn agrees_with_finite_differences(network: &Network, classes: u32, batches: &[usize]) {
        let program = Program::to_train(&schedule(network, true), network.image_len());
        for &batch in batches {
            let mut numbers = Numbers::new();
            let images: Vec<_> = (0..batch).map(|_| numbers.vec(network.image_len())).collect();
            let labels: Vec<u32> = (0..batch as u32).map(|i| i % classes).collect();
            let mut parameters = numbers.vec(network.parameter_count());
            let of_statistics = network.parameters.iter().filter(|p| p.kind == ParameterKind::Statistic);
            of_statistics.flat_map(|p| p.range.clone()).for_each(|i| parameters[i] = parameters[i].abs());
            let moved: Vec<usize> =
                network.parameters.iter().filter(|p| p.trainable).flat_map(|p| p.range.clone()).collect();
            let (_, gradient) = loss_and_gradient(&program, &images, &labels, &parameters);
            let [point, gradient] =
                [&parameters, &gradient].map(|all| moved.iter().map(|i| all[*i]).collect::<Vec<_>>());
            check(&format!("batch of {batch}, {:?}", network.layers), &point, &gradient, |point| {
                let mut parameters = parameters.clone();
                moved.iter().zip(point).for_each(|(i, value)| parameters[*i] = *value);
                loss_and_gradient(&program, &images, &labels, &parameters).0 / batch as f64
            });
        }
    }
}
