//! Evenkeel: a reconciliation controller for the day-2 operation of applications on AWS ECS.

pub mod aws;
pub mod check;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod docs;
pub mod engine;
pub mod entropy;
pub mod kinds;
pub mod model;
pub mod plan;
pub mod render;
pub mod schema;
pub mod source;
pub mod store;
pub mod twin;
