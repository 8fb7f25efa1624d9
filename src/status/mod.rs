//! What the worker is doing now: the document that `/api/status` answers, for the status page and
//! `top`. `report.rs` is the document, `live.rs` gathers it, `history.rs` keeps its last ten
//! minutes.

mod history;
mod live;
mod memory;
mod report;

pub use live::{Status, StatusParts};
pub use report::{
    ByReason, ByteUse, CertificateEnd, DeadLetterUse, HistoryReport, KafkaReport, LaneReport,
    LastError, NodeReport, PartitionReport, RedisReport, RejectionReport, SourceReport,
    StatusReport, WaitingPart,
};
