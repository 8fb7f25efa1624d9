//! The limit of file descriptors, and how many connections fit into it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are asked for, at most. Containers grant a billion, and child processes that
/// walk through all of them would take long.
const ENOUGH: u64 = 1 << 20;

/// Raises the soft limit of descriptors as far as the hard limit allows; returns the new limit.
pub fn raise() -> u64 {
    let granted = getrlimit(Resource::Nofile);
    let now = granted.current.unwrap_or(u64::MAX);
    let most = granted.maximum.unwrap_or(u64::MAX).min(ENOUGH);
    if most <= now {
        return now;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: granted.maximum }) {
        Ok(()) => most,
        Err(error) => {
            tracing::warn!(%error, "the limit of descriptors cannot be raised");
            now
        }
    }
}

/// How many of `wanted` connections fit into `descriptors` when `others` of these are needed
/// elsewhere; at least one.
pub fn fit(wanted: usize, descriptors: u64, others: usize) -> usize {
    let free = descriptors.saturating_sub(others as u64);
    wanted.min(usize::try_from(free).unwrap_or(usize::MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_into_what_is_granted() {
        assert_eq!(fit(1024, 1 << 20, 200), 1024);
        assert_eq!(fit(1024, 1024, 200), 824);
        assert_eq!(fit(1024, 100, 200), 1);
    }

    #[test]
    fn raising_never_lowers() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(raise() >= before);
    }
}
