//! `evenkeel report`: how the estate stands, what drifted, who did it and what was done about it.

use std::path::Path;

use super::args::{ReportArgs, ReportFormat};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use super::scope::is_there;
use crate::engine::desired::load;
use crate::engine::report::Asked;
use crate::render::{json, report as render};

/// Runs it.
///
/// # Errors
/// A store that cannot be read.
pub async fn run(settings: Option<&Path>, args: &ReportArgs) -> anyhow::Result<Exit> {
    let context = Context::open(settings, &args.aws, Intent::Look).await?;
    let set = load(&args.folder.path);
    let scope = args.scope.scope();
    is_there(&scope, &set, &args.folder.path)?;
    let engine = &context.engine;
    let since = args.since.before(engine.cell.clock.now())?;
    let asked = Asked { scope, since };
    let report = engine.report(&set, &asked).await?;
    print(&match args.format {
        ReportFormat::Text => render::text::text(&report),
        ReportFormat::Markdown => render::markdown::markdown(&report),
        ReportFormat::Json => json::text(&report),
        ReportFormat::Html => render::html::html(&report)?,
    })?;
    Ok(Exit::Fine)
}
