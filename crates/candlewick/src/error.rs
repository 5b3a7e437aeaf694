//! The one error type of the crate: a code for programs, a sentence for people.

use std::fmt;

/// What went wrong, for a program to branch on. JavaScript sees [`Code::as_str`] as `error.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// An argument has a value that cannot be used.
    InvalidArgument,
    /// Layers do not fit each other or the input.
    InvalidShape,
    /// A label names a class that the network does not have.
    LabelOutOfRange,
    /// Images and labels do not belong together.
    DataMismatch,
    /// A folder or file of data is not there or cannot be read.
    DataNotFound,
    /// A file of data is cut short or is not what it should be.
    DataCorrupt,
    /// A checkpoint file cannot be opened.
    CheckpointNotFound,
    /// A checkpoint file does not hold this network's parameters.
    CheckpointInvalid,
    /// A checkpoint could not be written; whatever stood at its path before is untouched, unless the sentence says that it is lost.
    SaveFailed,
    /// Memory does not hold what was asked for (a network, a dataset, an answer), or the system gives no more threads.
    OutOfMemory,
    /// The device asked for is not there.
    DeviceUnavailable,
    /// A GPU stopped answering, and what was on it is gone.
    DeviceLost,
    /// A network or dataset was disposed of.
    Disposed,
    /// The work was cancelled between two batches.
    Cancelled,
    /// A training came to numbers that are not finite.
    Diverged,
    /// A defect of candlewick.
    Internal,
}

impl Code {
    /// The name that JavaScript sees.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::InvalidShape => "INVALID_SHAPE",
            Code::LabelOutOfRange => "LABEL_OUT_OF_RANGE",
            Code::DataMismatch => "DATA_MISMATCH",
            Code::DataNotFound => "DATA_NOT_FOUND",
            Code::DataCorrupt => "DATA_CORRUPT",
            Code::CheckpointNotFound => "CHECKPOINT_NOT_FOUND",
            Code::CheckpointInvalid => "CHECKPOINT_INVALID",
            Code::SaveFailed => "SAVE_FAILED",
            Code::OutOfMemory => "OUT_OF_MEMORY",
            Code::DeviceUnavailable => "DEVICE_UNAVAILABLE",
            Code::DeviceLost => "DEVICE_LOST",
            Code::Disposed => "DISPOSED",
            Code::Cancelled => "CANCELLED",
            Code::Diverged => "DIVERGED",
            Code::Internal => "INTERNAL",
        }
    }
}

/// A failure: its [`Code`], and a sentence that names the value, what was expected and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// For programs.
    pub code: Code,
    /// For people.
    pub message: String,
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with this code and sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// candle is only asked for what was checked before, so whatever it reports of a processor is a defect of ours. Its first line
/// says what it is; with RUST_BACKTRACE, the way there follows.
impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        let text = error.to_string();
        let what = text.lines().next().unwrap_or_default();
        if text.contains("CUDA_ERROR_OUT_OF_MEMORY") {
            let message = "the GPU has no memory left for this; make the network or the batch smaller, or let go of other networks";
            return Self::new(Code::OutOfMemory, message);
        }
        if text.contains("CUDA_ERROR_") {
            let message = format!(
                "the GPU failed: {what}; what was on it is lost, and this process must start anew to use it again"
            );
            return Self::new(Code::DeviceLost, message);
        }
        Self::new(Code::Internal, format!("candle failed: {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_its_name_in_capitals() {
        for code in [
            Code::InvalidArgument,
            Code::InvalidShape,
            Code::LabelOutOfRange,
            Code::DataMismatch,
            Code::DataNotFound,
            Code::DataCorrupt,
            Code::CheckpointNotFound,
            Code::CheckpointInvalid,
            Code::SaveFailed,
            Code::OutOfMemory,
            Code::DeviceUnavailable,
            Code::DeviceLost,
            Code::Disposed,
            Code::Cancelled,
            Code::Internal,
        ] {
            let words = code.as_str().split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase());
            assert_eq!(words.collect::<String>(), format!("{code:?}"));
        }
    }

    #[test]
    fn what_candle_says_is_one_sentence() {
        let error = Error::from(candle_core::Error::Msg("shapes differ\n   0: somewhere\n   1: main".into()));
        assert_eq!((error.code, error.to_string().as_str()), (Code::Internal, "candle failed: shapes differ"));
    }
    #[test]
    fn what_a_gpu_says_to_candle_is_told_apart() {
        let code = |text: &str| Error::from(candle_core::Error::Msg(text.into())).code;
        assert_eq!(code("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")"), Code::OutOfMemory);
        assert_eq!(code("DriverError(CUDA_ERROR_ILLEGAL_ADDRESS, \"an illegal memory access\")"), Code::DeviceLost);
    }
}
