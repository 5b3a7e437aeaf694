//! Stages that a tile takes at once in training: batch normalisation and the ReLU after it. Both do little with a number but read and
//! write it, and the numbers of a large image come from far.

use crate::activations::Activation;
use crate::engine::schedule::{Stage, readers};
use crate::layers::Operation;

/// The stages with what was put together, and the place of each in the schedule.
pub fn fuse(stages: &[Stage]) -> (Vec<Stage>, Vec<usize>) {
    let readers = readers(stages);
    let (mut fused, mut places) = (Vec::new(), Vec::new());
    let mut renamed = vec![0]; // what each value is called among those that are left
    let mut rest = stages.iter().enumerate().peekable();
    while let Some((place, stage)) = rest.next() {
        let mut stage = stage.clone().of(&renamed);
        let value = place + 1;
        if let Operation::BatchNorm(norm) = &mut stage.operation {
            let follows = |(_, next): &(usize, &Stage)| next.x == value && readers[value] == 1 && is_relu(next);
            norm.relu = norm.by_batch && rest.next_if(follows).is_some();
            renamed.extend(norm.relu.then_some(fused.len() + 1));
        }
        fused.push(stage);
        places.push(place);
        renamed.push(fused.len());
    }
    (fused, places)
}

fn is_relu(stage: &Stage) -> bool {
    matches!(&stage.operation, Operation::Activation(placed) if placed.function == Activation::Relu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::schedule::schedule;
    use crate::layers::{ActivationLayer, BatchNorm, Dense, Layer, Residual};
    use crate::network::Network;

    /// How many stages are left, and the places of those that were put together.
    fn fused(layers: &[Layer]) -> (usize, Vec<usize>) {
        let network = Network::new(layers, [2, 3, 3]).unwrap();
        let stages = schedule(&network, true);
        let (fused, places) = fuse(&stages);
        let taken = |stage: &Stage| matches!(stage.operation, Operation::BatchNorm(norm) if norm.relu);
        (
            stages.len() - fused.len(),
            fused.iter().zip(places).filter(|(stage, _)| taken(stage)).map(|(_, place)| place).collect(),
        )
    }

    #[test]
    fn a_relu_is_taken_in_where_nobody_else_reads_what_is_before_it() {
        let norm = |trainable| Layer::BatchNorm(BatchNorm { trainable, ..BatchNorm::default() });
        let function = |activation| Layer::Activation(ActivationLayer { activation });
        let (relu, dense) = (|| function(Activation::Relu), || Layer::Dense(Dense::new(3)));
        assert_eq!(fused(&[norm(true), relu(), norm(true), relu(), dense()]), (2, vec![0, 2]));
        assert_eq!(fused(&[norm(true), function(Activation::Tanh), norm(false), relu(), dense()]), (0, vec![]));
        let block = Layer::Residual(Residual { body: vec![relu()], shortcut: Vec::new() });
        assert_eq!(fused(&[norm(true), block, dense()]), (0, vec![]));
    }
}
