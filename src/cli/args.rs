//! Arguments: what can be typed, and the help that teaches it.

pub mod author;
mod printed;
mod stored;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::author::{FmtArgs, ImportArgs, RenderArgs};
pub use self::printed::IamPolicyArgs;
pub use self::stored::{LockArgs, LockCommand, StoreArgs, StoreCommand};
use super::git_args;
use super::history::Since;
use super::settings::{SETTINGS_FILE, duration, nearest};
use super::store_spec::StoreSpec;
use crate::kinds::KINDS;
use crate::model::key::ResourceKey;
use crate::model::scope::Scope;

const EXITS: &str = "\
Exit codes:
  check   0 valid, 1 errors
  plan    0 in order, 2 drift, 3 only blocked, deferred or unreadable, 1 error
  apply   0 converged, 3 something blocked or deferred, 1 failed
  source  0 followed, 3 a commit is on hold, 1 error
  others  0 done, 1 error
A wrong command line is 1 everywhere.

Start here:
  evenkeel demo                 watch it work on a model of AWS on this machine
  evenkeel check                are my documents right? (no network)
  evenkeel plan                 what differs, and what would be written?
  evenkeel apply                write it, after asking
  evenkeel run                  keep it so";

/// Keeps applications on AWS ECS as the YAML files in desired-state/ say.
#[derive(Debug, Parser)]
#[command(name = "evenkeel", version, after_help = EXITS, max_term_width = 80)]
pub struct Cli {
    /// Settings file: account, region, store, interval.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options", long_help = format!("Settings file: account, region, store, interval. Default: {SETTINGS_FILE}, if it is there."))]
    pub settings: Option<PathBuf>,
    /// When to use colour; NO_COLOR is honoured too.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Global options"
    )]
    pub color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the documents; no network.
    #[command(
        after_help = "Exit 0 when every document is valid, 1 when one is not. All errors of all files are shown.\nWith --app, --kind or --target only what concerns these, and what no object can be named for.\nevenkeel.yaml is checked too."
    )]
    Check(CheckArgs),
    /// Show what differs from the documents and what would be written.
    #[command(
        after_help = "Signs: ~ update, + create, ! held back. Exit 0 in order, 2 drift, 3 held only,\nor the newest commit is not known, 1 error.\n\nExamples:\n  evenkeel plan --app shop\n  evenkeel plan --target shop/Service/web --format json\n  evenkeel plan --out plan.json && evenkeel apply --plan plan.json\n  evenkeel plan --against origin/main --format markdown"
    )]
    Plan(PlanArgs),
    /// Converge once: plan, ask, write, wait for rollouts.
    #[command(
        after_help = "Exit 0 converged, 1 failed, 3 something blocked or deferred. Without a terminal --yes is needed.\nCtrl-C begins nothing new and sees through what was sent."
    )]
    Apply(ApplyArgs),
    /// Run the controller: watch the folder, look again and again, correct drift.
    #[command(
        after_help = "Makes no destructive change that nobody approved.\nGET /healthz, /readyz and /metrics on --listen."
    )]
    Run(RunArgs),
    /// Show every object's conditions, its last write and its app's lease.
    Status(StatusArgs),
    /// Show the ledger, newest first.
    #[command(
        after_help = "Every write is announced by an Intent and followed by its Outcome. --verify checks that no entry was changed, removed or forked."
    )]
    History(HistoryArgs),
    /// Tell what drifted, who did it, and what was done about it.
    #[command(
        after_help = "Looks at AWS for itself and writes nothing. Who did it comes from CloudTrail, where it may be read.\n\nExamples:\n  evenkeel report --since 24h\n  evenkeel report --app shop --format markdown\n  evenkeel report --format html > drift.html"
    )]
    Report(super::report::ReportArgs),
    /// List leases, or release one.
    Lock(LockArgs),
    /// Create the store's table.
    Store(StoreArgs),
    /// Print the JSON Schema of the documents, for editors.
    #[command(
        after_help = "Point an editor at it with a first line such as\n  # yaml-language-server: $schema=evenkeel.schema.json"
    )]
    Schema(super::schema::SchemaArgs),
    /// Print the least IAM policy for the kinds in use.
    IamPolicy(IamPolicyArgs),
    /// Watch evenkeel work on a model of AWS, on this machine alone.
    #[command(
        after_help = "Needs no AWS account and no network. Ends by itself with exit 0, or with 1\nif anything did not come out as it should have; with --serve it stays up."
    )]
    Demo(crate::demo::command::DemoArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write documents for what is live already.
    #[command(
        after_help = "Reads AWS and writes nothing there. A plan of the documents right after is empty.\nWhat no document can say stands in a comment and on standard error.\n\nExamples:\n  evenkeel import --app shop --cluster main\n  evenkeel import --app shop --cluster main --database shop-db --out desired-state/shop"
    )]
    Import(ImportArgs),
    /// Print the documents with the environment's values filled in; no network.
    Render(RenderArgs),
    /// Indent and order documents alike; every comment stays, and what they say does not change.
    #[command(
        after_help = "Exit 0 done, 1 something was left alone or, with --check, is not formatted."
    )]
    Fmt(FmtArgs),
    /// Approve exactly one change, or a saved plan, or a looser policy.
    #[command(
        after_help = "The approver is the caller of AWS. An approval is of this very change, serves\nonce, and ends by itself. With --now it passes windows, freezes, budgets and\nthe canary, but never a pause.\n\nExamples:\n  evenkeel approve 3f2a91c07b1e --reason \"agreed in the weekly\"\n  evenkeel approve plan.json --reason \"agreed in the weekly\"\n  evenkeel approve shop/Service/web --now --reason \"incident 42\""
    )]
    Approve(super::approve::ApproveArgs),
    /// List what was approved, used and revoked.
    Approvals(super::approve::ApprovalsArgs),
    /// Write nothing of an app, or one object of it, for a while.
    #[command(
        after_help = "Every replica heeds it before its next write. It ends by itself, or with `evenkeel resume`."
    )]
    Pause(super::pause::PauseArgs),
    /// End a pause before its time.
    Resume(super::pause::ResumeArgs),
    /// List pauses.
    Pauses(super::pause::PausesArgs),
    /// Show the Git source, or say that a held commit is meant.
    #[command(after_help = git_args::SOURCE_HELP)]
    Source(git_args::SourceArgs),
    /// Set an app back to what an earlier commit says, and keep it there.
    #[command(after_help = git_args::ROLLBACK_HELP)]
    Rollback(git_args::RollbackArgs),
    /// Let go of an app that rollback pinned.
    Unpin(git_args::UnpinArgs),
}

