//! `evenkeel run`: the controller.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use super::args::RunArgs;
use super::context::{Context, desired, environment};
use super::exit::Exit;
use super::guard::Intent;
use super::log;
use super::scope::is_there;
use crate::engine::controller::{RunOptions, run as control};
use crate::engine::desired::Folder;
use crate::engine::http;
use crate::engine::telemetry::Telemetry;
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
    let listener = http::listen(args.listen).await?;
    let address = listener.local_addr().context("reading the address")?;
    tracing::info!(
        account = engine.cell.account,
        region = engine.cell.region,
        folder = %args.folder.path.display(),
        %address,
        interval_s = interval.as_secs(),
        "running"
    );
    let mut folder = Folder::open(&args.folder.path, engine.cell.clock.clone())
        .of(environment(&args.folder, &context.settings));
    let scope = args.scope.scope();
    // No error here: the document may come with the next save.
    if let Err(error) = is_there(
        &scope,
        &desired(&args.folder, &context.settings),
        &args.folder.path,
    ) {
        tracing::warn!("{error}; it is waited for");
    }
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
        stop.clone().cancelled_owned(),
    ));
    let shutdown = async {
        if let Err(error) = stop_signal().await {
            tracing::error!(%error, "no signal can be heard; stopping");
        }
        tracing::info!("stopping: nothing new is begun; what was sent is seen through");
    };
    {
        let herald = Herald::new(&outbox, &*telemetry, &*telemetry, &engine.cell.clock);
        let controlling = control(engine, &mut folder, &options, &herald, &herald, shutdown);
        tokio::select! {
            () = controlling => {}
            // Beside it, so that no correction waits for CloudTrail.
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
