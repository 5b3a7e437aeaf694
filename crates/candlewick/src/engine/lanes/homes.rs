//! Where values and gradients are in training: in a thread's memory, which the next tile overwrites, or in the tile's own, from one
//! visit to another. Values that are quickly made again are not kept.

use crate::engine::route::{Gradient, Route};
use crate::engine::schedule::Stage;
use crate::engine::slots::{Lifetime, assign};

/// Slots for all values and gradients.
#[derive(Debug)]
pub struct Homes {
    /// Of each value, and of each gradient.
    pub values: Vec<usize>,
    pub gradients: Vec<usize>,
    /// Lanes of each, the threads' before the tiles'.
    pub slots: Vec<usize>,
    /// How many are the threads'.
    pub shared: usize,
    /// Of each pass: stages that are done again before the way back.
    pub again: Vec<Vec<usize>>,
    /// Whether the way back through the first pass wants the images again.
    pub packs_again: bool,
}

impl Homes {
    pub fn find(stages: &[Stage], route: &Route, lengths: &[usize]) -> Self {
        let is_kept: Vec<bool> = keep(stages, route);
        let (again, packs_again) = again(stages, route, &is_kept);
        let [of_threads, of_tiles] = [false, true].map(|kept| of_gradients(&route.gradients, kept));
        let mut slots = of_threads.1.clone();
        let mut values = vec![0; lengths.len()];
        let mut place = |kept: bool, slots: &mut Vec<usize>| {
            for value in (0..lengths.len()).filter(|value| is_kept[*value] == kept) {
                values[value] = slots.len();
                slots.push(lengths[value]);
            }
        };
        place(false, &mut slots);
        let shared = slots.len();
        place(true, &mut slots);
        let first_of_tiles = slots.len();
        slots.extend(&of_tiles.1);
        let (mut threads, mut tiles) = (of_threads.0.into_iter(), of_tiles.0.into_iter());
        let home = |gradient: &Gradient| match crosses(gradient) {
            false => threads.next(),
            true => tiles.next().map(|slot| first_of_tiles + slot),
        };
        let gradients = route.gradients.iter().map_while(home).collect();
        Self { values, gradients, slots, shared, again, packs_again }
    }
}

/// Whether a gradient is needed in more than one visit.
fn crosses(gradient: &Gradient) -> bool {
    gradient.visits[0] != gradient.visits[1]
}

/// Slots of the gradients that cross visits, or of those that don't, and their lengths.
fn of_gradients(gradients: &[Gradient], crossing: bool) -> (Vec<usize>, Vec<usize>) {
    let lifetimes: Vec<Lifetime> = gradients.iter().filter(|g| crosses(g) == crossing).map(|g| g.steps).collect();
    assign(&lifetimes)
}

/// Which values a tile keeps: those that another visit than that of their making reads, unless that is the way back of the same pass
/// and they are quickly made again.
fn keep(stages: &[Stage], route: &Route) -> Vec<bool> {
    let is_made_again = |value: usize| value == 0 || route.needs[value - 1].again;
    let mut is_kept: Vec<bool> = (0..=stages.len())
        .map(|value| {
            let pass = route.pass_of_value(value);
            let here = [Some(pass), is_made_again(value).then(|| route.visit_back(pass))];
            route.read_back[value].iter().any(|visit| !here.contains(&Some(*visit)))
        })
        .collect();
    for (i, stage) in stages.iter().enumerate() {
        for value in stage.inputs() {
            is_kept[value] |= route.pass_of_value(value) != route.pass[i];
        }
    }
    is_kept
}

/// Of each pass, what must be made again before its way back, in order; and whether the first's begins with the images.
fn again(stages: &[Stage], route: &Route, is_kept: &[bool]) -> (Vec<Vec<usize>>, bool) {
    let mut again = vec![Vec::new(); route.passes];
    let is_read = |value: usize| {
        let pass = route.pass_of_value(value);
        pass + 1 < route.passes && route.read_back[value].contains(&route.visit_back(pass))
    };
    let mut is_missing: Vec<bool> = (0..=stages.len()).map(|value| !is_kept[value] && is_read(value)).collect();
    for (i, stage) in stages.iter().enumerate().rev() {
        if is_missing[i + 1] {
            again[route.pass[i]].push(i);
            for value in stage.inputs() {
                is_missing[value] |= !is_kept[value];
            }
        }
    }
    again.iter_mut().for_each(|stages| stages.reverse());
    (again, is_missing[0])
}
