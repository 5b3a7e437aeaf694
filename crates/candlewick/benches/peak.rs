//! The machine's multiply-adds a second on one thread, on two and so on, for `npm run bench`: one line of JSON.

mod fma_peak;

use candlewick::simd::InstructionSet;

fn main() -> candlewick::Result<()> {
    let set = InstructionSet::chosen()?;
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let peaks: Vec<_> = (1..=all).map(|threads| format!("{:.4e}", fma_peak::fma_peak(set, threads))).collect();
    println!("{{\"isa\":\"{}\",\"multiplyAddsPerSecond\":[{}]}}", set.name(), peaks.join(","));
    Ok(())
}
