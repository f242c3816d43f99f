//! `evenkeel rollback`: sets an app back to what an earlier commit says, and keeps it there.

use std::io::IsTerminal as _;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use tokio_util::sync::CancellationToken;

use super::apply::{carry_out, confirmed};
use super::args::Format;
use super::context::Context;
use super::exit::Exit;
use super::git_args::RollbackArgs;
use super::guard::Intent;
use super::out::print;
use super::plan::allow;
use super::wanted::Wanted;
use crate::engine::apply::{ApplyOptions, Pinned, Wait};
use crate::engine::commits::Commits;
use crate::engine::git_source::Recording;
use crate::kinds::{Allow, Policy};
use crate::model::entry::{Entry, Record};
use crate::model::scope::Scope;
use crate::model::source::{CommitId, Pin, SourceState};
use crate::render::plan as render;
use crate::source::git::hold::Ancestry;
use crate::source::git::url;
use crate::store::{Patience, Store};

/// Longest number of an entry; what is longer is a commit.
const NUMBER: usize = 6;
/// Fewest digits by which an intent may be named.
const LEAST: usize = 8;

/// Runs it.
///
/// # Errors
/// Whatever keeps it from writing at all; nothing is pinned then.
pub async fn run(settings: Option<&Path>, args: &RollbackArgs) -> anyhow::Result<Exit> {
    ensure!(
        !args.aws.read_only,
        "rollback writes, and --read-only forbids it; `evenkeel plan --against` shows what differs"
    );
    ensure!(
        !args.reason.trim().is_empty(),
        "--reason says nothing; it is what others read wherever the app is shown"
    );
    ensure!(
        args.yes || std::io::stdin().is_terminal(),
        "rollback asks before it writes, and there is no terminal to ask on; nothing was written. \
         Use --yes"
    );
    let context = Context::open(settings, &args.aws, Intent::Write).await?;
    let store = context.store()?;
    let mut wanted = Wanted::of(&args.folder, &context, Recording::Yes)?;
    let set = wanted.load().await;
    let mut commits = wanted.commits().await?;
    let commit = meant(
        store,
        &mut commits,
        set.source.as_ref(),
        &args.app,
        &args.to,
    )
    .await?;
    let of_commit = commits.set(&commit).await?;
    ensure!(
        of_commit.apps().contains(args.app.as_str()),
        "commit {} holds no document of {} that loads; nothing was written. `evenkeel plan --against \
         {}` tells what differs",
        commit.short(),
        args.app,
        commit.short()
    );
    let pin = Pin {
        app: args.app.clone(),
        commit: commit.clone(),
        by: context.caller()?.to_owned(),
        at: context.engine.cell.clock.now(),
        reason: args.reason.clone(),
    };
    let set = commits.compose(set, [(args.app.clone(), pin.told())]).await;
    let policy = Policy {
        destructive: allow(args.allow_destructive),
        during_rollout: allow(args.during_rollout),
        apply_immediately: Allow::Yes,
    };
    let scope = Scope::app(&args.app);
    let plan = context.engine.plan(&set, &scope, &policy).await;
    anstream::eprintln!(
        "nothing is pinned yet; this is the plan for {} at commit {}:",
        args.app,
        commit.short()
    );
    let mut preview = plan.clone();
    if let Some(source) = &mut preview.source {
        source.apps.remove(&args.app);
    }
    if args.format.format == Format::Text {
        print(&render::text(&preview))?;
    } else {
        anstream::eprintln!("{}", render::text(&preview));
    }
    ensure!(
        !set.frozen.holds(&args.app),
        "what commit {} says of {} does not load today, so nothing was written and nothing is \
         pinned; see the errors above",
        commit.short(),
        args.app
    );
    if !args.yes && !confirmed(&plan)? {
        anstream::eprintln!("nothing was written, and nothing is pinned");
        return Ok(Exit::Failed);
    }
    // Before the first write: a controller would otherwise set back what is set back here.
    store.pin(&pin).await?;
    anstream::eprintln!(
        "{} is pinned to commit {} until `evenkeel unpin {}`",
        args.app,
        commit.short(),
        args.app
    );
    let options = ApplyOptions {
        policy,
        wait: match args.no_wait {
            true => Wait::No,
            false => Wait::ForRollouts,
        },
        pinned: match args.yes {
            true => Pinned::No,
            false => Pinned::Yes,
        },
        patience: Patience::UntilDead,
        stop: CancellationToken::new(),
    };
    carry_out(&context, &set, plan, &options, args.format.format).await
}

