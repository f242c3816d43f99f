//! `evenkeel run`: the controller.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::args::RunArgs;
use super::context::{Context, desired};
use super::exit::Exit;
use super::guard::Intent;
use super::log;
use super::scope::is_there;
use super::wanted::{Wanted, followed, git};
use crate::engine::commit_status::{All, StatusObserver};
use crate::engine::controller::{Observer, RunOptions, run as control};
use crate::engine::forge::Forge;
use crate::engine::git_source::Recording;
use crate::engine::http;
use crate::engine::telemetry::Telemetry;
use crate::engine::webhook::Webhook;
use crate::kinds::Allow;
use crate::notify::herald::Herald;
use crate::notify::outbox::Tally;

/// Longest time between looks, when nothing else says.
const INTERVAL: Duration = Duration::from_secs(60);

/// How long what is still to be told is tried when the process ends.
pub const LAST_NOTICES: Duration = Duration::from_secs(5);

/// Completes on SIGINT or SIGTERM.
///
/// # Errors
/// A signal handler that cannot be installed.
pub async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Runs until told to stop.
///
/// # Errors
/// Whatever keeps it from starting.
pub async fn run(settings: Option<&Path>, args: &RunArgs) -> anyhow::Result<Exit> {
    log::start(args.log)?;
    let intent = if args.aws.read_only {
        Intent::Look
    } else {
        Intent::Write
    };
    let context = Context::open(settings, &args.aws, intent).await?;
    let interval = args
        .interval
        .or(context.settings.interval)
        .unwrap_or(INTERVAL);
    let engine = &context.engine;
    let recording = match intent {
        Intent::Write => Recording::Yes,
        Intent::Look => Recording::No,
    };
    let wanted = Wanted::of(&args.folder, &context, recording)?;
    let telemetry = Arc::new(Telemetry::new(Arc::clone(&engine.cell)));
    let tally: Arc<dyn Tally> = Arc::clone(&telemetry) as Arc<dyn Tally>;
    let outbox = if args.aws.read_only {
        if !context.settings.notify.is_empty() {
            tracing::warn!(
                "no notices are sent in read-only mode: states are not recorded, so nobody could \
                 tell which have changed"
            );
        }
        context.outbox(std::iter::empty(), &tally)?
    } else {
        let settings = &context.settings;
        let receivers = settings.notify.iter().chain(&settings.change_notices);
        context.outbox(receivers.cloned(), &tally)?
    };
    let webhook = webhook(&context, args, &wanted)?;
    let forge = forge(&context, args)?;
    let listener = http::listen(args.listen).await?;
    let address = listener.local_addr().context("reading the address")?;
    tracing::info!(
        account = engine.cell.account,
        region = engine.cell.region,
        source = %wanted.shown().display(),
        %address,
        interval_s = interval.as_secs(),
        "running"
    );
    let scope = args.scope.scope();
    if let Wanted::Folder { path, .. } = &wanted {
        // No error here: the document may come with the next save.
        let now = desired(&args.folder, &context.settings);
        if let Err(error) = is_there(&scope, &now, path) {
            tracing::warn!("{error}; it is waited for");
        }
    }
    let mut followed = followed(wanted, engine.cell.clock.clone());
    let options = RunOptions {
        interval,
        scope,
        writes: super::plan::allow(!args.aws.read_only),
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let server = tokio::spawn(http::serve(
        listener,
        Arc::clone(&telemetry),
        interval,
        webhook,
        stop.clone().cancelled_owned(),
    ));
    let shutdown = async {
        if let Err(error) = stop_signal().await {
            tracing::error!(%error, "no signal can be heard; stopping");
        }
        tracing::info!("stopping: nothing new is begun; what was sent is seen through");
    };
    let status = Arc::new(StatusObserver::default());
    let mut observers: Vec<Arc<dyn Observer>> = vec![Arc::clone(&telemetry) as _];
    if forge.is_some() {
        observers.push(Arc::clone(&status) as _);
    }
    let observers = All(observers);
    {
        let herald = Herald::new(&outbox, &observers, &*telemetry, &engine.cell.clock);
        let controlling = control(engine, &mut *followed, &options, &herald, &herald, shutdown);
        let telling = async {
            match &forge {
                Some(forge) => status.tell(forge, &engine.cell.clock, &telemetry).await,
                None => std::future::pending().await,
            }
        };
        // Beside it, so that no correction waits for CloudTrail or a forge. What is not told when it
        // ends is told by the next one.
        tokio::select! {
            () = controlling => {}
            () = telling => {}
            never = engine.follow_trail(), if options.writes == Allow::Yes => match never {},
        }
    }
    stop.cancel();
    outbox.close(LAST_NOTICES, &engine.cell.clock).await;
    match server.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => bail!("serving on {address}: {error}"),
        Err(error) => bail!("serving on {address}: {error}"),
    }
    tracing::info!("stopped");
    Ok(Exit::Fine)
}

/// The address that the settings give to a forge, with its secret.
fn webhook(context: &Context, args: &RunArgs, wanted: &Wanted) -> anyhow::Result<Option<Webhook>> {
    let settings = git(&args.folder, &context.settings).and_then(|git| git.webhook.as_ref());
    let (Some(settings), Wanted::Git(source, _)) = (settings, wanted) else {
        return Ok(None);
    };
    let secret = settings.secret.read().and_then(|secret| {
        secret.is_hard_to_guess()?;
        Ok(secret)
    });
    Ok(Some(Webhook {
        path: settings.path.clone(),
        secret: secret
            .map_err(|why| anyhow::anyhow!("source: the secret of the webhook: {why}"))?,
        ask: source.ask(),
    }))
}

/// The forge that is told how commits stand, with its token.
fn forge(context: &Context, args: &RunArgs) -> anyhow::Result<Option<Forge>> {
    let settings = git(&args.folder, &context.settings).and_then(|git| git.status.as_ref());
    let Some(settings) = settings else {
        return Ok(None);
    };
    let token = settings.token.read();
    let token = token.map_err(|why| anyhow::anyhow!("source: the token of the status: {why}"))?;
    Ok(Some(Forge::new(
        settings.project.clone(),
        settings.api.clone(),
        token,
        settings.context.clone(),
    )))
}
