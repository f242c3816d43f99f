//! `evenkeel lock`: who holds which app, and how to take an app away from a holder.

use std::path::Path;

use anstyle::Style;

use super::args::{Format, LockArgs, LockCommand};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use crate::render::layout::flow;
use crate::render::{json, lock as render};

/// Runs it.
///
/// # Errors
/// A store that cannot be read or written.
pub async fn run(settings: Option<&Path>, args: &LockArgs) -> anyhow::Result<Exit> {
    match &args.command {
        LockCommand::List { format, aws } => {
            let context = Context::open(settings, aws, Intent::Look).await?;
            let store = context.store()?;
            let leases = store.leases(&store.apps().await?).await?;
            print(&match format.format {
                Format::Text => render::text(&leases),
                Format::Markdown => render::markdown(&leases),
                Format::Json => json::text(&serde_json::json!({
                    "version": 1,
                    "leases": leases.iter().map(render::json).collect::<Vec<_>>(),
                })),
            })?;
        }
        LockCommand::Release { app, reason, aws } => {
            anyhow::ensure!(
                !reason.trim().is_empty(),
                "--reason says nothing; it is what others read in the record"
            );
            anyhow::ensure!(
                !aws.read_only,
                "releasing a lease writes to the store, and --read-only forbids it"
            );
            let context = Context::open(settings, aws, Intent::Write).await?;
            let store = context.store()?;
            let row = store.force_release(app, reason).await?;
            let said = format!(
                "the lease on {app} is released (token {}); whoever held it can write nothing \
                 more under it. What was already on its way may still arrive within seconds",
                row.token
            );
            let mut text = String::new();
            flow(&mut text, "", 0, Style::new(), &said);
            print(&text)?;
        }
    }
    Ok(Exit::Fine)
}
