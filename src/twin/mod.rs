//! The twin: a deterministic model of the AWS APIs that Evenkeel calls.

pub mod cbor;
pub mod cloudwatch;
pub mod dynamodb;
pub mod query;
pub mod rds;
pub mod sts;
pub mod wire;

#[cfg(test)]
mod trial;
