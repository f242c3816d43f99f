//! What every service model of the twin is given, and how it refuses.

/// What a call knows of its surroundings.
#[derive(Clone, Copy, Debug)]
pub struct CallContext<'a> {
    /// The time of the call.
    pub now: jiff::Timestamp,
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
}

/// An AWS error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinError {
    /// Its code.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// Its message.
    pub message: String,
}

impl TwinError {
    /// A caller's error: HTTP 400.
    pub fn client(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            status: 400,
            message: message.into(),
        }
    }

    /// The answer to an operation that this model does not have.
    pub fn unknown_operation(service: &str, operation: &str) -> Self {
        Self::client(
            "UnknownOperationException",
            format!("the twin does not model {service}.{operation}"),
        )
    }
}
