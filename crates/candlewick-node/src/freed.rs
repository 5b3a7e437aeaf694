//! glibc keeps what is freed for later, tens of megabytes for each thread that ever allocated; other C libraries do not. A network's
//! memory is too much for that.

/// Has glibc take large pieces from the system one by one, which go back as they are freed, and keep little at the ends of its
/// arenas: its own limits grow with what it sees. Where the environment sets them, they stay as they are.
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
