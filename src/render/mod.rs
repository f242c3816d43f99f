//! Rendering: a plan, a pass or a history as text, JSON or Markdown.
//!
//! Pure: each function takes the one value and returns a string. Text carries ANSI styles always;
//! whoever prints it strips them where nobody can see them.

pub mod against;
pub mod control;
pub mod findings;
pub mod history;
pub mod json;
pub mod layout;
pub mod lock;
pub mod markdown;
pub mod pass;
pub mod plan;
pub mod report;
pub mod source;
pub mod status;
