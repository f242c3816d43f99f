//! Arguments of what is kept in the store: `lock` and `store`.

use clap::{Args, Subcommand};

use super::{AwsArgs, FormatArgs};

/// `lock`.
#[derive(Args, Debug)]
pub struct LockArgs {
    /// Which.
    #[command(subcommand)]
    pub command: LockCommand,
}

/// What to do with leases.
#[derive(Debug, Subcommand)]
pub enum LockCommand {
    /// Show who holds which app.
    List {
        /// How.
        #[command(flatten)]
        format: FormatArgs,
        /// Through which door.
        #[command(flatten)]
        aws: AwsArgs,
    },
    /// Take an app's lease away from its holder, who can write nothing more.
    Release {
        /// Whose lease.
        app: String,
        /// Why; it is recorded.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Through which door.
        #[command(flatten)]
        aws: AwsArgs,
    },
}

/// `store`.
#[derive(Args, Debug)]
pub struct StoreArgs {
    /// Which.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What to do with the store.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Create the table; with point-in-time recovery and deletion protection on DynamoDB.
    Create {
        /// Through which door.
        #[command(flatten)]
        aws: AwsArgs,
    },
}
