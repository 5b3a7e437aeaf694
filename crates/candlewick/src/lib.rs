//! x
pub mod error; pub mod simd; pub mod network; pub mod layers; pub mod metrics; pub mod loss; pub mod init; pub mod optimizer; pub mod dataset; pub mod device; pub mod checkpoint; pub mod engine;
pub use error::{Code, Error, Result};
