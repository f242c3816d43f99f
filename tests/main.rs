//! Integration tests: one binary, one module for each thing that is tested from outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this is tests: a panic is how they fail"
)]

mod applications;
mod approved;
mod architecture;
mod aws_command;
mod aws_lines;
mod bad_files;
mod bad_input_list;
mod bad_inputs;
mod ci_deploys;
mod cli;
mod control;
mod control_commands;
mod controller;
mod demo;
mod differential;
mod docs;
mod drift;
mod environments;
mod estates;
mod fields;
mod fleet;
mod git_commands;
mod git_source;
mod guard;
mod import;
mod kill;
mod late;
mod lease_model;
mod ledger;
mod notices;
mod oracle_moto;
mod pause;
mod process;
mod properties;
#[cfg(target_os = "linux")]
mod real_world;
mod replicas;
mod report;
mod repository;
mod rig;
mod rollouts;
mod run_command;
#[allow(
    dead_code,
    reason = "some of it serves the example `sim`, which is built from the same files"
)]
mod sim;
mod store;
mod sweep;
mod two_writers;
mod unnamed;
mod vanished;
mod walkthrough;
