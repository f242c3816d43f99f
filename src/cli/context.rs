//! The context: an engine in the right account, behind the guard, with its store.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};

use super::args::{AwsArgs, FolderArgs};
use super::guard::{self, Intent};
use super::settings::{self, Presence, SETTINGS_FILE, Settings};
use super::store_spec::{EMBEDDED_FILE, StoreSpec};
use crate::aws::cell::{Cell, ConnectError};
use crate::aws::door::Mode;
use crate::aws::session::{self, Reach, Session, Wish};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::engine::desired::load_in;
use crate::entropy::Entropy;
use crate::model::document::DesiredSet;
use crate::notify::message::From;
use crate::notify::outbox::{Outbox, Tally};
use crate::notify::receiver::Receiver;
use crate::notify::send::{self, Ways};
use crate::store::embedded;
use crate::store::{Protection, Ready, Store, StoreConfig};

/// Table name inside an embedded file.
const EMBEDDED_TABLE: &str = "evenkeel";

/// All that a command which talks to AWS needs.
pub struct Context {
    /// The engine, with its cell, and its store if there is one.
    pub engine: Engine,
    /// The settings.
    pub settings: Settings,
    /// The store, as it was named or defaulted.
    pub spec: Option<StoreSpec>,
    /// How receivers of notices are reached.
    pub ways: Ways,
}

/// The settings in `file`, or in the default file if it is there.
///
/// # Errors
/// A file that cannot be read or used.
pub fn settings(file: Option<&Path>) -> anyhow::Result<Settings> {
    Ok(match file {
        Some(file) => settings::read(file, Presence::Required)?,
        None => settings::read(Path::new(SETTINGS_FILE), Presence::Optional)?,
    })
}

/// The documents of `folder`, with the values of the environment that was chosen there or in the
/// settings.
pub fn desired(folder: &FolderArgs, settings: &Settings) -> DesiredSet {
    load_in(folder.path(), environment(folder, settings))
}

/// The environment that was chosen.
pub fn environment<'a>(folder: &'a FolderArgs, settings: &'a Settings) -> Option<&'a str> {
    let named = folder.environment.as_deref();
    named.or(settings.environment.as_deref())
}

impl Context {
    /// Opens it: settings, session, identity, guard, store, in this order. Nothing but the
    /// caller's identity is read before the guard has spoken.
    ///
    /// # Errors
    /// Whatever stands in the way, with what to do.
    pub async fn open(
        file: Option<&Path>,
        aws: &AwsArgs,
        intent: Intent,
    ) -> anyhow::Result<Context> {
        let settings = settings(file)?;
        let wish = Wish {
            endpoint_url: aws.endpoint_url.clone(),
            region: aws.region.clone(),
            region_else: settings.region.clone(),
            profile: aws.profile.clone(),
        };
        let clock = Clock::system();
        let session = session::open(&wish, &clock).await?;
        let mode = match (aws.read_only, intent) {
            (false, Intent::Write) => Mode::ReadWrite,
            _ => Mode::ReadOnly,
        };
        let entropy = Entropy::system();
        let cell = Cell::connect(&session.sdk, session.http.clone(), mode, clock, entropy)
            .await
            .map_err(|error| at_its_endpoint(error, session::identity_host(&session.sdk)))?;
        guard::check(
            &settings,
            &cell.account,
            &cell.region,
            session.reach,
            intent,
        )?;
        let spec = store_spec(aws, &settings, session.reach);
        let store = match &spec {
            Some(spec) => Some(Arc::new(open_store(spec, &session, &cell, intent).await?)),
            None if intent == Intent::Write => bail!(
                "no store is named, and without one nothing can be written: leases and ledger \
                 live there. Use --store dynamodb:TABLE, or `store: dynamodb:TABLE` in \
                 evenkeel.yaml; --store embedded is for one machine only"
            ),
            None => None,
        };
        let ways = Ways {
            sdk: session.sdk.clone(),
            http: session.http.clone(),
            web: send::web(),
            clock: cell.clock.clone(),
            from: From {
                account: cell.account.clone(),
                region: cell.region.clone(),
                replica: holder(),
            },
        };
        Ok(Context {
            ways,
            engine: Engine::new(Arc::new(cell), store)
                .under(settings.ceiling.clone().unwrap_or_default()),
            settings,
            spec,
        })
    }

