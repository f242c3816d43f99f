//! Bodies: whole task definitions between the last reading before a registration and the
//! registration itself.
//!
//! They hold the environment of containers, so they are kept for one step, no longer than it
//! takes, and nothing here can print them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::tree::Tree;

/// How long a body is kept for its registration, on the clock that runs on in suspend: longer
/// than an intent takes with its retries. One that comes later is read again.
const KEPT: Duration = Duration::from_secs(60);

/// An answer of DescribeTaskDefinition with the environment of its containers in it.
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Of the raw answer.
    pub fn new(answer: Vec<u8>) -> Self {
        Self(answer)
    }

    /// The answer, parsed; to be used up in the making of one request.
    pub fn open(&self) -> Option<Tree> {
        serde_json::from_slice(&self.0).ok()
    }
}

/// The bodies of steps that are about to be sent. Two services may run one revision, so each
/// step has its own.
#[derive(Debug, Default)]
pub struct Bodies(Mutex<BTreeMap<String, Body>>);

#[derive(Debug)]
struct Body {
    base: String,
    secret: Secret,
    since: Duration,
}

impl Bodies {
    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Body>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what `base` says for the step that registers it again for `object`.
    pub fn keep(&self, object: &str, base: &str, secret: Secret, now: Duration) {
        self.drop_unused(now);
        let body = Body {
            base: base.to_owned(),
            secret,
            since: now,
        };
        self.kept().insert(object.to_owned(), body);
    }

    /// Takes it out, for that step alone.
    pub fn take(&self, object: &str, base: &str, now: Duration) -> Option<Secret> {
        self.drop_unused(now);
        let body = self.kept().remove(object)?;
        (body.base == base).then_some(body.secret)
    }

    /// Drops those whose step was never sent.
    pub fn drop_unused(&self, now: Duration) {
        self.kept()
            .retain(|_, body| now.saturating_sub(body.since) < KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::new(br#"{"environment": "hunter2"}"#.to_vec())
    }

    #[test]
    fn each_service_has_its_own_body_of_one_revision() {
        let (bodies, now) = (Bodies::default(), Duration::ZERO);
        bodies.keep("main/a", "web:7", secret(), now);
        bodies.keep("main/b", "web:7", secret(), now);
        assert!(bodies.take("main/a", "web:7", now).is_some());
        assert!(bodies.take("main/b", "web:7", now).is_some());
        assert!(bodies.take("main/b", "web:7", now).is_none());
        bodies.keep("main/a", "web:7", secret(), now);
        assert!(bodies.take("main/a", "web:8", now).is_none());
    }

    #[test]
    fn a_body_whose_step_is_never_sent_is_dropped() {
        let bodies = Bodies::default();
        bodies.keep("main/a", "web:7", secret(), Duration::ZERO);
        bodies.drop_unused(KEPT / 2);
        assert_eq!(bodies.kept().len(), 1);
        bodies.drop_unused(KEPT);
        assert!(bodies.kept().is_empty());
    }

    #[test]
    fn nothing_prints_a_body() {
        let bodies = Bodies::default();
        bodies.keep("main/a", "web:7", secret(), Duration::ZERO);
        assert!(!format!("{bodies:?}").contains("hunter2"));
    }
}
