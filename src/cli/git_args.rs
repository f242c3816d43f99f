//! Arguments about Git: the source's commands, rollback and unpin.

use clap::{Args, Subcommand};

use super::args::{AwsArgs, FolderArgs, FormatArgs};

/// What is told below the help of `source`.
pub(super) const SOURCE_HELP: &str = "A commit that does not descend from the one in force, is empty, loses many objects, halves a\ncount or is not signed as it must be is not taken until it is acknowledged.";
/// What is told below the help of `rollback`.
pub(super) const ROLLBACK_HELP: &str = "Plans, asks and writes as apply does, and pins the app: run takes its documents from that commit\nuntil `evenkeel unpin APP`. Exit 0 converged, 1 failed, 3 something blocked or deferred.\n\nExamples:\n  evenkeel rollback shop --to 1f3a9c2 --reason \"the new size was too small\"\n  evenkeel rollback shop --to 12 --reason \"as entry 12 of its history\"";

/// `source`.
#[derive(Args, Debug)]
pub struct SourceArgs {
    /// Which.
    #[command(subcommand)]
    pub command: SourceCommand,
}

/// What to do with the Git source.
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Show the commit in force, and the one on hold.
    Status {
        /// How.
        #[command(flatten)]
        format: FormatArgs,
        /// Through which door.
        #[command(flatten)]
        aws: AwsArgs,
    },
    /// Say that the commit on hold is meant; it is taken at the next look.
    Acknowledge {
        /// Which: the commit on hold, in full or its first seven digits or more.
        commit: String,
        /// Why; it is recorded.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Through which door.
        #[command(flatten)]
        aws: AwsArgs,
    },
}

/// `rollback`.
#[derive(Args, Debug)]
pub struct RollbackArgs {
    /// Whose documents.
    pub app: String,
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// To what: a commit, a tag or a branch, or an entry of the app's history (its number, or the id of
    /// its intent).
    #[arg(long, value_name = "COMMIT")]
    pub to: String,
    /// Why; it is shown wherever the app is.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
    /// Write destructive changes too.
    #[arg(long)]
    pub allow_destructive: bool,
    /// Change sizes even while a rollout is in progress.
    #[arg(long)]
    pub during_rollout: bool,
    /// Do not wait for rollouts to complete.
    #[arg(long)]
    pub no_wait: bool,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `unpin`.
#[derive(Args, Debug)]
pub struct UnpinArgs {
    /// Which app.
    pub app: String,
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}
