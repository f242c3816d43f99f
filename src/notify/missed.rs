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
        if delivery != Delivery::Sent {
            self.of(receiver, |it| it.missed = true);
        }
    }

    fn reached(&self, receiver: &str, last: Result<(), &SendError>) {
        if let Err(error) = last {
            self.of(receiver, |it| it.why = Some(error.to_string()));
        }
    }
}
