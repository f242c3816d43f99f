//! Git: desired state from the commits of a repository, read by commit and never checked out.
//!
//! `url` says what may be handed to Git at all, `command` runs it, `tree` reads one commit's files,
//! `repository` fetches, compares and verifies, and `hold` decides whether a commit may come into
//! force by itself.

pub mod command;
pub mod hold;
pub mod repository;
mod tree;
pub mod url;

pub use command::GitError;
pub use repository::{Remote, Repository};
pub use tree::Content;
