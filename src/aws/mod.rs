//! AWS at the edge: the one door, the rate budget, the clients and the meaning of errors.

pub mod answer;
pub mod budget;
pub mod call;
pub mod cell;
pub mod door;
pub mod fault;
pub mod identity;
pub mod session;
