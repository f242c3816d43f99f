//! Integration tests: one binary, one module for each thing that is tested from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this is tests: a panic is how they fail"
)]

mod architecture;
mod bad_inputs;
mod ci_deploys;
mod crash;
mod demo;
mod docs;
mod estates;
mod faults;
mod fleet;
mod oracle_moto;
mod replicas;
mod rig;
mod store;
