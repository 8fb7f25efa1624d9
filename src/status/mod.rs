//! What the worker is doing now: the document that `/api/status` answers, for the status page and
//! `top`.

mod report;

pub use report::{
    ByReason, ByteUse, CertificateEnd, DeadLetterUse, HistoryReport, KafkaReport, LaneReport,
    LastError, NodeReport, PartitionReport, RedisReport, RejectionReport, SourceReport,
    StatusReport, WaitingPart,
};
