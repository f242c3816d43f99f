//! The nouns of Evenkeel, as plain values: what a key, a document, a plan and a ledger entry are.
//!
//! Pure: nothing here reads a clock, a file or a network.

pub mod chain;
pub mod change;
pub mod document;
pub mod drift;
pub mod entry;
pub mod finding;
pub mod key;
pub mod memory;
pub mod notice;
pub mod operation;
pub mod over_time;
pub mod pass;
pub mod plan;
pub mod report;
pub mod scope;
pub mod snapshot;
pub mod source;
pub mod stake;
pub mod status;
pub mod survey;
pub mod trail;
pub mod tree;
pub mod written;
