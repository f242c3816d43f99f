//! `evenkeel history`: the ledger, newest first, and whether it is whole.

use std::path::Path;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};

use super::args::{Format, HistoryArgs};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use crate::model::chain::whole;
use crate::model::entry::Entry;
use crate::render::layout::{BAD, GOOD, count, paint};
use crate::render::{history as render, json};
use crate::store::Chain;

/// Runs it.
///
/// # Errors
/// A store that cannot be read.
pub async fn run(settings: Option<&Path>, args: &HistoryArgs) -> anyhow::Result<Exit> {
    let context = Context::open(settings, &args.aws, Intent::Look).await?;
    let store = context.store()?;
    let now = context.engine.cell.clock.now();
    let since = args.since.map(|since| since.before(now)).transpose()?;
    let scope = args.scope.scope();
    let apps: Vec<String> = store
        .apps()
        .await?
        .into_iter()
        .filter(|app| {
            let of_target = scope.target.as_ref().is_none_or(|t| t.app == *app);
            of_target && scope.app.as_ref().is_none_or(|a| a == app)
        })
        .collect();
    let (mut chains, mut faults) = (Vec::new(), Vec::new());
    for app in &apps {
        let Chain { entries, head } = store.chain(app).await?;
        let whole = whole(app, &entries, head.as_ref());
        faults.extend(whole.err().map(|fault| fault.to_string()));
        chains.push(entries);
    }
    if args.verify {
        return verified(&chains, &faults, args.format.format);
    }
    let mut entries: Vec<Entry> = chains
        .into_iter()
        .flatten()
        .filter(|e| scope.holds(e.key()) && since.is_none_or(|since| e.at >= since))
        .collect();
    entries.sort_by(|a, b| (b.at, &b.app, b.seq).cmp(&(a.at, &a.app, a.seq)));
    let more = entries.len().saturating_sub(args.limit);
    entries.truncate(args.limit);
    print(&match args.format.format {
        Format::Text => render::text(&entries, more),
        Format::Json => json::text(&serde_json::json!({
            "version": 1, "entries": entries, "omitted": more,
        })),
        Format::Markdown => render::markdown(&entries, more),
    })?;
    Ok(Exit::Fine)
}

fn verified(chains: &[Vec<Entry>], faults: &[String], format: Format) -> anyhow::Result<Exit> {
    let entries: usize = chains.iter().map(Vec::len).sum();
    let apps = chains.iter().filter(|chain| !chain.is_empty()).count();
    let text = if format == Format::Json {
        json::text(&serde_json::json!({
            "version": 1, "entries": entries, "apps": apps, "faults": faults,
        }))
    } else if faults.is_empty() {
        format!(
            "{}: {} of {} follow one another without gap, fork or change\n",
            paint(GOOD, "whole"),
            // "entrys" is not a word.
            match entries {
                1 => "1 entry".to_owned(),
                n => format!("{n} entries"),
            },
            count(apps, "app"),
        )
    } else {
        format!(
            "{}:\n{}\nSomebody changed the ledger by hand, or a backup was put in its place; \
             compare it with CloudTrail, and with a restore of the table to a point in time\n",
            paint(BAD, "not whole"),
            faults
                .iter()
                .map(|fault| format!("  {fault}"))
                .collect::<Vec<_>>()
                .join("\n"),
        )
    };
    print(&text)?;
    Ok(if faults.is_empty() {
        Exit::Fine
    } else {
        Exit::Failed
    })
}

/// Where a look back ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// At this moment.
    Moment(Timestamp),
    /// So long before now.
    Ago(SignedDuration),
}

impl Since {
    /// `2026-03-02T12:00:00Z`, or `90m`, `24h`, `7d`.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::Moment(at));
        }
        let unit = |letter: char| match letter {
            's' => Some(1),
            'm' => Some(60),
            'h' => Some(3600),
            'd' => Some(86_400),
            _ => None,
        };
        text.chars()
            .last()
            .and_then(unit)
            .zip(text.get(..text.len().saturating_sub(1)))
            .and_then(|(seconds, number)| {
                number
                    .parse::<u32>()
                    .ok()
                    .map(i64::from)?
                    .checked_mul(seconds)
            })
            .map(|seconds| Self::Ago(SignedDuration::from_secs(seconds)))
            .ok_or_else(|| {
                "this is no moment; write 2026-03-02T12:00:00Z, 90m, 24h or 7d".to_owned()
            })
    }

    fn before(self, now: Timestamp) -> anyhow::Result<Timestamp> {
        match self {
            Self::Moment(at) => Ok(at),
            Self::Ago(ago) => now
                .checked_sub(ago)
                .context("--since lies before the beginning of time; name a later moment"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_a_moment_or_a_time_ago() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let at = |text: &str| Since::parse(text).unwrap().before(now).unwrap().to_string();
        assert_eq!(at("2026-03-01T00:00:00Z"), "2026-03-01T00:00:00Z");
        assert_eq!(at("90m"), "2026-03-02T10:30:00Z");
        assert_eq!(at("2d"), "2026-02-28T12:00:00Z");
        for bad in ["", "h", "yesterday", "1y", "é", "-1h"] {
            assert!(Since::parse(bad).is_err(), "{bad}");
        }
        assert!(Since::parse("9000000d").unwrap().before(now).is_err());
    }
}
