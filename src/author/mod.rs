//! Author: documents that Evenkeel writes itself, as a person would.

pub mod fmt;
pub mod import;
pub mod names;
pub mod pages;
pub mod yaml;
