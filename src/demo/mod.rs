//! Demo: a tour of Evenkeel on this machine alone, over a twin of AWS on loopback.

pub mod estate;
