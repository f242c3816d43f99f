//! Leases: who may write an app, and until when.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, KeysAndAttributes, Put, TransactWriteItem, Update,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::call::{Before, Transacted, Written};
use super::error::StoreError;
use super::rows::{self, Item};
use super::watch::{self, LeaseRow, LeaseState, Patience, Verdict};

/// The right to write one app, as long as it lasts. Clones share it.
#[derive(Clone, Debug)]
pub struct Lease(Arc<Held>);

#[derive(Debug)]
struct Held {
    app: String,
    token: u64,
    grant: String,
    origin: Origin,
    state: Mutex<Belief>,
}

#[derive(Clone, Copy, Debug)]
struct Belief {
    /// When the newest renewal that is known to have happened was sent, on the boot clock.
    sent: Duration,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Ours,
    Gone,
}

/// How a lease was come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody held it.
    Free,
    /// Its holder had been silent for a lease duration. What it sent last may still arrive: wait one
    /// call timeout before reading.
    TakenOver {
        /// The silent one.
        from: String,
    },
}

impl Lease {
    /// The app.
    pub fn app(&self) -> &str {
        &self.0.app
    }

    /// The fencing token.
    pub fn token(&self) -> u64 {
        self.0.token
    }

    /// How it was come by.
    pub fn origin(&self) -> &Origin {
        &self.0.origin
    }

    /// When it ends, on the boot clock of [`crate::clock::Clock`], unless it is renewed. Zero once
    /// it is known to be lost or released.
    pub fn deadline(&self) -> Duration {
        let belief = self.belief();
        match belief.standing {
            Standing::Ours => watch::deadline(belief.sent),
            Standing::Gone => Duration::ZERO,
        }
    }

    fn belief(&self) -> Belief {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.belief().standing == Standing::Gone
    }

    pub(super) fn renewed(&self, sent: Duration) {
        let mut belief = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        belief.sent = belief.sent.max(sent);
    }

    pub(super) fn lose(&self) {
        let mut belief = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        belief.standing = Standing::Gone;
    }
}