/// Where the documents are.
#[derive(Args, Debug)]
pub struct FolderArgs {
    /// Folder of desired-state documents.
    #[arg(
        value_name = "PATH",
        help = "Folder of desired-state documents. Default: the settings' Git source, or desired-state"
    )]
    pub path: Option<PathBuf>,
    /// Which of environments/*.yaml below it gives the values of `$name`.
    #[arg(long, value_name = "NAME")]
    pub environment: Option<String>,
}

/// Which part of the desired state.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scope")]
pub struct ScopeArgs {
    /// Only this app.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Only this kind.
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    pub kind: Option<String>,
    /// Only this object.
    #[arg(long, value_name = "APP/KIND/NAME", value_parser = parse_key)]
    pub target: Option<ResourceKey>,
}

impl ScopeArgs {
    /// What they mean.
    pub fn scope(&self) -> Scope {
        Scope {
            app: self.app.clone(),
            kind: self.kind.clone(),
            target: self.target.clone(),
            among: None,
        }
    }
}

pub(super) fn parse_kind(text: &str) -> Result<String, String> {
    if KINDS.iter().any(|k| k.name() == text) {
        return Ok(text.to_owned());
    }
    let names: Vec<&str> = KINDS.iter().map(|k| k.name()).collect();
    let near = nearest(text, names.iter().copied())
        .map_or_else(String::new, |n| format!("; did you mean {n}?"));
    Err(format!(
        "there is no such kind{near} (there are {})",
        names.join(", ")
    ))
}

fn parse_key(text: &str) -> Result<ResourceKey, String> {
    let key: ResourceKey = text
        .parse()
        .map_err(|e: crate::model::key::BadKey| e.to_string())?;
    parse_kind(&key.kind)?;
    Ok(key)
}

/// How AWS and the store are reached.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "AWS and store")]
pub struct AwsArgs {
    /// Another endpoint for every AWS API, such as a model on loopback.
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// AWS region.
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Profile of the AWS configuration files.
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Where leases and ledger are.
    #[arg(
        long,
        value_name = "STORE",
        help = "Where leases and ledger are: embedded[:FILE] or dynamodb:TABLE"
    )]
    pub store: Option<StoreSpec>,
    /// Refuse every write to AWS, whatever else is asked.
    #[arg(long)]
    pub read_only: bool,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For pull requests.
    Markdown,
}

/// In which format.
#[derive(Args, Clone, Copy, Debug)]
pub struct FormatArgs {
    /// Output format.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// What.
    #[command(flatten)]
    pub scope: ScopeArgs,
}

/// `plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Save the plan, for `apply --plan`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Tell what the working tree changes against this revision, as a pull request would.
    #[arg(long, value_name = "REV", conflicts_with = "out")]
    pub against: Option<String>,
    /// Plan destructive changes too.
    #[arg(long)]
    pub allow_destructive: bool,
    /// Plan size changes even while a rollout is in progress.
    #[arg(long)]
    pub during_rollout: bool,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// What.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `apply`.
#[derive(Args, Debug)]
pub struct ApplyArgs {
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Write exactly this saved plan, or nothing; it has a scope of its own.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
    /// Write destructive changes too: retention cut, protection off, alarms silenced, count to 0.
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
    /// What.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Longest time between two looks: 30s, 5m, 1h. Default: 60s, or the settings'.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub interval: Option<Duration>,
    /// Address for /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    pub listen: SocketAddr,
    /// Log lines for people or for programs.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub log: LogFormat,
    /// What.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// `status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// What.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `history`.
#[derive(Args, Debug)]
pub struct HistoryArgs {
    /// Check the hash chain of every app instead of listing entries.
    #[arg(long)]
    pub verify: bool,
    /// Show at most so many entries.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Show only entries since then: 2026-03-02T12:00:00Z, or 90m, 24h ago.
    #[arg(long, value_name = "WHEN", value_parser = Since::parse)]
    pub since: Option<Since>,
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// What.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_unknown_kind_is_told_the_nearest() {
        let error = parse_key("shop/Servce/web").unwrap_err();
        assert!(error.contains("did you mean Service?"), "{error}");
        assert!(parse_key("shop/web").is_err());
    }
}
