//! Exit codes, as in sysexits.h.

use std::process::ExitCode;

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// The command line is wrong.
    pub const USAGE: Self = Self(64);
    /// A replay put something into the dead letters, or the Kafka source too much.
    pub const DATA: Self = Self(65);
    /// Something outside cannot be used: a server, a port.
    pub const UNAVAILABLE: Self = Self(69);
    /// A task of this program ended early.
    pub const INTERNAL: Self = Self(70);
    /// Reading or writing failed.
    pub const IO: Self = Self(74);
    /// Stopped with unsettled events; their sources still own them.
    pub const UNSETTLED: Self = Self(75);
    /// The configuration is wrong.
    pub const CONFIG: Self = Self(78);

    /// Every code with its meaning, one or more sentences, in ascending order.
    pub const ALL: &[(Self, &str)] = &[
        (Self(0), "All is well."),
        (Self::USAGE, "The command line is wrong."),
        (
            Self::DATA,
            "`replay` put something into the dead letters, or the Kafka source too much \
             (`dead_letter.breaker`).",
        ),
        (Self::UNAVAILABLE, "Something outside cannot be used: a server, a port."),
        (
            Self::INTERNAL,
            "A part of the program ended early. The log says why: the committed offset is gone \
             with `kafka.auto_offset_reset = \"error\"`, the Kafka client gave up, or a bug.",
        ),
        (Self::IO, "A file cannot be read or written."),
        (
            Self::UNSETTLED,
            "The program stopped before everything was written. The senders still own the rest.",
        ),
        (Self::CONFIG, "The configuration is wrong."),
    ];

    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}
