//! Progress on standard error: a live line on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::progress::{Event, Progress};
use crate::render::layout::clean;
use crate::store::LEASE_DURATION;

/// Shows what an engine does.
pub struct Shown {
    bar: Option<ProgressBar>,
}

impl Default for Shown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shown {
    /// Live if standard error is a terminal.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => anstream::eprintln!("{line}"),
        }
    }

    /// Takes the live line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn now(&self, line: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(line);
        }
    }
}

impl Progress for Shown {
    fn event(&self, event: &Event) {
        match event {
            Event::Leasing { app } => self.now(format!(
                "{}: asking for the lease; up to {} s if its last holder died",
                clean(app),
                LEASE_DURATION.as_secs()
            )),
            Event::Leased { app, .. } => self.now(format!("{}: lease taken", clean(app))),
            Event::Busy { app, holder } => self.say(&format!(
                "  {}: another process is writing it ({})",
                clean(app),
                clean(holder)
            )),
            Event::Resolving { key, .. } => self.say(&format!(
                "  {key}: an earlier write has no known outcome; looking it up takes up to 40 s"
            )),
            Event::Writing { key, title } => self.now(format!("{key}: {}", clean(title))),
            Event::Written { key, title } => self.say(&format!("  {key}: {}", clean(title))),
            Event::Converged { key } => self.now(format!("{key}: converged")),
            Event::Rollout { key, detail } => self.now(format!("{key}: {}", clean(detail))),
            Event::Held { key, .. } => self.now(format!("{key}: held")),
            Event::Failed { key, why } => self.say(&format!("  {key}: failed: {}", clean(why))),
        }
    }
}