/// Why a lease was not got.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AcquireError {
    /// Somebody holds it.
    #[error(
        "app {} is held by {} since {} (token {}); wait for it, or, if that process is gone for good, `evenkeel lock release {} --reason TEXT`",
        .0.app, .0.holder, .0.since, .0.token, .0.app
    )]
    Held(LeaseRow),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a lease was not renewed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LeaseError {
    /// It is another's now, or released.
    #[error("the lease is no longer ours; nothing more is written under it")]
    Lost,
    /// The store did not do it; the lease may still be ours until its deadline.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A lease that a person released, as the `FENCE#` row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The app.
    pub app: String,
    /// The token that was fenced off, where it could be read.
    pub fenced: Option<u64>,
    /// The token after it.
    pub token: u64,
    /// Who held it, where that could be read.
    pub holder: Option<String>,
    /// Who released it: `user@host/pid`.
    pub by: String,
    /// When, by that one's wall clock.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// What is added to the highest token that the chain knows when the lease row's own token cannot
/// be read: more grants than ever happen between two entries of a chain.
const CORRUPT_TOKEN_JUMP: u64 = 1_000_000;

/// Pause after a renewal that the store did not answer.
const RENEWAL_PAUSE: Duration = Duration::from_secs(1);

/// Most keys of one BatchGetItem (API model).
const BATCH: usize = 100;

const RENEWAL: &str = "SET #version = #version + :one, #renewed = :now";
const STILL_OURS: &str = "#token = :token AND #grant = :grant AND #state = :held";

impl Store {
    /// Takes the app's lease.
    ///
    /// With [`Patience::UntilDead`] a lease that somebody holds is watched for one
    /// [`watch::LEASE_DURATION`] on our own boot clock, and taken over if its row stood still.
    ///
    /// # Errors
    /// [`AcquireError::Held`] by a living holder, or by any when there is no patience.
    pub async fn acquire(&self, app: &str, patience: Patience) -> Result<Lease, AcquireError> {
        let mut sighting = None;
        loop {
            let row = self.lease_row(app).await?;
            if let Some(LeaseRow {
                state: LeaseState::Corrupt(why),
                ..
            }) = &row
            {
                let why = why.clone();
                return Err(self.table.corrupt(&self.pk(app), rows::LEASE, why).into());
            }
            let now = self.table.clock.boot();
            let origin = match (
                watch::judge(row.as_ref(), &mut sighting, now, patience),
                &row,
            ) {
                (Verdict::Held, Some(row)) => return Err(AcquireError::Held(row.clone())),
                (Verdict::Watch(wait), _) => {
                    self.table.clock.sleep(wait).await;
                    continue;
                }
                (Verdict::Dead, Some(row)) => Origin::TakenOver {
                    from: row.holder.clone(),
                },
                _ => Origin::Free,
            };
            if let Some(lease) = self.grant(app, row.as_ref(), origin).await? {
                return Ok(lease);
            }
            // Another was quicker; the next look says who.
        }
    }

    async fn grant(
        &self,
        app: &str,
        over: Option<&LeaseRow>,
        origin: Origin,
    ) -> Result<Option<Lease>, StoreError> {
        self.index(app).await?;
        let grant = self.table.entropy.id();
        let row = watch::granted(app, over, &self.holder, &grant, self.table.clock.now());
        let pk = self.pk(app);
        let item = encode(&pk, &row);
        let written = self
            .table
            .write_if("dynamodb.PutItem", &pk, || {
                let put = self
                    .table
                    .client
                    .put_item()
                    .table_name(&self.table.name)
                    .set_item(Some(item.clone()));
                match over {
                    None => put
                        .condition_expression("attribute_not_exists(#pk)")
                        .expression_attribute_names("#pk", "pk"),
                    Some(over) => put
                        .condition_expression("#token = :token AND #version = :version")
                        .expression_attribute_names("#token", "token")
                        .expression_attribute_names("#version", "version")
                        .expression_attribute_values(":token", rows::number(over.token))
                        .expression_attribute_values(":version", rows::number(over.version)),
                }
                .send()
            })
            .await?;
        let sent = match written {
            Written::Done(sent) => sent,
            Written::Refused(Before::Nothing) => return Ok(None),
            // The refusal may be the echo of our own success: the row says whose grant it is.
            Written::Refused(Before::LostAnswer(sent)) => match self.lease_row(app).await? {
                Some(now) if now.grant == grant && now.state == LeaseState::Held => sent,
                _ => return Ok(None),
            },
        };
        Ok(Some(Lease(Arc::new(Held {
            app: app.to_owned(),
            token: row.token,
            grant,
            origin,
            state: Mutex::new(Belief {
                sent,
                standing: Standing::Ours,
            }),
        }))))
    }

    /// Renews the lease; its deadline then counts from before the call.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when it is another's or released; recorded on the lease.
    pub async fn renew(&self, lease: &Lease) -> Result<(), LeaseError> {
        if lease.is_gone() {
            return Err(LeaseError::Lost);
        }
        let pk = self.pk(lease.app());
        let written = self
            .table
            .write_if("dynamodb.UpdateItem", &pk, || {
                self.table
                    .client
                    .update_item()
                    .table_name(&self.table.name)
                    .key("pk", rows::text(&pk))
                    .key("sk", rows::text(rows::LEASE))
                    .update_expression(RENEWAL)
                    .condition_expression(STILL_OURS)
                    .set_expression_attribute_names(Some(names(&[
                        "token", "grant", "state", "version", "renewed",
                    ])))
                    .set_expression_attribute_values(Some(self.ours(lease, Write::Renewal)))
                    .send()
            })
            .await?;
        match written {
            Written::Done(sent) => {
                lease.renewed(sent);
                Ok(())
            }
            // A renewal asks for the token, not for the version, so its echo never refuses it.
            Written::Refused(_) => {
                lease.lose();
                Err(LeaseError::Lost)
            }
        }
    }

    /// Gives the lease back. Terminal: no renewal, intent or memory of its token succeeds
    /// afterwards. A lease that is no longer ours counts as given back.
    ///
    /// # Errors
    /// The store's; the lease then runs out by itself.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        lease.lose();
        let pk = self.pk(lease.app());
        let mut values = self.ours(lease, Write::Renewal);
        values.insert(":released".to_owned(), rows::text(RELEASED));
        self.table
            .write_if("dynamodb.UpdateItem", &pk, || {
                self.table
                    .client
                    .update_item()
                    .table_name(&self.table.name)
                    .key("pk", rows::text(&pk))
                    .key("sk", rows::text(rows::LEASE))
                    .update_expression(
                        "SET #version = #version + :one, #renewed = :now, #since = :now, #state = :released",
                    )
                    .condition_expression(STILL_OURS)
                    .set_expression_attribute_names(Some(names(&[
                        "token", "grant", "state", "version", "renewed", "since",
                    ])))
                    .set_expression_attribute_values(Some(values.clone()))
                    .send()
            })
            .await
            .map(|_| ())
    }

    /// Polls `work` and renews the lease every third of its duration beside it, in the same task. A
    /// lost lease is recorded on the lease and stops the renewing, not the work: its deadline has
    /// passed, so the ledger and the door refuse what comes after.
    pub async fn keep<T>(&self, lease: &Lease, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut beat = pin!(self.heartbeat(lease));
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = &mut beat => {}
        }
        work.await
    }

    /// Ends when the lease is lost.
    async fn heartbeat(&self, lease: &Lease) {
        let clock = &self.table.clock;
        loop {
            let due = watch::renewal_due(lease.belief().sent);
            let now = clock.boot();
            if now < due {
                // An intent may renew it meanwhile: then the next look says to wait on.
                clock.sleep(due - now).await;
                continue;
            }
            match self.renew(lease).await {
                Ok(()) => {}
                Err(LeaseError::Lost) => return,
                Err(LeaseError::Store(error)) => {
                    tracing::warn!(app = lease.app(), %error, "renewing the lease");
                    clock.sleep(RENEWAL_PAUSE).await;
                }
            }
        }
    }

    /// The lease rows of `apps`, in their order; apps that were never leased are left out.
    ///
    /// # Errors
    /// The store's. A row that cannot be read is [`LeaseState::Corrupt`], not an error.
    pub async fn leases(&self, apps: &[String]) -> Result<Vec<LeaseRow>, StoreError> {
        let mut found: Vec<LeaseRow> = Vec::new();
        for batch in apps.chunks(BATCH) {
            let mut keys: Vec<Item> = batch
                .iter()
                .map(|app| rows::item(&self.pk(app), rows::LEASE, []))
                .collect();
            let mut attempt = 0;
            while !keys.is_empty() {
                let mut answer = self
                    .table
                    .repeat("dynamodb.BatchGetItem", rows::LEASE, || async {
                        let request = KeysAndAttributes::builder()
                            .set_keys(Some(keys.clone()))
                            .consistent_read(true)
                            .build()?;
                        self.table
                            .client
                            .batch_get_item()
                            .request_items(&self.table.name, request)
                            .send()
                            .await
                    })
                    .await?;
                let items = answer
                    .responses
                    .as_mut()
                    .and_then(|r| r.remove(&self.table.name))
                    .unwrap_or_default();
                found.extend(items.iter().filter_map(|item| {
                    let pk = rows::text_of(item, "pk").ok()?;
                    Some(decode(self.app_of(pk)?, item))
                }));
                keys = answer
                    .unprocessed_keys
                    .and_then(|mut u| u.remove(&self.table.name))
                    .map(|k| k.keys)
                    .unwrap_or_default();
                if !keys.is_empty() {
                    attempt += 1;
                    self.table.pause(attempt).await;
                }
            }
        }
        found.sort_by_key(|row| apps.iter().position(|app| *app == row.app));
        Ok(found)
    }

    /// Takes the lease from whoever holds it, for a person who gives a reason: the token grows, so
    /// nothing of the old holder gets into the ledger any more. What it has sent to AWS already
    /// still arrives. Works on a row that cannot be read, too.
    ///
    /// # Errors
    /// The store's, and [`StoreError::NoLease`].
    pub async fn force_release(&self, app: &str, reason: &str) -> Result<LeaseRow, StoreError> {
        let pk = self.pk(app);
        for attempt in 1..=super::call::ATTEMPTS {
            let Some(item) = self.table.get(&pk, rows::LEASE).await? else {
                return Err(StoreError::NoLease {
                    table: self.table.name.clone(),
                    app: app.to_owned(),
                });
            };
            let old = decode(app, &item);
            // Each number may be readable though the row as a whole is not.
            let fenced = rows::number_of(&item, "token").ok();
            let token = match fenced {
                Some(token) => token + 1,
                None => self.highest_token(app).await? + CORRUPT_TOKEN_JUMP,
            };
            let now = self.table.clock.now();
            let row = LeaseRow {
                token,
                version: rows::number_of(&item, "version").unwrap_or(token) + 1,
                state: LeaseState::Released,
                since: now,
                renewed: now,
                reason: Some(reason.to_owned()),
                ..old
            };
            let fence = Fence {
                app: app.to_owned(),
                fenced,
                token,
                holder: rows::text_of(&item, "holder").ok().map(str::to_owned),
                by: self.holder.clone(),
                at: now,
                reason: reason.to_owned(),
            };
            if self.put_fence(&pk, &item, &row, &fence).await? {
                return Ok(row);
            }
            self.table.pause(attempt).await;
        }
        Err(self.table.contended(&pk, rows::LEASE))
    }

    /// Whether the row was as it had been read, and is now `row`.
    async fn put_fence(
        &self,
        pk: &str,
        read: &Item,
        row: &LeaseRow,
        fence: &Fence,
    ) -> Result<bool, StoreError> {
        let sk = rows::numbered(rows::FENCE, fence.token);
        let body = self.table.json(pk, &sk, fence)?;
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(encode(pk, row)));
        // Only the token has to be as it was read: a heartbeat in between changes nothing.
        let put = match super::call::value(read, "token") {
            Some(token) => put
                .condition_expression("#token = :token")
                .expression_attribute_names("#token", "token")
                .expression_attribute_values(":token", token),
            None => put
                .condition_expression("attribute_not_exists(#token)")
                .expression_attribute_names("#token", "token"),
        };
        let record = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(rows::item(pk, &sk, [(rows::BODY, rows::text(body))])));
        let items = [
            self.part(put.build(), |p, b| p.put(b))?,
            self.part(record.build(), |p, b| p.put(b))?,
        ];
        let token = self.table.entropy.id();
        Ok(match self.table.transact(pk, &token, &items).await? {
            Transacted::Done(_) => true,
            Transacted::Cancelled(..) => match self.lease_row(&fence.app).await? {
                Some(now) => now == *row,
                None => false,
            },
        })
    }

    /// The leases of the app that people released, oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn fences(&self, app: &str) -> Result<Vec<Fence>, StoreError> {
        let pk = self.pk(app);
        let items = self.table.rows_of(&pk, rows::FENCE).await?;
        items
            .iter()
            .map(|item| {
                rows::json_of(item, rows::BODY)
                    .map_err(|why| self.table.corrupt(&pk, rows::FENCE, why))
            })
            .collect()
    }

    pub(super) async fn lease_row(&self, app: &str) -> Result<Option<LeaseRow>, StoreError> {
        let item = self.table.get(&self.pk(app), rows::LEASE).await?;
        Ok(item.map(|item| decode(app, &item)))
    }

    /// The part of a transaction that renews the lease if it is ours.
    pub(super) fn renewal(&self, lease: &Lease) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table.name)
            .key("pk", rows::text(self.pk(lease.app())))
            .key("sk", rows::text(rows::LEASE))
            .update_expression(RENEWAL)
            .condition_expression(STILL_OURS)
            .set_expression_attribute_names(Some(names(&[
                "token", "grant", "state", "version", "renewed",
            ])))
            .set_expression_attribute_values(Some(self.ours(lease, Write::Renewal)))
            .build();
        self.part(update, |p, b| p.update(b))
    }

    /// The part of a transaction that asks whether the lease is ours.
    pub(super) fn ownership(&self, lease: &Lease) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table.name)
            .key("pk", rows::text(self.pk(lease.app())))
            .key("sk", rows::text(rows::LEASE))
            .condition_expression(STILL_OURS)
            .set_expression_attribute_names(Some(names(&["token", "grant", "state"])))
            .set_expression_attribute_values(Some(self.ours(lease, Write::None)))
            .build();
        self.part(check, |p, b| p.condition_check(b))
    }

    fn ours(&self, lease: &Lease, write: Write) -> Item {
        let mut values = Item::from([
            (":token".to_owned(), rows::number(lease.token())),
            (":grant".to_owned(), rows::text(&lease.0.grant)),
            (":held".to_owned(), rows::text(HELD)),
        ]);
        if write == Write::Renewal {
            values.insert(":one".to_owned(), rows::number(1));
            values.insert(
                ":now".to_owned(),
                rows::text(self.table.clock.now().to_string()),
            );
        }
        values
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    None,
    Renewal,
}

