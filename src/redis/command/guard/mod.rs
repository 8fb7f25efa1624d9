//! Newest wins: an older event never overwrites a newer one. Each event, and each deletion of a
//! user, is one call of a Lua script, `EVALSHA sha 1 key ..`, which compares times in Redis. Pure:
//! packs the calls, and reads their replies. The scripts are in `lua/`; they need Redis 7.0 or
//! Valkey.
//!
//! # What stands in the hash
//! The guard keeps all it knows in the hash of the profile, so that it is moved, replicated and
//! lost with it. With `time_field = "_ts"` its fields are `_ts` and those that begin with `_ts:`. A
//! time is 13 digits: milliseconds since 1970.
//!
//! * `_ts`: The newest time of the profile. `p` behind it: it was last written in mode "profile",
//!   which has no other fields. ` empty` behind it: no field is left, only notes, and the key has
//!   the TTL of a tombstone.
//! * `_ts:<id>`: The time at which a set of fields was last written, or removed, together. The id
//!   is a hash of their names.
//! * `_ts:<id>:0`, `_ts:<id>:1`, ..: The names of that set, a comma behind each, in pieces of at
//!   most 64 bytes. With a longer value the hash would lose its compact form.
//! * `_ts:=<name>`: The time of one field.
//! * `_ts:floor`: Nothing older is taken. A deletion puts it at its own time and a millisecond.
//! * `_ts:profile`, `_ts:profile:0`, ..: As `_ts:<id>`, for all fields that mode "profile" left
//!   before the mode became "field".
//!
//! The time of a field is the latest in all notes that name it. A field that no note names is older
//! than every event: it was written before the guard came, or by someone else. A note may name
//! fields that are not in the hash: they were removed, or expired, at that time or later. What is
//! older stays dead.
//!
//! # What an event does in mode "field"
//! *In order*: not older than `_ts`. Nothing can be newer, so no note is read: one `HGET`, and one
//! `HSET` of what the client packed (the fields, `_ts`, `_ts:<id>`). When `HSET` says that a field
//! is new, and the names of the set are missing, they are written, too. Only such events set the
//! key's TTL. The first that sets a field after a deletion takes away the tombstone's.
//!
//! *Late*: older than `_ts`. It is stale when it is older than `_ts:<id>` or the floor. Else all
//! notes are read. Fields with a later time are left out. The others are written, with the note of
//! the *whole* set: what was left out has another note, with its later time. When nothing is left
//! the event is stale.
//!
//! Of equal times the later arrival wins, as only a *later* time keeps an event out. A deletion
//! wins, as its floor is a millisecond later.
//!
//! # What a deletion does in mode "field"
//! It removes fields and notes that are not newer, and lays the floor. When no field is left the
//! key is a tombstone: `_ts`, the floor, notes that are newer, and a TTL. An event that only
//! removes fields may leave none, too: then the key gets a tombstone's TTL unless it has one.
//!
//! # Mode "profile"
//! `_ts` decides alone. What is older is stale, deletions included. After a deletion `_ts` is its
//! time and a millisecond.
//!
//! The mode may change at any time, and workers of both may run side by side. "field" finds the
//! `p`: all fields count as written at that time, and nothing older is taken. "profile" finds no
//! `p`, and drops the notes with the first event that it applies. A guard that is turned off leaves
//! its fields behind; what others write meanwhile has the times that stand there.
//!
//! # Notes stay few
//! Most profiles have a few sets of fields. Of the ids of new sets one in four (a matter of chance)
//! has the notes counted. If there are more than eight sets, only the newest four keep their notes.
//! The fields of the others get notes of their own unless a newer note names them, so that no name
//! has more than one. Notes of fields that are not in the hash go when they are not newer than the
//! floor. Of those that stay more than 512 raise the floor, and the oldest go: an event that is
//! older than hundreds of removals is refused, whatever it holds. A deletion drops all notes that
//! are not newer.

mod event;
mod note_id;
mod pack;
mod scripts;
mod verdict;

pub use event::{ExpiringFields, GuardedDeletion, GuardedEvent};
pub use pack::{Guard, GuardMode};
pub use verdict::GuardVerdict;
