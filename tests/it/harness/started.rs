//! A program that a test started by its own command.

use std::process::Child;

/// The program; killed when dropped.
pub(crate) struct Started(pub(crate) Child);

impl Drop for Started {
    fn drop(&mut self) {
        // An error says that it ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
