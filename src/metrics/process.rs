//! The metrics of the build and of the process.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, IntCounter, Opts};

use crate::logging;

use super::register::Register;

/// The revision of the code, or `unknown`.
pub const REVISION: &str = match option_env!("TRAITSINK_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// Registers `traitsink_build_info`, the dropped log lines, and on Linux the `process_*` metrics.
pub(super) fn register(register: &Register) {
    let build_info = Opts::new("traitsink_build_info", "What was built, always 1.")
        .const_label("version", env!("CARGO_PKG_VERSION"))
        .const_label("revision", REVISION)
        .const_label("rustc", env!("TRAITSINK_RUSTC"));
    register.add(Gauge::with_opts(build_info)).set(1.0);
    register.collector(DroppedLines(dropped_lines(0)));
    #[cfg(target_os = "linux")]
    register.collector(prometheus::process_collector::ProcessCollector::for_self());
}

/// Reads the count of logging, which belongs to the process and is older than any registry.
struct DroppedLines(IntCounter);

impl Collector for DroppedLines {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        dropped_lines(logging::dropped_lines()).collect()
    }
}

fn dropped_lines(count: u64) -> IntCounter {
    let help = "Log lines dropped because nobody read standard error.";
    let counter =
        IntCounter::new("traitsink_log_lines_dropped_total", help).expect("a valid name and help");
    counter.inc_by(count);
    counter
}
