//! The store: where leases, the ledger and conditions live. DynamoDB always, embedded on one machine.

pub mod embedded;

mod approvals;
mod call;
mod chain;
mod control;
mod drift;
mod error;
mod fence;
#[cfg(test)]
mod laws;
mod lease;
mod lease_row;
mod ledger;
mod memory;
mod process;
mod rows;
mod source;
mod status;
mod table;
pub mod watch;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::TransactWriteItem;
use aws_sdk_dynamodb::types::builders::TransactWriteItemBuilder;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::clock::Clock;
use crate::entropy::Entropy;

pub use call::STORE_TIMEOUT;
pub use chain::Chain;
pub use control::{ControlRows, Leashed};
pub use drift::Opened;
pub use error::StoreError;
pub use fence::Fence;
pub use lease::{AcquireError, Lease, LeaseError, Origin};
pub use ledger::{IntendError, Late, NewIntent, NewOutcome, SettleError};
pub use process::Process;
pub use rows::ROW_MAX;
pub use source::{PinRow, Sourced};
pub use status::Recorded;
pub use table::{Protection, Ready};
pub use watch::{LEASE_DURATION, LeaseRow, LeaseState, Patience};

/// What a store needs to know.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Region, credentials and endpoint of the store.
    pub sdk: aws_types::SdkConfig,
    /// The way out: the real one, or [`embedded::http_client`]. The store puts its door in front.
    pub http: SharedHttpClient,
    /// The table.
    pub table: String,
    /// The account that the applications live in, twelve digits.
    pub account: String,
    /// The region that the applications live in.
    pub region: String,
    /// Who we are, for people: `user@host/pid`.
    pub holder: String,
    /// Its time.
    pub clock: Clock,
    /// Its randomness.
    pub entropy: Entropy,
}

/// Leases, ledger, memory and conditions of the applications of one account and region.
#[derive(Debug)]
pub struct Store {
    table: call::Table,
    account: String,
    region: String,
    holder: String,
    /// This process, where the leases of those that ended on this machine are to be taken at once.
    process: Option<Process>,
    /// Apps whose `APP#` row is known to be there.
    indexed: Mutex<BTreeSet<String>>,
}

impl Store {
    /// A store; nothing is sent yet.
    pub fn new(config: StoreConfig) -> Self {
        let StoreConfig {
            sdk,
            http,
            table,
            account,
            region,
            holder,
            clock,
            entropy,
        } = config;
        Self {
            table: call::Table::new(&sdk, http, table, clock, entropy),
            account,
            region,
            holder,
            process: None,
            indexed: Mutex::default(),
        }
    }

    /// The same store, whose leases name this process: the lease of one that has ended on this
    /// machine is then taken over at once, without a lease duration of silence. For the embedded
    /// store, whose every user is on one machine; a copy of a running machine would be mistaken
    /// for the machine itself.
    #[must_use]
    pub fn on_this_machine(self) -> Self {
        Self {
            process: Process::this(),
            ..self
        }
    }

    /// The table's name.
    pub fn table(&self) -> &str {
        &self.table.name
    }

    /// The apps that have any row in this account and region, in order.
    ///
    /// # Errors
    /// The store's.
    pub async fn apps(&self) -> Result<Vec<String>, StoreError> {
        let items = self.table.rows_of(&self.estate(), rows::APP).await?;
        Ok(items
            .iter()
            .filter_map(|item| rows::text_of(item, "sk").ok()?.strip_prefix(rows::APP))
            .map(str::to_owned)
            .collect())
    }

    /// Makes sure that [`Store::apps`] lists the app; called before its first row is written.
    async fn index(&self, app: &str) -> Result<(), StoreError> {
        if self.indexed().contains(app) {
            return Ok(());
        }
        let pk = self.estate();
        let sk = format!("{}{app}", rows::APP);
        // One small read saves the write on every start but the first.
        if self.table.get(&pk, &sk).await?.is_none() {
            let item = rows::item(&pk, &sk, []);
            self.table.put(&format!("{pk} / {sk}"), item).await?;
        }
        self.indexed().insert(app.to_owned());
        Ok(())
    }

    fn indexed(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.indexed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn estate(&self) -> String {
        format!("{}#{}", self.account, self.region)
    }

    fn pk(&self, app: &str) -> String {
        format!("{}#{app}", self.estate())
    }

    fn app_of<'p>(&self, pk: &'p str) -> Option<&'p str> {
        pk.strip_prefix(&self.estate())?.strip_prefix('#')
    }

    /// One part of a transaction. Its builder fails only if a member that is always set is not.
    fn part<T>(
        &self,
        built: Result<T, BuildError>,
        add: impl FnOnce(TransactWriteItemBuilder, T) -> TransactWriteItemBuilder,
    ) -> Result<TransactWriteItem, StoreError> {
        match built {
            Ok(part) => Ok(add(TransactWriteItem::builder(), part).build()),
            Err(error) => Err(self
                .table
                .corrupt("a transaction", "a part", error.to_string())),
        }
    }
}
