//! Tells the linker that Node provides the N-API symbols, and that the addon stays.
fn main() {
    napi_build::setup();
    // Node unloads an addon with the last worker that has it; its threads, and what they leave to be called as they end, need its
    // code a little longer.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
