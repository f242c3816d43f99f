//! Faults: the script of what goes wrong, and at which call.

use std::time::Duration;

use serde_json::Value;

use super::World;
use super::wire::TwinError;

/// Changes the world when its moment comes.
pub type Act = Box<dyn FnOnce(&mut World) + Send>;

/// What goes wrong.
pub enum Fault {
    /// Refused as too fast, whatever the buckets say.
    Throttled,
    /// This answer, without an effect.
    Error(TwinError),
    /// HTTP 500, nothing done.
    ServerErrorBefore,
    /// HTTP 500, all done.
    ServerErrorAfter,
    /// The connection is refused: nothing was sent.
    ConnectionRefused,
    /// No answer comes and nothing was done.
    LostBefore,
    /// No answer comes, but all was done.
    LostAfter,
    /// No answer comes, and the effect sets in this much later.
    LateEffect(Duration),
    /// Nothing is done and nothing ever happens again on that connection.
    Hang,
    /// The call arrives this much later.
    Delay(Duration),
    /// Someone else acts just before the call takes effect.
    ActBefore(Act),
    /// Someone else acts just after the call took effect.
    ActAfter(Act),
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Throttled => f.write_str("Throttled"),
            Self::Error(err) => f.debug_tuple("Error").field(err).finish(),
            Self::ServerErrorBefore => f.write_str("ServerErrorBefore"),
            Self::ServerErrorAfter => f.write_str("ServerErrorAfter"),
            Self::ConnectionRefused => f.write_str("ConnectionRefused"),
            Self::LostBefore => f.write_str("LostBefore"),
            Self::LostAfter => f.write_str("LostAfter"),
            Self::LateEffect(late) => f.debug_tuple("LateEffect").field(late).finish(),
            Self::Hang => f.write_str("Hang"),
            Self::Delay(delay) => f.debug_tuple("Delay").field(delay).finish(),
            Self::ActBefore(_) => f.write_str("ActBefore"),
            Self::ActAfter(_) => f.write_str("ActAfter"),
        }
    }
}

type Matches = Box<dyn Fn(&str, &Value) -> bool + Send>;

struct Scripted {
    matches: Matches,
    /// How many matching calls pass before this strikes.
    spare: usize,
    fault: Fault,
}

/// The script. Each entry strikes once; of several that match one call, the first entered strikes.
#[derive(Default)]
pub struct Faults {
    script: Vec<Scripted>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.script.iter().map(|s| &s.fault))
            .finish()
    }
}

impl Faults {
    /// At the `nth` call (from 1, counted from now) of `operation` (`ecs.UpdateService`).
    pub fn at(&mut self, operation: &str, nth: usize, fault: Fault) {
        let wanted = operation.to_owned();
        self.at_match(nth, fault, move |name, _| name == wanted);
    }

    /// At the next call of `operation`.
    pub fn next(&mut self, operation: &str, fault: Fault) {
        self.at(operation, 1, fault);
    }

    /// At the `nth` call (from 1, counted from now) of any operation.
    pub fn at_any(&mut self, nth: usize, fault: Fault) {
        self.at_match(nth, fault, |_, _| true);
    }

    /// At the `nth` call (from 1, counted from now) that `matches` its name and input.
    pub fn at_match(
        &mut self,
        nth: usize,
        fault: Fault,
        matches: impl Fn(&str, &Value) -> bool + Send + 'static,
    ) {
        self.script.push(Scripted {
            matches: Box::new(matches),
            spare: nth.saturating_sub(1),
            fault,
        });
    }

    /// The same answer to the next `times` calls of `operation`.
    pub fn errors(&mut self, operation: &str, times: usize, error: &TwinError) {
        for _ in 0..times {
            // Entries are spent first to last, so each of them strikes at the next call it sees.
            self.next(operation, Fault::Error(error.clone()));
        }
    }

    /// How many entries have not struck yet.
    pub fn waiting(&self) -> usize {
        self.script.len()
    }

    /// Forgets the script.
    pub fn clear(&mut self) {
        self.script.clear();
    }

    /// What strikes this call. Every entry that matches and does not strike counts it.
    pub(super) fn take(&mut self, name: &str, input: &Value) -> Option<Fault> {
        let mut struck = None;
        for (at, entry) in self.script.iter_mut().enumerate() {
            if !(entry.matches)(name, input) {
                continue;
            }
            if entry.spare > 0 {
                entry.spare -= 1;
            } else if struck.is_none() {
                struck = Some(at);
            }
        }
        struck.map(|at| self.script.remove(at).fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_nth_call_and_only_that() {
        let mut faults = Faults::default();
        faults.at("ecs.UpdateService", 2, Fault::LostAfter);
        let mut take = |name| faults.take(name, &Value::Null).is_some();
        assert!(!take("ecs.UpdateService"));
        assert!(!take("ecs.DescribeServices"));
        assert!(take("ecs.UpdateService"));
        assert!(!take("ecs.UpdateService"));
    }
}
