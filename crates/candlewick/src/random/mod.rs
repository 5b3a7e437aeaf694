//! Random numbers of training: each follows from where it is used, and from nothing that came before.

mod philox;

pub use philox::Chance;
