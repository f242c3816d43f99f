//! Leases as text and JSON.
//!
//! Pure: values in, text out.

use anstyle::Style;
use serde_json::{Value, json};

use super::layout::{BAD, DIM, WARN, clean, flow, paint};
use super::markdown::escape;
use crate::store::{LeaseRow, LeaseState};

/// What is said of a lease: a word with its style, and the rest.
fn said(lease: &LeaseRow) -> (Style, &'static str, String) {
    let LeaseRow { holder, token, .. } = lease;
    match &lease.state {
        LeaseState::Held => (
            WARN,
            "held",
            format!(
                "by {holder} since {} (token {token})",
                lease.since.strftime("%Y-%m-%d %H:%M:%SZ")
            ),
        ),
        LeaseState::Released => (
            DIM,
            "free",
            match taken(lease) {
                Some(taken) => format!("{taken}; last held by {holder} (token {token})"),
                None => format!("last held by {holder} (token {token})"),
            },
        ),
        LeaseState::Corrupt(why) => (
            BAD,
            "unreadable",
            format!("{why}; see `evenkeel lock release`"),
        ),
    }
}

/// Who released it in its holder's stead, and why, where somebody did.
pub fn taken(lease: &LeaseRow) -> Option<String> {
    let reason = lease.reason.as_ref()?;
    let by = lease.released_by.as_deref().unwrap_or("a person");
    let at = lease.since.strftime("%Y-%m-%d %H:%M:%SZ");
    Some(format!("released by {by} at {at}: {reason}"))
}

/// A lease to a line, or to two where it is long.
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
        let (style, word, rest) = said(lease);
        let lead = format!("{:<width$}  {} ", clean(&lease.app), paint(style, word));
        flow(&mut out, &lead, 6, Style::new(), &rest);
    }
    out
}

/// A table.
pub fn markdown(leases: &[LeaseRow]) -> String {
    let mut out = String::from("| app | lease |\n|---|---|\n");
    for lease in leases {
        let (_, word, rest) = said(lease);
        out.push_str(&format!(
            "| {} | {word} {} |\n",
            escape(&lease.app),
            escape(&rest)
        ));
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
        "since": lease.since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "releasedBy": lease.released_by,
        "reason": lease.reason,
    })
}
