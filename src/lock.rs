//! Locks that ignore poisoning: no lock of this program is held while its data is inconsistent, so
//! a panic elsewhere must not stop the threads that still run.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks `mutex`, also after a panic of a thread that held it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks `data` for reading, also after a panic of a thread that held it.
pub fn read<T>(data: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    data.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks `data` for writing, also after a panic of a thread that held it.
pub fn write<T>(data: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    data.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_taken_after_a_panic_of_its_holder() {
        let (mutex, data) = (Mutex::new(1), RwLock::new(2));
        std::thread::scope(|scope| {
            let holder = scope.spawn(|| {
                let _held = (lock(&mutex), write(&data));
                std::panic::panic_any("with both locks");
            });
            assert!(holder.join().is_err());
        });
        *write(&data) += 1;
        assert_eq!((*lock(&mutex), *read(&data)), (1, 3));
    }
}
