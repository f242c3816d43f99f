//! Arguments of what writes documents: `import`, `render` and `fmt`.

use std::path::PathBuf;

use clap::Args;

use super::{AwsArgs, FolderArgs};
use crate::model::key::{LABEL_MAX, is_label};

/// `import`.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// The app that the documents are to be of.
    #[arg(long, value_name = "APP", value_parser = parse_label)]
    pub app: String,
    /// The cluster whose services are imported, with their scaling and their alarms.
    #[arg(
        long,
        value_name = "CLUSTER",
        value_parser = cluster,
        required_unless_present_any = ["alarms", "databases", "tables"]
    )]
    pub cluster: Option<String>,
    /// Only this service of the cluster; may be repeated.
    #[arg(long = "service", value_name = "SERVICE", requires = "cluster")]
    pub services: Vec<String>,
    /// This alarm, too, whatever it watches; may be repeated.
    #[arg(long = "alarm", value_name = "ALARM")]
    pub alarms: Vec<String>,
    /// This RDS instance or cluster, too; may be repeated.
    #[arg(long = "database", value_name = "ID")]
    pub databases: Vec<String>,
    /// This DynamoDB table, too; may be repeated.
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<String>,
    /// Write a file for each kind into this folder, instead of to standard output. A file that is
    /// there is never written over.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `render`.
#[derive(Args, Debug)]
pub struct RenderArgs {
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// `fmt`.
#[derive(Args, Debug)]
pub struct FmtArgs {
    /// Files, or folders of them.
    #[arg(value_name = "PATH", default_value = "desired-state")]
    pub paths: Vec<PathBuf>,
    /// Change nothing; only say what would be.
    #[arg(long)]
    pub check: bool,
}

fn parse_label(text: &str) -> Result<String, String> {
    if is_label(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "use 1 to {LABEL_MAX} of a-z, 0-9 and -, with a letter or digit at both ends"
    ))
}

/// A cluster's name; of an ARN what stands at its end.
fn cluster(text: &str) -> Result<String, String> {
    match text.rsplit_once(":cluster/") {
        Some((_, name)) if text.starts_with("arn:") => Ok(name.to_owned()),
        _ if text.contains([':', '/']) => {
            Err(format!("{text:?} is neither a cluster's name nor its ARN"))
        }
        _ => Ok(text.to_owned()),
    }
}
