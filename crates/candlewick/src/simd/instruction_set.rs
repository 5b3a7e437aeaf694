//! Which instructions the processor has, asked once at run time; a binary built for any x86-64 or aarch64 uses the best, or
//! the one that `CANDLEWICK_ISA` names.

use super::{Float32, Lanes};
use crate::error::{Code, Error, Result};
use fearless_simd::Level;
use std::sync::OnceLock;

/// The environment variable that names the instruction set to use: one of [`InstructionSet::name`].
pub const ISA_VARIABLE: &str = "CANDLEWICK_ISA";

/// An instruction set that this processor has.
#[derive(Clone, Copy, Debug)]
pub struct InstructionSet(Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512(fearless_simd::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(fearless_simd::Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(fearless_simd::Neon),
    Portable,
}

/// Work that is compiled once for each instruction set.
pub trait Kernel {
    /// What the work returns.
    type Output;
    /// Does the work in lanes of `l`.
    fn run<L: Lanes<Real = f32>>(self, l: L) -> Self::Output;
}

impl InstructionSet {
    /// All that this processor has, the best first. Portable code, the last, is always there.
    pub fn available() -> Vec<Self> {
        let level = Level::new();
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            found.extend(level.as_avx512().map(|s| Self(Kind::Avx512(s))));
            found.extend(level.as_avx2().map(|s| Self(Kind::Avx2(s))));
        }
        #[cfg(target_arch = "aarch64")]
        found.extend(level.as_neon().map(|s| Self(Kind::Neon(s))));
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = level;
        found.push(Self(Kind::Portable));
        found
    }

    /// The best that this processor has.
    pub fn best() -> Self {
        Self::available()[0]
    }

    /// What [`ISA_VARIABLE`] names, or the best. The variable is read once, at the first call.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that is none, or that of an instruction set which this processor does not have.
    pub fn chosen() -> Result<Self> {
        static CHOSEN: OnceLock<Result<InstructionSet>> = OnceLock::new();
        let name = || std::env::var_os(ISA_VARIABLE).unwrap_or_default();
        CHOSEN.get_or_init(|| Self::named(&name().to_string_lossy())).clone()
    }

    /// The one of this name; the best for none.
    fn named(name: &str) -> Result<Self> {
        if name.is_empty() {
            return Ok(Self::best());
        }
        let available = Self::available();
        available.iter().copied().find(|set| set.name() == name).ok_or_else(|| {
            let names: Vec<_> = available.iter().map(|set| set.name()).collect();
            let message =
                format!("{ISA_VARIABLE} is \"{name}\"; this processor has {}, or leave it out", names.join(", "));
            Error::new(Code::InvalidArgument, message)
        })
    }

    /// `avx512`, `avx2`, `neon` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "neon",
            Kind::Portable => "portable",
        }
    }

    /// Runs `kernel` compiled for this instruction set.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(s) => kernel.run(Float32(s)),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(s) => kernel.run(Float32(s)),
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(s) => kernel.run(Float32(s)),
            Kind::Portable => kernel.run(portable()),
        }
    }
}

/// As fast as they can be.
#[cfg(not(debug_assertions))]
fn portable() -> Float32<fearless_simd::Fallback> {
    Float32(fearless_simd::Fallback::new())
}

/// Quick to compile.
#[cfg(debug_assertions)]
fn portable() -> super::portable::Portable {
    super::portable::Portable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_find_instruction_sets() {
        for set in InstructionSet::available() {
            assert_eq!(InstructionSet::named(set.name()).unwrap().name(), set.name());
        }
        assert_eq!(InstructionSet::named("").unwrap().name(), InstructionSet::best().name());
        let error = InstructionSet::named("avx1024").unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains("\"avx1024\"") && error.message.contains("portable"), "{}", error.message);
    }
}
