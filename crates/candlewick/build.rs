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

/// The kernels as host C++, in a library that tests load: `scripts/sanitize.sh` puts one in its place that sanitizers watch, and
/// has nothing else built anew.
#[cfg(feature = "emulation")]
fn emulation() {
    println!("cargo::rustc-env=CANDLEWICK_KERNELS={KERNELS}"); // for the test that reads them
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    let mut build = cc::Build::new();
    // A kind that a list forgets is an error.
    build.cpp(true).std("c++17").flag("-Werror=switch").opt_level(2).pic(true);
    let mut compiler = build.get_compiler().to_command();
    compiler.arg("-shared").arg(format!("{KERNELS}/emulation.cpp")).arg("-o").arg(format!("{out}/libemulation.so"));
    let status = compiler.status().unwrap_or_else(|error| panic!("{compiler:?} cannot be run: {error}"));
    assert!(status.success(), "{compiler:?} fails with {status}");
    println!("cargo::rustc-link-search=native={out}"); // where cargo has tests find it as well
    println!("cargo::rustc-link-lib=dylib=emulation");
}

/// The kernels as one file of machine code for compute capabilities 8.0 and 9.0, and PTX, which drivers compile, for newer ones.
#[cfg(feature = "cuda")]
fn cuda() {
    use std::path::Path;
    println!("cargo::rerun-if-env-changed=CUDA_HOME");
    let out = Path::new(&std::env::var("OUT_DIR").expect("cargo sets it")).join("step.fatbin");
    if std::env::var_os("DOCS_RS").is_some() {
        return std::fs::write(out, []).expect("cargo has made the folder"); // what is only described needs no kernels
    }
    let nvcc = match std::env::var("CUDA_HOME") {
        Ok(home) => Path::new(&home).join("bin/nvcc"),
        Err(_) => "nvcc".into(),
    };
    let status = std::process::Command::new(&nvcc)
        .args(["-std=c++17", "-O3", "--fatbin", "--threads=0", "-gencode=arch=compute_80,code=sm_80"])
        .args(["-gencode=arch=compute_90,code=sm_90", "-gencode=arch=compute_90,code=compute_90"])
        .arg("--compress-mode=size") // a quarter of what it is otherwise; nvcc has it from 12.8 on
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
