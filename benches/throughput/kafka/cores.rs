//! One worker on 1, 2, 4 .. cores. Kafka and Redis use all of them.

use crate::machine;
use crate::report::{ROUNDS, Report};
use crate::targets::Row;

use super::servers::Servers;
use super::topic::Topic;
use super::worker::{self, Bound};

pub(super) fn measure(report: &mut Report, servers: &Servers, topic: &Topic) {
    let machine = machine::cores();
    let steps: Vec<usize> = std::iter::successors(Some(1), |cores| Some(cores * 2))
        .take_while(|n| *n <= machine)
        .collect();
    if steps.len() < 2 {
        report.missing(&[Row::Cores], "the machine has one core");
    }
    for round in 1..=ROUNDS {
        println!("cores, round {round}");
        let rates: Vec<f64> = steps
            .iter()
            .map(|cores| {
                let run = worker::consume(servers, topic, &Bound::Cores(*cores));
                let what = format!("worker on {cores} of {machine} cores");
                report.absolute(&what, "events/s", run.consumed.rate);
                report.absolute(&what, "CPU s per million", run.consumed.cpu);
                report.absolute(&what, "share of the polling thread", run.polling);
                run.consumed.rate
            })
            .collect();
        if let [.., half, all] = rates[..] {
            report.row(Row::Cores, all / half);
        }
    }
}
