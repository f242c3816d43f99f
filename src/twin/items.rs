//! Items: what DynamoDB adds to an engine's rows: client request tokens, and reads that lag.
//!
//! A token serves for ten minutes after its transaction (API Reference, TransactWriteItems,
//! ClientRequestToken). A read that does not ask for consistency may be answered by a copy that is
//! behind; here it always is, by the lag.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// How long a client request token is known.
const TOKEN_SERVES: SignedDuration = SignedDuration::from_mins(10);

/// A transaction that was done under a token.
#[derive(Clone, Debug)]
struct Done {
    at: Timestamp,
    input: Value,
    answer: Value,
}

/// The transactions of the last ten minutes, by token.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(BTreeMap<String, Done>);

/// What a token says of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Known {
    /// It was not done yet.
    Not,
    /// It was done: this was the answer.
    Done(Value),
    /// Another one was done under it.
    Mismatch,
}

impl Tokens {
    pub(super) fn ask(&mut self, token: &str, input: &Value, now: Timestamp) -> Known {
        self.0
            .retain(|_, done| now.duration_since(done.at) < TOKEN_SERVES);
        match self.0.get(token) {
            None => Known::Not,
            Some(done) if done.input == *input => Known::Done(done.answer.clone()),
            Some(_) => Known::Mismatch,
        }
    }

    pub(super) fn remember(&mut self, token: &str, input: Value, answer: Value, now: Timestamp) {
        let done = Done {
            at: now,
            input,
            answer,
        };
        self.0.insert(token.to_owned(), done);
    }
}

/// Writes that the copy has not seen yet, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog {
    /// How far the copy stays behind.
    pub(super) lag: Duration,
    waiting: VecDeque<(Timestamp, String, Value)>,
}

impl Backlog {
    /// Notes a write that was done.
    pub(super) fn push(&mut self, now: Timestamp, operation: &str, input: &Value) {
        self.waiting
            .push_back((now, operation.to_owned(), input.clone()));
    }

    /// The next write that the copy has to see by `now`.
    pub(super) fn due(&mut self, now: Timestamp) -> Option<(String, Value)> {
        let (at, _, _) = self.waiting.front()?;
        let behind = now.duration_since(*at).unsigned_abs();
        if behind < self.lag {
            return None;
        }
        let (_, operation, input) = self.waiting.pop_front()?;
        Some((operation, input))
    }
}

/// Whether a call only reads rows, and may be answered by a copy that is behind.
pub(super) fn may_lag(operation: &str, input: &Value) -> bool {
    match operation {
        "GetItem" | "Query" | "Scan" => input["ConsistentRead"] != true,
        "BatchGetItem" => input["RequestItems"]
            .as_object()
            .is_some_and(|tables| tables.values().any(|t| t["ConsistentRead"] != true)),
        _ => false,
    }
}

/// Whether a call changes tables or rows.
pub(super) fn writes(operation: &str) -> bool {
    matches!(
        operation,
        "BatchWriteItem"
            | "CreateTable"
            | "DeleteItem"
            | "DeleteTable"
            | "PutItem"
            | "TransactWriteItems"
            | "UpdateItem"
            | "UpdateTable"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_serves_ten_minutes_and_for_its_own_transaction_only() {
        let mut tokens = Tokens::default();
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        tokens.remember("t", json!(1), json!("done"), at(0));
        assert_eq!(
            tokens.ask("t", &json!(1), at(9)),
            Known::Done(json!("done"))
        );
        assert_eq!(tokens.ask("t", &json!(2), at(9)), Known::Mismatch);
        assert_eq!(tokens.ask("t", &json!(1), at(10)), Known::Not);
    }
}
