//! Compiles the CUDA engine's kernels, where its features ask for them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "emulation")]
    emulation();
}

/// The kernels as host C++.
#[cfg(feature = "emulation")]
fn emulation() {
    let kernels = "src/engine/cuda/kernels";
    println!("cargo::rerun-if-changed={kernels}");
    cc::Build::new().cpp(true).std("c++17").opt_level(2).file(format!("{kernels}/emulation.cpp")).compile("emulation");
}
