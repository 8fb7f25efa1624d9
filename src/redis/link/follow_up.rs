//! The commands that follow confirmed writes.

use super::{Link, NodeReply};
use crate::redis::command::{PackedWrites, Unconfirmed, Verdict};
use crate::redis::errors::{Broken, Class, Trouble};
use crate::redis::wire::Allowed;

/// What precedes each command to a node that is to have the key, but does not own its slot yet.
pub(in crate::redis) const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

impl Link {
    /// Sends what follows those of `writes` whose `answers` confirm them. A write whose follow-up
    /// failed is not confirmed any more: it is tried again as a whole.
    pub(super) async fn follow_up(
        &mut self,
        writes: PackedWrites<'_>,
        asking: bool,
        allowed: Allowed<'_>,
        answers: &mut [NodeReply],
    ) -> Option<Trouble> {
        let (packed, owners) = packed(writes, asking, answers);
        if owners.is_empty() {
            return None;
        }
        let mut replies = Vec::with_capacity(owners.len());
        let sent = match &mut self.connection {
            // The connection was closed because of another reply.
            None => Err(Broken::Closed),
            Some(connection) => {
                let count = if asking { 2 * owners.len() } else { owners.len() };
                connection.exchange_while(allowed, &packed, count, &mut replies).await
            }
        };
        let mut trouble = None;
        let own = replies.iter().skip(usize::from(asking)).step_by(if asking { 2 } else { 1 });
        let mut answered = 0;
        for (&write, reply) in owners.iter().zip(own) {
            answered += 1;
            if let Err(unconfirmed) = writes.expected[write].write.judge_follow_up(reply) {
                answers[write] = self.judge_follow_up(unconfirmed, &mut trouble);
            }
        }
        match sent {
            Err(broken) => {
                for &write in &owners[answered..] {
                    answers[write] = NodeReply::Is(Verdict::Unknown);
                }
                trouble = Some(self.count(broken.into()));
                self.close(true);
            }
            Ok(()) if trouble.as_ref().is_some_and(|found| found.class != Class::Retry) => {
                self.close(false);
            }
            Ok(()) => {}
        }
        trouble
    }

    /// The write was confirmed, so a refusal of what follows never makes it a dead letter.
    fn judge_follow_up(
        &mut self,
        unconfirmed: Unconfirmed<'_>,
        trouble: &mut Option<Trouble>,
    ) -> NodeReply {
        let error = match &unconfirmed {
            Unconfirmed::Error(error) => Some(Trouble::reply(error, self.connector.named().names)),
            Unconfirmed::Mismatch => None,
        };
        match (self.judge(unconfirmed, trouble), error) {
            (NodeReply::Is(Verdict::WrongType | Verdict::Refused | Verdict::Unexplained(_)), e) => {
                *trouble = Trouble::graver(trouble.take(), e);
                NodeReply::Is(Verdict::Retry(Class::Retry))
            }
            (answer, _) => answer,
        }
    }
}

/// The commands that follow confirmed writes, and the number of the write for each.
fn packed(writes: PackedWrites<'_>, asking: bool, answers: &[NodeReply]) -> (Vec<u8>, Vec<usize>) {
    let (mut packed, mut owners, mut next) = (Vec::new(), Vec::new(), 0);
    for (write, expected) in writes.expected.iter().enumerate() {
        let own = next..next + expected.follow_ups;
        next = own.end;
        // A stale write changes nothing, and so the end of the key stays as it is.
        if answers[write] != NodeReply::Is(Verdict::Written) {
            continue;
        }
        for command in own {
            if asking {
                packed.extend_from_slice(ASKING);
            }
            packed.extend_from_slice(writes.follow_ups.command(command));
            owners.push(write);
        }
    }
    (packed, owners)
}
