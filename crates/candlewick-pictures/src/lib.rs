//! Pictures as a viewer shows them, in the size and the layout that a network takes.
//!
//! [`folder`] finds the files and their classes, [`decode()`] makes pixels of a file's bytes, [`Preparation`] gives them their size
//! and colours, and [`load`] does so for many files on all processors.

mod cache;
mod decode;
pub mod folder;
mod jpeg;
mod load;
mod picture;
mod prepare;
mod resample;
mod survey;
mod whole;

pub use cache::{Cached, cached, reason};
pub use decode::decode;
pub use load::{Failure, Progress, Sink, Source, load};
pub use picture::Picture;
pub use prepare::{Fit, Preparation};
pub use survey::{Survey, survey};

/// Why a picture cannot be used, as the end of a sentence: "photos/a.jpg cannot be read: " and this.
pub type Broken = String;

/// The numbers of pictures that cannot be used, in order, and why.
pub type BrokenOnes = Vec<(usize, Broken)>;
