//! Demo: a tour of Evenkeel on this machine alone, over a twin of AWS on loopback.

pub mod command;
pub mod estate;
mod intruder;
pub mod stage;
pub mod tour;
pub mod voice;
