//! `evenkeel report`: how the estate stands, what drifted, who did it and what was done about it.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::args::{AwsArgs, FolderArgs, ScopeArgs};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::history::Since;
use super::out::print;
use super::scope::is_there;
use super::wanted::Wanted;
use crate::engine::git_source::Recording;
use crate::engine::report::Asked;
use crate::model::finding::Severity;
use crate::render::{findings, json, report as render};

/// How the drift report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For a terminal.
    Text,
    /// For pull requests and wikis.
    Markdown,
    /// For programs.
    Json,
    /// For people: one file with charts, which needs nothing else.
    Html,
}

/// `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Where.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Tell what began or ended since then: 2026-03-02T12:00:00Z, or 24h, 7d ago.
    #[arg(long, value_name = "WHEN", default_value = "7d", value_parser = Since::parse)]
    pub since: Since,
    /// Output format.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ReportFormat,
    /// What.
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// Runs it.
///
/// # Errors
/// A store that cannot be read.
pub async fn run(settings: Option<&Path>, args: &ReportArgs) -> anyhow::Result<Exit> {
    let context = Context::open(settings, &args.aws, Intent::Look).await?;
    let mut wanted = Wanted::of(&args.folder, &context, Recording::No)?;
    let set = wanted.load().await;
    let scope = args.scope.scope();
    is_there(&scope, &set, &wanted.shown())?;
    if set.findings.iter().any(|f| f.severity == Severity::Error) {
        anstream::eprint!("{}", findings::text(&set.findings));
    }
    let engine = &context.engine;
    let now = engine.cell.clock.now();
    let since = args.since.before(now)?;
    anyhow::ensure!(
        since < now,
        "--since is now, and of no time there is nothing to tell; name an earlier moment"
    );
    let asked = Asked { scope, since };
    let report = engine.report(&set, &asked).await?;
    print(&match args.format {
        ReportFormat::Text => render::text::text(&report),
        ReportFormat::Markdown => render::markdown::markdown(&report),
        ReportFormat::Json => json::text(&report),
        ReportFormat::Html => render::html::html(&report)?,
    })?;
    // Of what nobody could read nothing was reported.
    Ok(match set.documents.is_empty() {
        true => Exit::Failed,
        false => Exit::Fine,
    })
}
