//! `evenkeel store create`: makes the store's table.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::args::{StoreArgs, StoreCommand};
use super::context::settings as read_settings;
use super::exit::Exit;
use super::guard::{self, Intent};
use super::out::print;
use super::store_spec::StoreSpec;
use crate::aws::cell::Cell;
use crate::aws::door::Mode;
use crate::aws::session::{self, Wish};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::store::{Protection, Store, StoreConfig};

/// Runs it.
///
/// # Errors
/// Whatever keeps the table from being made.
pub async fn run(settings: Option<&Path>, args: &StoreArgs) -> anyhow::Result<Exit> {
    let StoreCommand::Create { aws } = &args.command;
    let settings = read_settings(settings)?;
    let spec = aws
        .store
        .clone()
        .or_else(|| settings.store.clone())
        .context("which store? Use --store dynamodb:TABLE")?;
    let StoreSpec::DynamoDb(table) = &spec else {
        bail!("an embedded store makes itself when it is first written to; nothing to do");
    };
    if aws.read_only {
        bail!("creating a table writes, and --read-only forbids it");
    }
    let wish = Wish {
        endpoint_url: aws.endpoint_url.clone(),
        region: aws.region.clone(),
        region_else: settings.region.clone(),
        profile: aws.profile.clone(),
    };
    let clock = Clock::system();
    let session = session::open(&wish, &clock).await?;
    let cell = Cell::connect(
        &session.sdk,
        session.http.clone(),
        Mode::ReadOnly,
        clock,
        Entropy::system(),
    )
    .await?;
    guard::check(
        &settings,
        &cell.account,
        &cell.region,
        session.reach,
        Intent::Write,
    )?;
    let store = Store::new(StoreConfig {
        sdk: session.sdk.clone(),
        http: session.http.clone(),
        table: table.clone(),
        account: cell.account.clone(),
        region: cell.region.clone(),
        holder: super::context::holder(),
        clock: cell.clock.clone(),
        entropy: cell.entropy.clone(),
    });
    store.create_table(Protection::Production).await?;
    print(&format!(
        "table {table} is ready in account {}, {}: on-demand capacity, point-in-time recovery, \
         deletion protection\n",
        cell.account, cell.region
    ))?;
    Ok(Exit::Fine)
}
