//! Leases as text and JSON.
//!
//! Pure: values in, text out.

use serde_json::{Value, json};

use super::layout::{BAD, DIM, WARN, clean, paint};
use crate::store::{LeaseRow, LeaseState};

/// One line a lease.
pub fn text(leases: &[LeaseRow]) -> String {
    if leases.is_empty() {
        return "no app was ever written from here, so there is no lease\n".to_owned();
    }
    let width = leases
        .iter()
        .map(|l| l.app.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for lease in leases {
        let app = clean(&lease.app);
        let holder = clean(&lease.holder);
        let line = match &lease.state {
            LeaseState::Held => format!(
                "{} by {holder} since {} (token {})",
                paint(WARN, "held"),
                lease.since,
                lease.token
            ),
            LeaseState::Released => paint(
                DIM,
                &format!("free, last held by {holder} (token {})", lease.token),
            ),
            LeaseState::Corrupt(why) => format!(
                "{}: {}; see `evenkeel lock release`",
                paint(BAD, "unreadable"),
                clean(why)
            ),
        };
        out.push_str(&format!("{app:<width$}  {line}\n"));
    }
    out
}

/// One lease.
pub fn json(lease: &LeaseRow) -> Value {
    json!({
        "app": lease.app,
        "state": match &lease.state {
            LeaseState::Held => "Held",
            LeaseState::Released => "Released",
            LeaseState::Corrupt(_) => "Corrupt",
        },
        "holder": lease.holder,
        "token": lease.token,
        "since": lease.since.to_string(),
    })
}
