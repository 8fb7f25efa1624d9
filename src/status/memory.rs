//! The memory that the process has.

/// Resident memory in bytes; 0 where the system does not say.
pub(super) fn resident_bytes() -> u64 {
    // A file of the kernel's own: reading it waits for nothing.
    std::fs::read_to_string("/proc/self/status").map_or(0, |text| resident(&text))
}

/// The bytes on the line `VmRSS:     1234 kB`.
fn resident(status: &str) -> u64 {
    let found = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = found.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_about_resident_memory_is_read() {
        assert_eq!(resident("Name:\tx\nVmHWM:\t  99 kB\nVmRSS:\t   12 kB\n"), 12 << 10);
        assert_eq!(resident("VmRSS:\n"), 0);
        assert!(cfg!(not(target_os = "linux")) || resident_bytes() > 100_000);
    }
}
