//! Evenkeel: a reconciliation controller for the day-2 operation of applications on AWS ECS.
//!
//! ```text
//! desired-state/**/*.yaml
//!   -> source    bytes to documents, each field with file:line:column
//!   -> check     rules over the whole set                                    -> findings
//!   -> engine    looks at AWS through the door, batched and throttled        -> snapshot
//!   -> plan      pure: diff, order, safety; then an audit that trusts none of it -> plan
//!   -> engine    per app: lease, look again, plan again; per step:
//!                intent -> door -> outcome; then read until it shows         -> pass
//!   -> render    text, JSON and Markdown of that one plan or pass
//! ```
//!
//! | module | what it holds | may touch the world |
//! |---|---|---|
//! | [`model`] | the nouns: keys, documents, trees, plans, ledger entries | no |
//! | [`check`], [`plan`], [`render`] | decide and tell: values in, values out | no |
//! | [`control`] | windows, freezes, budgets, approvals, pauses: what may be written when | no |
//! | [`kinds`] | the table of kinds; one folder each, a pure half and `aws.rs` | only `aws.rs` |
//! | [`source`] | the folder of desired state | files |
//! | [`aws`] | the one door to AWS, rates, calls, faults | network |
//! | [`store`] | leases, ledger, memory and status in DynamoDB | network or a file |
//! | [`engine`] | looks, passes, the controller | through the three above |
//! | [`cli`] | one file a command | terminal |
//! | [`twin`], [`demo`] | a model of the AWS APIs in use, and the tour over it | loopback |
//! | [`clock`], [`entropy`] | the only sources of time and randomness | yes |
//! | [`notify`] | who is told of changes of state: SNS, webhooks | network |
//! | [`author`] | documents that Evenkeel writes itself: `import`, `fmt` | files |
//! | [`docs`], [`schema`] | the reference and the JSON Schema, written from the kinds | no |

pub mod author;
pub mod aws;
pub mod check;
pub mod cli;
pub mod clock;
pub mod control;
pub mod demo;
pub mod docs;
pub mod engine;
pub mod entropy;
pub mod kinds;
pub mod model;
pub mod notify;
pub mod plan;
pub mod render;
pub mod schema;
pub mod source;
pub mod store;
pub mod twin;
