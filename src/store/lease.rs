//! Leases: who may write an app, and until when.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::types::Put;

use super::Store;
use super::call::{Before, Transacted, Written};
use super::error::StoreError;
use super::lease_row::{RELEASED, RENEWAL, STILL_OURS, Write, encode, names};
use super::process::Life;
use super::rows;
use super::watch::{self, LeaseRow, LeaseState, Patience, Verdict};
use crate::model::chain::Head;
use crate::model::entry::Entry;

/// The right to write one app, as long as it lasts. Clones share it.
#[derive(Clone, Debug)]
pub struct Lease(Arc<Held>);

#[derive(Debug)]
struct Held {
    app: String,
    token: u64,
    grant: String,
    origin: Origin,
    quiet_since: Duration,
    state: Mutex<Belief>,
    /// Where the app's chain ended when we added to it last, unless somebody took that already. A guess
    /// that saves a reading: whoever adds to the chain names its end as a condition.
    end: Mutex<Option<Head>>,
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
    /// Its holder had ended, or been silent for a lease duration. What it sent last may still arrive: wait one
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

    /// Since when, on our own boot clock, nothing has been recorded under an older lease: no later
    /// than the grant, and a lease duration before it if the row had stood still so long.
    pub fn quiet_since(&self) -> Duration {
        self.0.quiet_since
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

    /// What makes this grant different from every other.
    pub(super) fn grant(&self) -> &str {
        &self.0.grant
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

    /// Takes what is known of the end of the app's chain.
    pub(super) fn take_end(&self) -> Option<Head> {
        let mut end = self.0.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.take()
    }

    /// Takes note that `entry` was added to the app's chain.
    pub(super) fn added(&self, entry: &Entry) {
        let mut end = self.0.end.lock().unwrap_or_else(PoisonError::into_inner);
        *end = Some(Head {
            seq: entry.seq,
            hash: entry.hash.clone(),
        });
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
        .0.app, .0.holder, .0.since.strftime("%Y-%m-%d %H:%M:%SZ"), .0.token, .0.app
    )]
    Held(LeaseRow),
    /// The caller was told to stop while it waited for another's lease.
    #[error("stopped while another process held the lease; nothing was written")]
    Stopped,
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

/// Pause after a renewal that the store did not answer.
const RENEWAL_PAUSE: Duration = Duration::from_secs(1);

impl Store {
    /// Takes the app's lease.
    ///
    /// With [`Patience::UntilDead`] a lease that somebody holds is watched for one
    /// [`watch::LEASE_DURATION`] on our own boot clock, and taken over if its row stood still. One
    /// whose holder is known to have ended (see [`Store::on_this_machine`]) is taken at once.
    ///
    /// # Errors
    /// [`AcquireError::Held`] by a living holder, or by any when there is no patience.
    pub async fn acquire(&self, app: &str, patience: Patience) -> Result<Lease, AcquireError> {
        self.acquire_unless(app, patience, std::future::pending())
            .await
    }

    /// The same, unless `stop` completes while a holder is watched. A grant that is on its way is
    /// seen through, so that no lease is left behind that nobody knows of.
    ///
    /// # Errors
    /// As [`Store::acquire`]'s, and [`AcquireError::Stopped`].
    pub async fn acquire_unless(
        &self,
        app: &str,
        patience: Patience,
        stop: impl Future<Output = ()>,
    ) -> Result<Lease, AcquireError> {
        let mut stop = pin!(stop);
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
            let ended = row.as_ref().is_some_and(|row| self.holder_ended(row));
            let verdict = if ended {
                Verdict::Dead
            } else {
                watch::judge(row.as_ref(), &mut sighting, now, patience)
            };
            let origin = match (verdict, &row) {
                (Verdict::Held, Some(row)) => return Err(AcquireError::Held(row.clone())),
                (Verdict::Watch(wait), _) => {
                    tokio::select! {
                        biased;
                        () = &mut stop => return Err(AcquireError::Stopped),
                        () = self.table.clock.sleep(wait) => continue,
                    }
                }
                (Verdict::Dead, Some(row)) => Origin::TakenOver {
                    from: row.holder.clone(),
                },
                _ => Origin::Free,
            };
            let silent = match verdict {
                Verdict::Dead if !ended => watch::LEASE_DURATION,
                _ => Duration::ZERO,
            };
            if let Some(lease) = self.grant(app, row.as_ref(), origin, silent).await? {
                return Ok(lease);
            }
            // Another was quicker; the next look says who.
        }
    }

    fn holder_ended(&self, row: &LeaseRow) -> bool {
        row.state == LeaseState::Held
            && match (&self.process, &row.process) {
                (Some(this), Some(holder)) => this.sees(holder) == Life::Ended,
                _ => false,
            }
    }

    async fn grant(
        &self,
        app: &str,
        over: Option<&LeaseRow>,
        origin: Origin,
        silent: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.index(app).await?;
        let grant = self.table.entropy.id();
        let row = LeaseRow {
            process: self.process.clone(),
            ..watch::granted(app, over, &self.holder, &grant, self.table.clock.now())
        };
        let granted = match over {
            Some(over) => self.put_over(over, &row).await?,
            None => self.put_first(row).await?,
        };
        let Some((sent, token)) = granted else {
            return Ok(None);
        };
        Ok(Some(Lease(Arc::new(Held {
            app: app.to_owned(),
            token,
            grant,
            origin,
            quiet_since: self.table.clock.boot().saturating_sub(silent),
            state: Mutex::new(Belief {
                sent,
                standing: Standing::Ours,
            }),
            end: Mutex::default(),
        }))))
    }

    /// Puts `row` where `over` stands: when that was sent and its token, or `None` if it stands no more.
    async fn put_over(
        &self,
        over: &LeaseRow,
        row: &LeaseRow,
    ) -> Result<Option<(Duration, u64)>, StoreError> {
        let pk = self.pk(&row.app);
        let item = encode(&pk, row);
        let written = self
            .table
            .write_if("dynamodb.PutItem", &pk, || {
                self.table
                    .client
                    .put_item()
                    .table_name(&self.table.name)
                    .set_item(Some(item.clone()))
                    .condition_expression(
                        "#token = :token AND #version = :version AND #grant = :grant",
                    )
                    .set_expression_attribute_names(Some(names(&["token", "version", "grant"])))
                    .expression_attribute_values(":token", rows::number(over.token))
                    .expression_attribute_values(":version", rows::number(over.version))
                    .expression_attribute_values(":grant", rows::text(&over.grant))
                    .send()
            })
            .await?;
        let sent = match written {
            Written::Done(sent) => Some(sent),
            Written::Refused(before) => self.echo(row, before).await?,
        };
        Ok(sent.map(|sent| (sent, row.token)))
    }

    /// Puts the row of an app that has none, with a token above all that its chain knows, if the chain
    /// still ends where it did: whoever was granted the lease and wrote in between, and then lost its
    /// row to a person, is seen that way.
    async fn put_first(&self, row: LeaseRow) -> Result<Option<(Duration, u64)>, StoreError> {
        let pk = self.pk(&row.app);
        let (token, unmoved) = self.first_token(&row.app).await?;
        let row = LeaseRow { token, ..row };
        let put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(encode(&pk, &row)))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", "pk");
        let parts = [self.part(put.build(), |p, b| p.put(b))?, unmoved];
        let sent = match self.table.transact(&pk, &row.grant, &parts).await? {
            Transacted::Done(sent) => Some(sent),
            Transacted::Cancelled(_, before) => self.echo(&row, before).await?,
        };
        Ok(sent.map(|sent| (sent, token)))
    }

    /// When `row` was sent if it stands after all: a refusal may be the echo of its own success.
    async fn echo(&self, row: &LeaseRow, before: Before) -> Result<Option<Duration>, StoreError> {
        let Before::LostAnswer(sent) = before else {
            return Ok(None);
        };
        Ok(match self.lease_row(&row.app).await? {
            Some(now) if now.grant == row.grant && now.state == LeaseState::Held => Some(sent),
            _ => None,
        })
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
}
