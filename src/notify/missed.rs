//! Missed: which receivers a command that runs once could not tell, and why.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::outbox::{Delivery, Tally};
use super::send::SendError;

/// Keeps who was not told. Nobody reads the metrics of a command that runs once, so it says it itself.
#[derive(Debug, Default)]
pub struct Missed {
    receivers: Mutex<BTreeMap<String, Receiver>>,
}

#[derive(Debug, Default)]
struct Receiver {
    missed: bool,
    /// What the last attempt that failed came to.
    why: Option<String>,
}

impl Missed {
    /// One line for each receiver that was not told of everything, by name.
    pub fn lines(&self) -> Vec<String> {
        let receivers = self
            .receivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let missed = receivers.iter().filter(|(_, receiver)| receiver.missed);
        let line = |(name, receiver): (&String, &Receiver)| {
            let why = receiver
                .why
                .as_deref()
                .unwrap_or("it gave no answer in time");
            format!(
                "note: the receiver {name} of changeNotices was not told of all of this ({why}); \
                 what was written does not depend on it"
            )
        };
        missed.map(line).collect()
    }

    fn of(&self, receiver: &str, change: impl FnOnce(&mut Receiver)) {
        let mut receivers = self
            .receivers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        change(receivers.entry(receiver.to_owned()).or_default());
    }
}

impl Tally for Missed {
    fn told(&self, receiver: &str, delivery: Delivery) {
        match delivery {
            Delivery::Sent => {}
            Delivery::Failed => self.of(receiver, |it| it.missed = true),
            Delivery::LeftOut => self.of(receiver, |it| {
                it.missed = true;
                it.why = Some(
                    "there were more notices at once than its perHour lets through".to_owned(),
                );
            }),
        }
    }

    fn reached(&self, receiver: &str, last: Result<(), &SendError>) {
        if let Err(error) = last {
            self.of(receiver, |it| it.why = Some(error.to_string()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_for_its_number_is_not_told_as_a_silence() {
        let missed = Missed::default();
        missed.reached("ops", Ok(()));
        missed.told("ops", Delivery::Sent);
        missed.told("changes", Delivery::LeftOut);
        missed.told("silent", Delivery::Failed);
        let lines = missed.lines();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("receiver changes") && lines[0].contains("perHour"));
        assert!(lines[1].contains("receiver silent") && lines[1].contains("no answer in time"));
    }
}
