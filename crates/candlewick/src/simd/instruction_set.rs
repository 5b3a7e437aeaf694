//! Which instructions the processor has, asked once at run time; a binary built for any x86-64 or aarch64 uses the best.

use super::{Float32, Lanes};
use fearless_simd::{Fallback, Level};

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

    /// `AVX-512`, `AVX2`, `NEON` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512(_) => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2(_) => "AVX2",
            #[cfg(target_arch = "aarch64")]
            Kind::Neon(_) => "NEON",
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
            Kind::Portable => kernel.run(Float32(Fallback::new())),
        }
    }
}
