//! What training makes small, and what the same logits say: probabilities and labels.

mod labels;
mod probabilities;
mod softmax_cross_entropy;

pub use labels::label_rows;
pub use probabilities::softmax_rows;
pub use softmax_cross_entropy::softmax_cross_entropy;
