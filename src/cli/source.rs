//! `evenkeel source`: the Git source, the commit in force, and a person's word for one on hold.

use std::path::Path;

use anstyle::Style;
use anyhow::{Context as _, bail, ensure};

use super::args::Format;
use super::context::Context;
use super::exit::Exit;
use super::git_args::{SourceArgs, SourceCommand};
use super::guard::Intent;
use super::out::print;
use super::wanted::options;
use crate::engine::controller::Desired as _;
use crate::engine::git_source::{GitSource, Recording};
use crate::model::source::{Acknowledgement, CommitId, SourceHold};
use crate::render::layout::flow;
use crate::render::{findings, json, source as render};
use crate::source::git::Remote;

/// Fewest digits by which a commit may be named.
const LEAST: usize = 7;
/// How often an acknowledgement is tried that others get in the way of.
const ATTEMPTS: usize = 4;

/// Runs it.
///
/// # Errors
/// No Git source, a store that cannot be read or written, and nothing to acknowledge.
pub async fn run(settings: Option<&Path>, args: &SourceArgs) -> anyhow::Result<Exit> {
    match &args.command {
        SourceCommand::Status { format, aws } => {
            let context = Context::open(settings, aws, Intent::Look).await?;
            let (mut source, remote) = open(&context, Recording::No)?;
            let set = source.load().await;
            let store = context.store()?;
            let record = store.source(&remote.id()).await?.record;
            let pins = store.pin_rows().await?;
            let state = set.source.clone().unwrap_or_default();
            print(&match format.format {
                Format::Text => {
                    findings::text(&set.findings)
                        + &render::status(&remote.shown(), &record, &state)
                        + &render::unpinned(&pins)
                }
                Format::Markdown => render::markdown(&state),
                Format::Json => json::text(&serde_json::json!({
                    "version": 1,
                    "source": remote.shown(),
                    "record": record,
                    "pins": pins,
                    "state": state,
                })),
            })?;
            Ok(match (&state.held, &state.unread) {
                (None, None) => Exit::Fine,
                (Some(_), _) => Exit::Held,
                (None, Some(_)) => Exit::Failed,
            })
        }
        SourceCommand::Acknowledge {
            commit,
            reason,
            aws,
        } => {
            ensure!(
                !reason.trim().is_empty(),
                "--reason says nothing; it is what others read in the record"
            );
            ensure!(
                !aws.read_only,
                "acknowledging writes to the store, and --read-only forbids it"
            );
            let context = Context::open(settings, aws, Intent::Write).await?;
            let commit = acknowledge(&context, commit, reason).await?;
            let said = format!(
                "commit {commit} is acknowledged; it comes into force at the next look of `run`, \
                 or with `evenkeel apply`"
            );
            let mut text = String::new();
            flow(&mut text, "", 0, Style::new(), &said);
            print(&text)?;
            Ok(Exit::Fine)
        }
    }
}

fn open(context: &Context, recording: Recording) -> anyhow::Result<(GitSource, Remote)> {
    let git =
        context.settings.source.as_ref().context(
            "evenkeel.yaml names no Git source; put `source: {git: {url: ...}}` into it",
        )?;
    let options = options(git, context.settings.interval)?;
    let remote = options.remote.clone();
    let cell = &context.engine.cell;
    let source = GitSource::open(
        options,
        context.engine.store.clone(),
        recording,
        cell.clock.clone(),
        cell.entropy.clone(),
    )?;
    Ok((source, remote))
}

async fn acknowledge(context: &Context, named: &str, reason: &str) -> anyhow::Result<CommitId> {
    let (mut source, remote) = open(context, Recording::Yes)?;
    // What is on hold is what is newest now, not what somebody saw an hour ago.
    let set = source.load().await;
    if let Some(why) = set.source.and_then(|state| state.unread) {
        bail!("what is newest is not known, so nothing was acknowledged: {why}");
    }
    let store = context.store()?;
    let by = context.caller()?;
    for _ in 0..ATTEMPTS {
        let read = store.source(&remote.id()).await?;
        let Some(held) = &read.record.held else {
            bail!("no commit is on hold, so there is nothing to acknowledge");
        };
        let commit = meant(held, named)?;
        let mut record = read.record.clone();
        record.acknowledged = Some(Acknowledgement {
            commit: commit.clone(),
            reasons: held.reasons.clone(),
            by: by.to_owned(),
            at: context.engine.cell.clock.now(),
            reason: reason.to_owned(),
        });
        if store.put_source(&remote.id(), &read, &record).await? {
            return Ok(commit);
        }
    }
    bail!("others changed the record of the source each time; nothing was acknowledged, run again")
}

/// The commit on hold, if it is the one that was named.
fn meant(held: &SourceHold, named: &str) -> anyhow::Result<CommitId> {
    let named = named.to_ascii_lowercase();
    ensure!(
        named.len() >= LEAST,
        "{named:?} is too short to name a commit; write at least {LEAST} digits of it"
    );
    ensure!(
        held.commit.as_str().starts_with(&named),
        "the commit on hold is {}, not {named}; nothing was acknowledged. Look at that one first",
        held.commit
    );
    Ok(held.commit.clone())
}
