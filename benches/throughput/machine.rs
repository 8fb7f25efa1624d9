//! The line that names the machine and the programs of a run.

use std::fs::read_to_string;
use std::process::Command;

/// Number of cores that this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// One line: date, cores, processor, kernel, and the versions of what is used.
pub(super) fn facts(with_kafka: bool) -> String {
    let date = jiff::Zoned::now().date();
    let processor = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor.lines().find_map(|line| line.strip_prefix("model name"));
    let processor =
        processor.map_or("unknown processor", |name| name.trim_matches([':', ' ', '\t']));
    let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let redis = printed("redis-server", &["--version"]);
    let redis = redis.split_whitespace().find_map(|word| word.strip_prefix("v="));
    let mut facts = format!(
        "{date}, {} cores, {processor}, Linux {}, traitsink {}, Redis {}",
        cores(),
        kernel.trim(),
        env!("CARGO_PKG_VERSION"),
        redis.unwrap_or("of unknown version"),
    );
    if with_kafka {
        for version in [kafka(), go()] {
            facts += &format!(", {}", version.as_deref().unwrap_or("no Go"));
        }
    }
    facts
}

/// A warning if other programs use the processor.
pub(super) fn warning() -> Option<String> {
    let load = read_to_string("/proc/loadavg").ok()?;
    let load: f64 = load.split(' ').next()?.parse().ok()?;
    (load > 0.3).then(|| {
        format!(
            "The load of this machine was {load} before: others use it, so do not publish this."
        )
    })
}

/// The version of Go, if it is installed.
pub(super) fn go() -> Option<String> {
    let version = printed("go", &["version"]);
    Some(format!("Go {}", version.split_whitespace().nth(2)?.trim_start_matches("go")))
}

/// The version in the name of Kafka's library, which `tests/run` fetches.
fn kafka() -> Option<String> {
    let name = std::fs::read_dir(super::harness::fetched("TRAITSINK_KAFKA_LIB", "kafka-3.9.1"))
        .ok()?
        .find_map(|file| {
            let name = file.ok()?.file_name().into_string().ok()?;
            Some(name.strip_prefix("kafka_")?.strip_suffix(".jar")?.to_owned())
        })?;
    Some(format!("Kafka {}", name.rsplit('-').next()?))
}

fn printed(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into())
}
