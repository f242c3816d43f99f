//! `evenkeel history`: the ledger, newest first, and whether it is whole.

use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::{SignedDuration, Timestamp};

use super::args::{Format, HistoryArgs};
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use crate::model::chain::whole;
use crate::model::scope::Scope;
use crate::render::history::{self as render, Line, Place, placed};
use crate::render::json;
use crate::store::{Chain, Store, StoreError};

/// Runs it.
///
/// # Errors
/// A store that cannot be read at all.
pub async fn run(settings: Option<&Path>, args: &HistoryArgs) -> anyhow::Result<Exit> {
    let context = Context::open(settings, &args.aws, Intent::Look).await?;
    let store = context.store()?;
    let now = context.engine.cell.clock.now();
    let since = args.since.map(|since| since.before(now)).transpose()?;
    let scope = args.scope.scope();
    let mut read = Read::default();
    for app in apps(store, &scope).await? {
        // What one app's rows are like is no reason to say nothing of the others.
        match read.app(store, &app).await {
            Err(error @ StoreError::Corrupt { .. }) => read.faults.push(format!("{app}: {error}")),
            other => other?,
        }
    }
    if args.verify {
        return verified(&read, args.format.format);
    }
    let Read { lines, faults, .. } = read;
    let all = lines.len();
    let mut placed: Vec<(Place, Line)> = lines
        .into_iter()
        .filter(|((at, ..), line)| in_scope(line, &scope) && since.is_none_or(|since| *at >= since))
        .collect();
    placed.sort_by(|(a, _), (b, _)| b.cmp(a));
    let mut lines: Vec<Line> = placed.into_iter().map(|(_, line)| line).collect();
    let omitted = lines.len().saturating_sub(args.limit);
    lines.truncate(args.limit);
    let shown = render::Shown {
        lines: &lines,
        omitted,
        all,
        faults: &faults,
    };
    print(&match args.format.format {
        Format::Text => render::text(&shown),
        Format::Json => json::text(&render::json(&shown)),
        Format::Markdown => render::markdown(&shown),
    })?;
    Ok(exit(&faults))
}

/// The apps that are asked for. A named one is asked of its own rows: the list of apps is a row of
/// its own, which may be missing.
async fn apps(store: &Store, scope: &Scope) -> Result<Vec<String>, StoreError> {
    let named = match (&scope.app, &scope.target) {
        (Some(app), Some(target)) if *app != target.app => return Ok(Vec::new()),
        (Some(app), _) => app,
        (None, Some(target)) => &target.app,
        (None, None) => return store.apps().await,
    };
    Ok(vec![named.clone()])
}

/// What was read of all apps.
#[derive(Default)]
struct Read {
    lines: Vec<(Place, Line)>,
    /// Entries of chains, and chains that have any.
    entries: usize,
    chains: usize,
    /// Rows that cannot be read.
    faults: Vec<String>,
    /// Chains that are not whole.
    broken: Vec<String>,
}

impl Read {
    async fn app(&mut self, store: &Store, app: &str) -> Result<(), StoreError> {
        let Chain { entries, head } = store.chain(app).await?;
        if let Err(fault) = whole(app, &entries, head.as_ref()) {
            self.broken.push(fault.to_string());
        }
        self.entries += entries.len();
        self.chains += usize::from(!entries.is_empty());
        let entries = entries
            .into_iter()
            .map(|entry| Line::Entry(Box::new(entry)));
        self.lines.extend(placed(entries));
        let fences = store.fences(app).await?;
        let fences = fences.into_iter().map(Line::Release);
        self.lines.extend(placed(fences));
        let late = store.late(app).await?;
        self.lines.extend(placed(late.into_iter().map(Line::Late)));
        Ok(())
    }
}

/// A release is of an app as a whole, so it is shown with each object of it.
fn in_scope(line: &Line, scope: &Scope) -> bool {
    match line {
        Line::Entry(entry) => scope.holds(entry.key()),
        Line::Late(late) => scope.holds(&late.key),
        Line::Release(fence) => {
            let target = scope.target.as_ref();
            scope.app.as_ref().is_none_or(|app| *app == fence.app)
                && target.is_none_or(|target| target.app == fence.app)
                && scope.kind.is_none()
        }
    }
}

fn exit(faults: &[String]) -> Exit {
    if faults.is_empty() {
        Exit::Fine
    } else {
        Exit::Failed
    }
}

fn verified(read: &Read, format: Format) -> anyhow::Result<Exit> {
    let faults: Vec<String> = read.broken.iter().chain(&read.faults).cloned().collect();
    let text = if format == Format::Json {
        json::text(&serde_json::json!({
            "version": 1, "entries": read.entries, "apps": read.chains, "faults": faults,
        }))
    } else {
        render::verdict(read.entries, read.chains, &faults)
    };
    print(&text)?;
    Ok(exit(&faults))
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
        // As it is said: `24h ago`.
        let text = text.strip_suffix("ago").map_or(text, str::trim_end);
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

    pub(super) fn before(self, now: Timestamp) -> anyhow::Result<Timestamp> {
        match self {
            Self::Moment(at) if at > now => {
                bail!("--since lies in the future; name an earlier moment")
            }
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
        assert_eq!(at("24h ago"), "2026-03-01T12:00:00Z");
        for bad in ["", "h", "yesterday", "ago", "1y", "é", "-1h"] {
            assert!(Since::parse(bad).is_err(), "{bad}");
        }
        assert!(Since::parse("9000000d").unwrap().before(now).is_err());
    }
}
