//! The guard's scripts, put together from their parts. Pure.

use std::sync::LazyLock;

use crate::redis::command::script::Script;

/// Every script begins with `#!lua`: on a replica, without enough replicas, or when the memory is
/// full the server refuses the call as it refuses a write. Without it a replica would say that an
/// event is stale, from data that may be old.
macro_rules! script {
    ($flags:literal, $($part:literal),+) => {
        LazyLock::new(|| {
            Script::new(concat!("#!lua", $flags, "\n", $(include_str!(concat!("lua/", $part))),+))
        })
    };
}

/// A short way for most events comes first. What it cannot settle is settled by the parts behind
/// it.
pub(super) static FIELD_EVENT: LazyLock<Script> = script!(
    "",
    "head.lua",
    "field.lua",
    "members.lua",
    "field_note.lua",
    "common.lua",
    "expire.lua",
    "notes.lua",
    "field_slow.lua"
);

pub(super) static PROFILE_EVENT: LazyLock<Script> =
    script!("", "head.lua", "profile.lua", "common.lua", "expire.lua", "profile_slow.lua");

/// A deletion is taken when the memory is full, too: it frees some.
pub(super) static FIELD_DELETION: LazyLock<Script> = script!(
    " flags=allow-oom",
    "deletion.lua",
    "members.lua",
    "common.lua",
    "notes.lua",
    "field_delete.lua"
);

pub(super) static PROFILE_DELETION: LazyLock<Script> =
    script!(" flags=allow-oom", "deletion.lua", "common.lua", "profile_delete.lua");
