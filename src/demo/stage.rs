//! The stage: a twin with both applications out of order on a loopback port, and an engine that
//! reaches it as it would reach AWS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::estate;
use crate::aws::cell::Cell;
use crate::aws::door::Mode;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::entropy::Entropy;
use crate::store::{Protection, Store, StoreConfig, embedded};
use crate::twin::{Twin, server};

/// How long a rollout takes on the stage. At AWS it is minutes.
pub const ROLLOUT: Duration = Duration::from_secs(4);
/// How long a changed count takes to run there.
const COUNT_CHANGE: Duration = Duration::from_secs(1);
/// Credentials that open nothing but the twin.
pub const ACCESS_KEY: &str = "AKIADEMO";
/// The secret that goes with them.
pub const SECRET_KEY: &str = "demo";
/// The access key of somebody else, who works beside Evenkeel.
pub const OTHERS_KEY: &str = "AKIADANA";
/// The IAM user that it belongs to.
const OTHER: &str = "dana";
/// The twin's region.
pub const REGION: &str = "us-east-1";

/// A twin that is being served.
pub struct Served {
    /// The twin, to reach behind the API.
    pub twin: Twin,
    /// Where it listens.
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Served {
    /// Both applications out of order, on `address`; port 0 takes any free one.
    ///
    /// # Errors
    /// The address cannot be had, or the twin refuses its own estate.
    pub async fn start(address: SocketAddr, clock: Clock, seed: u64) -> anyhow::Result<Self> {
        let twin = Twin::new(clock, seed);
        twin.world(|world| {
            world.ecs.rollouts.duration = ROLLOUT;
            world.ecs.rollouts.count_change = COUNT_CHANGE;
            // At AWS it is minutes. Nobody waits for them on a stage.
            world.cloudtrail.delay = Duration::ZERO;
            let users = &mut world.cloudtrail.users;
            users.insert(OTHERS_KEY.to_owned(), OTHER.to_owned());
            estate::out_of_order(world)
        })
        .map_err(|error| anyhow!("the twin refuses the demo's own estate: {error:?}"))?;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("listening on {address}; name another with --listen"))?;
        let address = listener.local_addr().context("asking for our own port")?;
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(server::serve(twin.clone(), listener, async {
            // A dropped sender means the same.
            let _ = stopped.await;
        }));
        Ok(Self {
            twin,
            address,
            stop,
            server,
        })
    }

    /// `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers what is under way, and ends.
    ///
    /// # Errors
    /// The server had failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.server.await.context("the twin's server broke off")??;
        Ok(())
    }
}

/// An engine over a served twin, with a store in memory.
///
/// # Errors
/// The twin does not answer, or the store cannot be made.
pub async fn engine(served: &Served, clock: &Clock, entropy: &Entropy) -> anyhow::Result<Engine> {
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(served.url())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            ACCESS_KEY, SECRET_KEY, None, None, "demo",
        )))
        .sleep_impl(TokioSleep::new())
        .build();
    let http = aws_smithy_http_client::Builder::new().build_http();
    let cell = Cell::connect(&sdk, http, Mode::ReadWrite, clock.clone(), entropy.clone())
        .await
        .context("opening the twin as if it were AWS")?;
    let store = Store::new(StoreConfig {
        sdk,
        http: embedded::http_client(embedded::Engine::memory()?),
        table: "evenkeel".to_owned(),
        account: cell.account.clone(),
        region: cell.region.clone(),
        holder: "demo".to_owned(),
        clock: clock.clone(),
        entropy: entropy.clone(),
    });
    store.create_table(Protection::Embedded).await?;
    Ok(Engine::new(Arc::new(cell), Some(Arc::new(store))))
}
