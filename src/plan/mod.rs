//! Planning: from what is wanted, what is there and what is remembered, to what will be written.
//!
//! Pure: every function here takes values and returns values.

pub mod diff;