/// The commit that `to` means: that of an entry of the app's history, or one of the repository.
async fn meant(
    store: &Store,
    commits: &mut Commits,
    source: Option<&SourceState>,
    app: &str,
    to: &str,
) -> anyhow::Result<CommitId> {
    let chain = store.chain(app).await?;
    if let Some(entry) = entry(&chain.entries, to) {
        return commit_of(&chain.entries, entry).with_context(|| {
            format!(
                "entry {} of {app} was written from a folder, of no commit; name a commit instead",
                entry.seq
            )
        });
    }
    if is_number(to) {
        bail!("the history of {app} has no entry {to}; `evenkeel history --app {app}` lists them");
    }
    let revision = url::revision(to).map_err(anyhow::Error::msg)?;
    // The clone that is kept knows the remote's branches by no name but one.
    let found = commits.ask(move |r| r.find(&revision)).await?;
    // One by its digits alone is perhaps one that no branch leads to any more.
    let Some(commit) = found.or_else(|| CommitId::parse(to)) else {
        bail!(
            "{to} is no commit of the repository and no entry of the history of {app}; `git log` \
             and `evenkeel history --app {app}` list them"
        );
    };
    // What the ledger names was in force. Of others only those were that the commit in force descends
    // from: a branch that nobody merged, reviewed or signed is not the way back to anything.
    let written = chain.entries.iter().any(|entry| match &entry.record {
        Record::Intent { commit: of, .. } => of.as_ref() == Some(&commit),
        Record::Outcome { .. } => false,
    });
    let Some(source) = source.filter(|source| source.branch.is_some() && !written) else {
        return Ok(commit);
    };
    let good = source.commit.clone().with_context(|| {
        format!(
            "no commit is in force, so nothing tells whether {} ever was; name an entry of the history of \
             {app}",
            commit.short()
        )
    })?;
    let (from, to) = (commit.clone(), good.clone());
    let ancestry = commits.ask(move |r| r.ancestry(Some(&to), &from)).await;
    let ancestry = ancestry.with_context(|| {
        format!(
            "whether commit {} was ever in force cannot be told; nothing was written",
            commit.short()
        )
    })?;
    ensure!(
        matches!(ancestry, Ancestry::Same | Ancestry::Older),
        "commit {} was never in force: {}, which is, does not descend from it; nothing was written. \
         `git log {}` and `evenkeel history --app {app}` list what was",
        commit.short(),
        good.short(),
        good.short()
    );
    Ok(commit)
}

fn is_number(text: &str) -> bool {
    (1..=NUMBER).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// The entry that `named` names: by its number, or by the first digits of its intent.
fn entry<'e>(entries: &'e [Entry], named: &str) -> Option<&'e Entry> {
    if is_number(named) {
        let seq: u64 = named.parse().ok()?;
        return entries.iter().find(|entry| entry.seq == seq);
    }
    if named.len() < LEAST {
        return None;
    }
    entries
        .iter()
        .find(|entry| matches!(&entry.record, Record::Intent { id, .. } if id.starts_with(named)))
}

/// The commit whose documents asked for what `entry` tells of.
fn commit_of(entries: &[Entry], entry: &Entry) -> Option<CommitId> {
    match &entry.record {
        Record::Intent { commit, .. } => commit.clone(),
        Record::Outcome { intent, .. } => entries.iter().find_map(|entry| match &entry.record {
            Record::Intent { id, commit, .. } if id == intent => commit.clone(),
            _ => None,
        }),
    }
}
