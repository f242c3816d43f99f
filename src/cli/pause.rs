//! `evenkeel pause`, `resume` and `pauses`: a person's word that nothing is written for a while.

use std::path::Path;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;

use super::args::{AwsArgs, Format, FormatArgs};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use crate::control::document::span;
use crate::control::pause::{PAUSE_MAX, Pause, Resumed};
use crate::kinds::{KINDS, kind};
use crate::model::key::is_label;
use crate::render::{control as render, json};

/// `pause`.
#[derive(Args, Debug)]
pub struct PauseArgs {
    /// Which app.
    #[arg(value_parser = app)]
    pub app: String,
    /// Only this object of it.
    #[arg(long, value_name = "KIND/NAME", value_parser = object)]
    pub object: Option<String>,
    /// How long: 30m, 2h, 7d at most. It ends by itself.
    #[arg(long = "for", value_name = "TIME", value_parser = lasts)]
    pub lasts: Duration,
    /// Why; everybody who waits reads it.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `resume`.
#[derive(Args, Debug)]
pub struct ResumeArgs {
    /// Which app.
    #[arg(value_parser = app)]
    pub app: String,
    /// Only this object of it.
    #[arg(long, value_name = "KIND/NAME", value_parser = object)]
    pub object: Option<String>,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

/// `pauses`.
#[derive(Args, Debug)]
pub struct PausesArgs {
    /// How.
    #[command(flatten)]
    pub format: FormatArgs,
    /// Through which door.
    #[command(flatten)]
    pub aws: AwsArgs,
}

fn lasts(text: &str) -> Result<Duration, String> {
    span(text, PAUSE_MAX.as_secs())
        .map(Duration::from_secs)
        .map_err(|what| {
            format!("{what}; what is to stand still for longer belongs into the app's Policy")
        })
}

fn app(text: &str) -> Result<String, String> {
    if is_label(text) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is no app; write its name, as in metadata.app"
    ))
}

fn object(text: &str) -> Result<String, String> {
    let names: Vec<&str> = KINDS.iter().map(|k| k.name()).collect();
    match text.split_once('/') {
        Some((of, name)) if kind(of).is_some() && is_label(name) => Ok(text.to_owned()),
        _ => Err(format!(
            "write KIND/NAME, such as Service/web; the kinds are {}",
            names.join(", ")
        )),
    }
}

/// Runs `pause`.
///
/// # Errors
/// A store that cannot be written.
pub async fn run(settings: Option<&Path>, args: &PauseArgs) -> anyhow::Result<Exit> {
    ensure!(
        !args.reason.trim().is_empty(),
        "--reason says nothing; it is what those read who wait"
    );
    ensure!(
        !args.aws.read_only,
        "pausing writes to the store, and --read-only forbids it"
    );
    let context = Context::open(settings, &args.aws, Intent::Write).await?;
    let now = context.engine.cell.clock.now();
    let pause = Pause {
        app: args.app.clone(),
        object: args.object.clone(),
        until: now + args.lasts,
        reason: args.reason.clone(),
        by: context.caller()?.to_owned(),
        at: now,
        resumed: None,
    };
    let store = context.store()?;
    // Whoever paused it relies on it.
    let standing = store.pauses(&args.app).await?;
    let longer = standing
        .iter()
        .find(|p| p.object == pause.object && p.is_on(now) && p.until > pause.until);
    if let Some(longer) = longer {
        let object = args.object.as_ref();
        bail!(
            "{longer}; yours would end sooner, and take its place. Nothing was changed: pause for \
             longer, or end that one first with `evenkeel resume {}{}`",
            args.app,
            object.map_or_else(String::new, |o| format!(" --object {o}"))
        );
    }
    // A slip of the hand would pause nothing, and nobody would know.
    let known = store.apps().await?;
    let objects = store.statuses(&args.app).await?;
    if let Some(object) = &args.object
        && known.contains(&args.app)
        && !objects
            .keys()
            .any(|key| format!("{}/{}", key.kind, key.name) == *object)
    {
        anstream::eprintln!(
            "note: no {object} of {} is known to the store yet; see that the name is right",
            args.app
        );
    }
    if !known.contains(&args.app) {
        anstream::eprintln!(
            "note: no app {:?} is known to the store yet; see that the name is right",
            args.app
        );
    }
    store.put_pause(&pause).await?;
    print(&render::paused(&pause))?;
    Ok(Exit::Fine)
}

/// Runs `resume`.
///
/// # Errors
/// There is no such pause; a store that cannot be written.
pub async fn resume(settings: Option<&Path>, args: &ResumeArgs) -> anyhow::Result<Exit> {
    ensure!(
        !args.aws.read_only,
        "resuming writes to the store, and --read-only forbids it"
    );
    let context = Context::open(settings, &args.aws, Intent::Write).await?;
    let now = context.engine.cell.clock.now();
    let store = context.store()?;
    let pauses = store.pauses(&args.app).await?;
    let on = |pause: &&Pause| pause.object == args.object && pause.is_on(now);
    let Some(pause) = pauses.iter().find(on) else {
        let others: Vec<String> = pauses
            .iter()
            .filter(|pause| pause.is_on(now))
            .map(|pause| format!("  {pause}"))
            .collect();
        if others.is_empty() {
            bail!("nothing of {} is paused", args.app);
        }
        bail!("that is not paused; paused are:\n{}", others.join("\n"));
    };
    let pause = Pause {
        resumed: Some(Resumed {
            by: context.caller()?.to_owned(),
            at: now,
        }),
        ..pause.clone()
    };
    store.put_pause(&pause).await?;
    print(&render::resumed(&pause))?;
    Ok(Exit::Fine)
}

/// Runs `pauses`.
///
/// # Errors
/// A store that cannot be read.
pub async fn list(settings: Option<&Path>, args: &PausesArgs) -> anyhow::Result<Exit> {
    let context = Context::open(settings, &args.aws, Intent::Look).await?;
    let now = context.engine.cell.clock.now();
    let mut pauses = Vec::new();
    for (app, rows) in context.store()?.control_rows().await? {
        if let Some(why) = rows.unread {
            bail!("the pauses of {app}: {why}");
        }
        pauses.extend(rows.pauses);
    }
    print(&match args.format.format {
        Format::Text => render::pauses(&pauses, now),
        Format::Markdown => render::pauses_markdown(&pauses, now),
        Format::Json => json::text(&serde_json::json!({"version": 1, "pauses": pauses})),
    })?;
    Ok(Exit::Fine)
}
