//! The twin: a deterministic model of the AWS APIs that Evenkeel calls.
