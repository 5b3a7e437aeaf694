//! Compiles the CUDA engine's kernels, where its features ask for them.

#[cfg(any(feature = "cuda", feature = "emulation"))]
const KERNELS: &str = "kernels";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(any(feature = "cuda", feature = "emulation"))]
    println!("cargo::rerun-if-changed={KERNELS}");
    #[cfg(feature = "emulation")]
    emulation();
    #[cfg(feature = "cuda")]
    cuda();
}

/// The kernels as host C++. `CANDLEWICK_SANITIZE` has a sanitizer watch them, as `scripts/sanitize.sh` does: `thread` or
/// `address`.
#[cfg(feature = "emulation")]
fn emulation() {
    println!("cargo::rerun-if-env-changed=CANDLEWICK_SANITIZE");
    println!("cargo::rustc-env=CANDLEWICK_KERNELS={KERNELS}"); // for the test that reads them
    let mut build = cc::Build::new();
    // A kind that a list forgets is an error.
    build.cpp(true).std("c++17").flag("-Werror=switch").opt_level(2).file(format!("{KERNELS}/emulation.cpp"));
    if let Ok(sanitizer) = std::env::var("CANDLEWICK_SANITIZE") {
        build.flag(format!("-fsanitize={sanitizer}")).flag("-g").opt_level(1);
        println!("cargo::rustc-link-arg-tests=-l{}san", &sanitizer[..1]);
    }
    build.compile("emulation");
}

/// The kernels as one file of machine code for compute capabilities 8.0 and 9.0, and PTX, which drivers compile, for newer ones.
#[cfg(feature = "cuda")]
fn cuda() {
    use std::path::Path;
    println!("cargo::rerun-if-env-changed=CUDA_HOME");
    let nvcc = match std::env::var("CUDA_HOME") {
        Ok(home) => Path::new(&home).join("bin/nvcc"),
        Err(_) => "nvcc".into(),
    };
    let out = Path::new(&std::env::var("OUT_DIR").expect("cargo sets it")).join("step.fatbin");
    let status = std::process::Command::new(&nvcc)
        .args(["-std=c++17", "-O3", "--fatbin", "-gencode=arch=compute_80,code=sm_80"])
        .args(["-gencode=arch=compute_90,code=sm_90", "-gencode=arch=compute_90,code=compute_90"])
        .arg(format!("{KERNELS}/step.cu"))
        .arg("-o")
        .arg(&out)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{} fails with {status}", nvcc.display()),
        Err(error) => panic!(
            "{} cannot be run ({error}); set CUDA_HOME to a CUDA toolkit, as scripts/cuda-toolkit.sh lays one out",
            nvcc.display()
        ),
    }
}
