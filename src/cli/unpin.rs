//! `evenkeel unpin`: lets go of an app that was set to an earlier commit.

use std::path::Path;

use anstyle::Style;

use super::context::Context;
use super::exit::Exit;
use super::git_args::UnpinArgs;
use super::guard::Intent;
use super::out::print;
use crate::render::layout::flow;

/// Runs it.
///
/// # Errors
/// A store that cannot be read or written, and an app that is not pinned.
pub async fn run(settings: Option<&Path>, args: &UnpinArgs) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        !args.aws.read_only,
        "unpinning writes to the store, and --read-only forbids it"
    );
    let context = Context::open(settings, &args.aws, Intent::Write).await?;
    let app = &args.app;
    let Some(pin) = context
        .store()?
        .unpin(app, context.caller()?, &args.reason)
        .await?
    else {
        anyhow::bail!("{app} is not pinned; `evenkeel status` shows what is");
    };
    let said = format!(
        "{app} is no longer pinned to commit {} (by {}: {}); `run` takes its newest documents at \
         the next look",
        pin.commit.short(),
        pin.by,
        pin.reason
    );
    let mut text = String::new();
    flow(&mut text, "", 0, Style::new(), &said);
    print(&text)?;
    Ok(Exit::Fine)
}
