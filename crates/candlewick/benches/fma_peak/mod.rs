//! How many multiply-adds a second this machine can do at most, measured with the registers' own and nothing else.

use candlewick::simd::{InstructionSet, Kernel, LANES, Lane, Lanes};
use std::hint::black_box;
use std::time::Instant;

/// Float32 multiply-adds a second on `threads` threads at once: the best of several short runs.
pub fn fma_peak(set: InstructionSet, threads: usize) -> f64 {
    (0..5).map(|_| run_on(set, threads)).fold(0.0, f64::max)
}

fn run_on(set: InstructionSet, threads: usize) -> f64 {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(move || set.run(Chains))).collect();
        threads.into_iter().map(|thread| thread.join().expect("the measurement ends")).sum()
    })
}

/// Independent sums, as many as hide the latency of a multiply-add and fit the registers.
struct Chains;

impl Kernel for Chains {
    type Output = f64;

    fn run<L: Lanes<Real = f32>>(self, l: L) -> f64 {
        if L::WIDE { chains::<L, 16>(l) } else { chains::<L, 6>(l) }
    }
}

fn chains<L: Lanes<Real = f32>, const N: usize>(l: L) -> f64 {
    let mut best: f64 = 0.0;
    let mut rounds = 1 << 10;
    let end = Instant::now() + std::time::Duration::from_millis(100);
    while Instant::now() < end {
        let start = Instant::now();
        black_box(multiply_add::<L, N>(l, rounds));
        let seconds = start.elapsed().as_secs_f64();
        best = best.max((rounds * N * LANES) as f64 / seconds);
        if seconds < 1e-3 {
            rounds *= 2;
        }
    }
    best
}

fn multiply_add<L: Lanes<Real = f32>, const N: usize>(l: L, rounds: usize) -> Lane<f32> {
    let (factor, term) = (black_box(0.5), black_box(0.25));
    l.run(
        #[inline(always)]
        || {
            let (factor, term) = (l.splat(factor), l.splat(term));
            let mut sums = [l.splat(1.0); N];
            for _ in 0..rounds {
                for sum in &mut sums {
                    *sum = l.mul_add(*sum, factor, term);
                }
            }
            let mut out = Lane::zero();
            let total = sums.into_iter().fold(term, |total, sum| l.add(total, sum));
            l.store(total, &mut out);
            out
        },
    )
}
