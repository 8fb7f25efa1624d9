//! Redis Cluster: which node owns which slot, asked of the nodes themselves.
//!
//! All lanes share the map ([`Cluster`]); each lane has its own connections ([`ClusterWriter`]).
//! `MOVED` corrects one slot; anything worse asks for the whole map again.

mod discovery;
mod node_batch;
mod reader;
mod slots;
mod writer;

pub(super) use self::discovery::Cluster;
pub(super) use self::writer::ClusterWriter;
