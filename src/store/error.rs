//! Store errors: what went wrong with which row of which table, and what to do about it.

use crate::aws::call::AwsError;
use crate::aws::fault::Fault;

/// Something that the store could not do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such table.
    #[error(
        "store table {table}: it does not exist; run `evenkeel apply` against loopback, or create it with `evenkeel store create --store dynamodb:{table}`"
    )]
    Missing {
        /// The table.
        table: String,
    },
    /// The table is there, and is not a store.
    #[error(
        "store table {table}: {why}; name another table with --store dynamodb:TABLE, or create one with `evenkeel store create`"
    )]
    WrongShape {
        /// The table.
        table: String,
        /// What is wrong with it.
        why: String,
    },
    /// A call failed, repeats included.
    #[error("store table {table}: {error}; {}", advice(&.error.fault))]
    Call {
        /// The table.
        table: String,
        /// Operation, row and cause.
        error: Box<AwsError>,
    },
    /// The file of an embedded store is in trouble.
    #[error("the embedded store {why}")]
    File {
        /// Which file, what is wrong with it, and what to do.
        why: String,
    },
    /// A row that no build of ours wrote so.
    #[error(
        "store table {table}: row {row} is not as evenkeel wrote it ({why}); a lease is mended with `evenkeel lock release --reason`, anything else from a backup of the table"
    )]
    Corrupt {
        /// The table.
        table: String,
        /// `pk / sk`.
        row: String,
        /// What is wrong with it.
        why: String,
    },
    /// A row that would come too near to DynamoDB's 400 KB. Nothing was written.
    #[error(
        "store table {table}: row {row} would hold {size} bytes, and {limit} is the most that is stored; make the change in smaller steps"
    )]
    TooLarge {
        /// The table.
        table: String,
        /// `pk / sk`.
        row: String,
        /// Bytes of JSON.
        size: usize,
        /// The most.
        limit: usize,
    },
    /// Others changed the same rows each time that it was tried.
    #[error(
        "store table {table}: writing {row} met another writer {attempts} times; nothing was written, run again"
    )]
    Contended {
        /// The table.
        table: String,
        /// `pk / sk`.
        row: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Others added to a chain each time that it was read.
    #[error(
        "store table {table}: the chain of {pk} grew each of the {attempts} times that it was read; its app is being written, so try again in a moment"
    )]
    Restless {
        /// The table.
        table: String,
        /// Whose chain.
        pk: String,
        /// How often it was read.
        attempts: u32,
    },
    /// The app has no lease that could be released.
    #[error(
        "store table {table}: app {app} has never been leased; `evenkeel lock list` shows which apps have"
    )]
    NoLease {
        /// The table.
        table: String,
        /// The app.
        app: String,
    },
    /// The lease that the row was to be written under is gone.
    #[error(
        "store table {table}: the lease on {app} (token {token}) is no longer ours; nothing was written, run again"
    )]
    LeaseLost {
        /// The table.
        table: String,
        /// The app.
        app: String,
        /// The token that is no longer valid.
        token: u64,
    },
}

fn advice(fault: &Fault) -> &'static str {
    match fault {
        Fault::Throttled => "DynamoDB throttles the table; try again, and look at who else uses it",
        Fault::Denied => {
            "check the credentials, and that they may read and write this table (`evenkeel iam-policy` lists the actions)"
        }
        Fault::NoCredentials => "sign in again, and run again",
        Fault::Conflict | Fault::Transient => "try again",
        Fault::NotSent => "check the endpoint and the network",
        Fault::Unknown => {
            "check the endpoint and the network; the next run finds out what was written"
        }
        Fault::NotFound | Fault::Terminal => "check that --store names evenkeel's own table",
    }
}