const HELD: &str = "Held";
const RELEASED: &str = "Released";

/// `#name` for each name: many of ours are reserved words of DynamoDB.
fn names(names: &[&str]) -> std::collections::HashMap<String, String> {
    names
        .iter()
        .map(|name| (format!("#{name}"), (*name).to_owned()))
        .collect()
}

fn encode(pk: &str, row: &LeaseRow) -> Item {
    let state = match row.state {
        LeaseState::Held => HELD,
        LeaseState::Released | LeaseState::Corrupt(_) => RELEASED,
    };
    let mut item = rows::item(
        pk,
        rows::LEASE,
        [
            ("holder", rows::text(&row.holder)),
            ("token", rows::number(row.token)),
            ("version", rows::number(row.version)),
            ("state", rows::text(state)),
            ("since", rows::text(row.since.to_string())),
            ("renewed", rows::text(row.renewed.to_string())),
            ("grant", rows::text(&row.grant)),
        ],
    );
    if let Some(reason) = &row.reason {
        item.insert("reason".to_owned(), AttributeValue::S(reason.clone()));
    }
    item
}

/// A row that cannot be read is a row all the same: what can be read of it is kept.
fn decode(app: &str, item: &Item) -> LeaseRow {
    let time = |name: &str| -> Result<Timestamp, String> {
        rows::text_of(item, name)?
            .parse()
            .map_err(|_| format!("{name} is not a time"))
    };
    let words = |name: &str| rows::text_of(item, name).map(str::to_owned);
    let state = match rows::text_of(item, "state") {
        Ok(HELD) => Ok(LeaseState::Held),
        Ok(RELEASED) => Ok(LeaseState::Released),
        Ok(other) => Err(format!("state {other:?} is neither {HELD} nor {RELEASED}")),
        Err(why) => Err(why),
    };
    let fault = [
        words("holder").err(),
        words("grant").err(),
        rows::number_of(item, "token").err(),
        rows::number_of(item, "version").err(),
        time("since").err(),
        time("renewed").err(),
    ]
    .into_iter()
    .flatten()
    .next();
    LeaseRow {
        app: app.to_owned(),
        holder: words("holder").unwrap_or_default(),
        token: rows::number_of(item, "token").unwrap_or_default(),
        version: rows::number_of(item, "version").unwrap_or_default(),
        state: match (state, fault) {
            (Ok(state), None) => state,
            (Err(why), _) | (_, Some(why)) => LeaseState::Corrupt(why),
        },
        since: time("since").unwrap_or(Timestamp::UNIX_EPOCH),
        renewed: time("renewed").unwrap_or(Timestamp::UNIX_EPOCH),
        grant: words("grant").unwrap_or_default(),
        reason: words("reason").ok(),
    }
}
