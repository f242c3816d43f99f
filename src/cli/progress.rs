//! Progress on standard error: a live line on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use anstyle::Style;
use indicatif::{ProgressBar, ProgressStyle};

use crate::engine::progress::{Event, Progress};
use crate::render::layout::{clean, flow};
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

    /// What stays, in lines of at most the width of a terminal.
    pub fn say(&self, text: &str) {
        let text = lines(text);
        match &self.bar {
            Some(bar) => bar.println(text.trim_end()),
            None => anstream::eprint!("{text}"),
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

/// Indented, so that what is under way stands apart from the reports around it.
fn lines(text: &str) -> String {
    let mut out = String::new();
    flow(&mut out, "  ", 4, Style::new(), text);
    out
}

impl Progress for Shown {
    fn event(&self, event: &Event) {
        match event {
            Event::Leasing { app } => self.now(format!(
                "{}: asking for the lease; up to {} s if its last holder died",
                clean(app),
                LEASE_DURATION.as_secs()
            )),
            Event::Waiting { app, holder, most } => self.say(&format!(
                "{app}: waiting for the lease of {holder}, up to {} s",
                most.as_secs()
            )),
            Event::Leased { app, .. } => self.now(format!("{}: lease taken", clean(app))),
            Event::Busy { app, holder } => {
                self.say(&format!("{app}: another process is writing it ({holder})"))
            }
            Event::GivenUp { app, why } => self.say(&format!("{app}: {why}")),
            Event::Resolving { key, .. } => self.say(&format!(
                "{key}: an earlier write has no known outcome; looking it up takes up to 40 s"
            )),
            Event::Writing { key, title } => self.now(format!("{key}: {}", clean(title))),
            Event::Written { key, title } => self.say(&format!("{key}: {title}")),
            Event::Converged { key } => self.now(format!("{key}: converged")),
            Event::Rollout { key, detail } => self.now(format!("{key}: {}", clean(detail))),
            Event::Held { key, .. } => self.now(format!("{key}: held")),
            Event::Failed { key, why } => self.say(&format!("{key}: failed: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::layout::WIDTH;

    #[test]
    fn a_long_line_goes_on_below_itself_and_harms_no_terminal() {
        let text = lines(&format!(
            "shop/Service/web: failed: \u{1b}[2J{}",
            "word ".repeat(30)
        ));
        assert!(text.lines().count() > 1);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
            assert!(line.starts_with("  "), "{line}");
        }
        assert!(!text.contains("\u{1b}[2J"), "{text}");
    }
}