    /// The queues of `receivers`, with their senders at work.
    ///
    /// # Errors
    /// A receiver whose URL is not where the settings say.
    pub fn outbox(
        &self,
        receivers: impl Iterator<Item = Receiver>,
        tally: &Arc<dyn Tally>,
    ) -> anyhow::Result<Outbox> {
        let reached = receivers
            .map(|receiver| {
                let way = send::way(&receiver, &self.ways)?;
                Ok((receiver, way))
            })
            .collect::<Result<Vec<_>, send::BadReceiver>>()?;
        let cell = &self.engine.cell;
        Ok(Outbox::start(reached, tally, &cell.clock, &cell.entropy))
    }

    /// The store.
    ///
    /// # Errors
    /// None is named.
    pub fn store(&self) -> anyhow::Result<&Store> {
        self.engine.store.as_deref().context(
            "no store is named; use --store dynamodb:TABLE or --store embedded[:FILE], or \
             `store:` in evenkeel.yaml",
        )
    }

    /// Who calls, by AWS's word: the name in which a person's decision is recorded.
    ///
    /// # Errors
    /// AWS did not say.
    pub fn caller(&self) -> anyhow::Result<&str> {
        let caller = &self.engine.cell.caller;
        ensure!(
            !caller.is_empty(),
            "AWS did not say who is calling, so nothing can be recorded in their name"
        );
        Ok(caller)
    }
}

/// `error`, with the endpoint that was set in place of AWS's own: a closed one is a typing error more often than not.
fn at_its_endpoint(error: ConnectError, host: Option<String>) -> anyhow::Error {
    match (&error, host) {
        (ConnectError::Identity(_), Some(host)) => anyhow::anyhow!(
            "{error}; it was asked at {host}, as AWS_ENDPOINT_URL, --endpoint-url or the profile says"
        ),
        _ => error.into(),
    }
}

/// The store that is meant: as typed, as set, or on loopback the embedded one.
fn store_spec(aws: &AwsArgs, settings: &Settings, reach: Reach) -> Option<StoreSpec> {
    let named = aws.store.clone().or_else(|| settings.store.clone());
    if let (Some(StoreSpec::Embedded(file)), Reach::Network) = (&named, reach) {
        anstream::eprintln!(
            "note: the store is {}: only this machine sees its locks; elsewhere use dynamodb:TABLE",
            file.display()
        );
    }
    match reach {
        Reach::Loopback => named.or_else(|| Some(StoreSpec::Embedded(EMBEDDED_FILE.into()))),
        Reach::Network => named,
    }
}

async fn open_store(
    spec: &StoreSpec,
    session: &Session,
    cell: &Cell,
    intent: Intent,
) -> anyhow::Result<Store> {
    let (http, table, embedded) = match spec {
        StoreSpec::Embedded(file) => {
            let engine = open_embedded(file, intent)?;
            (embedded::http_client(engine), EMBEDDED_TABLE, true)
        }
        StoreSpec::DynamoDb(table) => (session.http.clone(), table.as_str(), false),
    };
    let store = Store::new(StoreConfig {
        sdk: session.sdk.clone(),
        http,
        table: table.to_owned(),
        account: cell.account.clone(),
        region: cell.region.clone(),
        holder: holder(),
        clock: cell.clock.clone(),
        entropy: cell.entropy.clone(),
    });
    if embedded {
        store.create_table(Protection::Embedded).await?;
        return Ok(store.on_this_machine());
    }
    if store.ready().await? == Ready::Missing {
        bail!(
            "the store's table {table} does not exist in {}; create it with `evenkeel store \
             create --store {spec}`",
            cell.region
        );
    }
    Ok(store)
}

/// A look leaves no file behind: with no file there is no history, and that is the truth.
fn open_embedded(file: &Path, intent: Intent) -> anyhow::Result<embedded::Engine> {
    if intent == Intent::Look && !file.exists() {
        return Ok(embedded::Engine::memory()?);
    }
    Ok(embedded::Engine::open(file)?)
}

/// Who we are, for people: `user@host/pid`.
pub fn holder() -> String {
    let user = ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| format!("uid{}", rustix::process::getuid().as_raw()));
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy().into_owned();
    format!("{user}@{host}/{}", std::process::id())
}
