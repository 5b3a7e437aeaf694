//! The memory of the process, which JavaScript shares.

use crate::errors::to_js;
use candlewick::memory;
use napi_derive::napi;

/// Fails if an array of so many bytes would leave JavaScript's heap too little.
#[napi]
pub fn check_room(bytes: f64) -> napi::Result<()> {
    // Of more than there is, the largest number is made.
    memory::check_room(bytes as usize).map_err(to_js)
}

/// Has glibc take large pieces from the system one by one, which go back as they are freed, and keep little at the ends of its
/// arenas: its own limits grow with what it sees, to tens of megabytes for each thread that ever allocated. Other C libraries keep
/// little as they are. Where the environment sets them, they stay as they are.
pub fn keep_little() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const SETTINGS: [&str; 3] = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"];
        if SETTINGS.iter().all(|name| std::env::var_os(name).is_none()) {
            // SAFETY: it may be called at any time, from any thread.
            unsafe {
                libc::mallopt(libc::M_MMAP_THRESHOLD, 4 << 20);
                libc::mallopt(libc::M_TRIM_THRESHOLD, 8 << 20);
            }
        }
    }
}

/// After much has been freed.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: as above.
    unsafe {
        libc::malloc_trim(0)
    };
}
