//! Arguments of what is printed from the code: `schema` and `iam-policy`.

use clap::Args;

use super::{FolderArgs, parse_kind};
use crate::cli::store_spec::StoreSpec;

/// `schema`.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// Only the spec of this kind.
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    pub kind: Option<String>,
}

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
