//! Arguments of `iam-policy`, which prints what follows from the code.

use clap::Args;

use super::FolderArgs;
use crate::cli::store_spec::StoreSpec;

/// `iam-policy`.
#[derive(Args, Debug)]
pub struct IamPolicyArgs {
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Only what looking takes.
    #[arg(long)]
    pub read_only: bool,
    /// The store, if it is a DynamoDB table: dynamodb:TABLE.
    #[arg(long, value_name = "STORE")]
    pub store: Option<StoreSpec>,
}
