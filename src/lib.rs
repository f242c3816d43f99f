//! Evenkeel: a reconciliation controller for the day-2 operation of applications on AWS ECS.

pub mod clock;
pub mod model;
pub mod twin;
