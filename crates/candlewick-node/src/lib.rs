//! The Node addon: converts arguments and errors and runs work off the event loop. Everything else is in `candlewick`
//! (Rust) or `src/` (TypeScript), which is also where arguments are checked.

mod answers;
mod aside;
mod checkpoint;
mod dataset;
mod device;
mod ending;
mod engine;
mod errors;
mod images;
mod layers;
mod line;
mod memory;
mod pictures;
mod runners;
mod tally;
