//! The voice: how the tour speaks, in lines of eighty columns, and what it tells of an engine at work.

use std::io::{Error, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

use crate::engine::progress::{Event, Progress};
use crate::render::layout::{BAD, BOLD, DIM, GOOD, WARN, WIDTH, hanging, paint, wrap};

/// Speaks to one writer. What it writes has colours; whoever owns the writer strips them where
/// nobody could see them.
pub struct Voice {
    out: Mutex<Box<dyn Write + Send>>,
    /// The first thing that could not be said, and why.
    unsaid: Mutex<Option<Error>>,
}

impl Voice {
    /// A voice that writes to `out`.
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        Self {
            out: Mutex::new(out),
            unsaid: Mutex::default(),
        }
    }

    /// That everything was said. A reader that went away, such as `head`, is no error.
    ///
    /// # Errors
    /// What kept it from being said.
    pub fn finish(&self) -> anyhow::Result<()> {
        let mut unsaid = self.unsaid.lock().unwrap_or_else(PoisonError::into_inner);
        match unsaid.take() {
            Some(error) => Err(error).context("writing to standard output"),
            None => Ok(()),
        }
    }

    /// Says text as it is.
    pub fn raw(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody listening is no reason to leave the tour in the middle: its exit code still says
        // whether all went well.
        let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if let Err(error) = said
            && error.kind() != ErrorKind::BrokenPipe
        {
            let mut unsaid = self.unsaid.lock().unwrap_or_else(PoisonError::into_inner);
            unsaid.get_or_insert(error);
        }
    }

    /// A heading.
    pub fn act(&self, title: &str) {
        self.raw(&format!("\n{}\n", paint(BOLD, &format!("== {title}"))));
    }

    /// What is told besides.
    pub fn say(&self, text: &str) {
        for line in wrap(text, WIDTH) {
            self.raw(&format!("{}\n", paint(DIM, &line)));
        }
    }

    /// What was typed, so to speak.
    pub fn command(&self, line: &str) {
        self.raw(&format!("{}\n", paint(BOLD, &format!("$ {line}"))));
    }

    /// What a command does, told in other lines than its own.
    pub fn inside(&self, line: &str) {
        self.raw(&format!(
            "What {} does, as it happens:\n",
            paint(BOLD, &format!("`{line}`"))
        ));
    }

    /// What was found to hold.
    pub fn proof(&self, text: &str) {
        let mut out = String::new();
        hanging(&mut out, 4, "ok", text);
        self.raw(&out.replacen("ok", &paint(GOOD, "ok"), 1));
    }

    /// Something that somebody else does.
    pub fn someone(&self, text: &str) {
        let mut out = String::new();
        hanging(&mut out, 4, "*", text);
        self.raw(&out.replacen('*', &paint(WARN, "*"), 1));
    }

    fn event_line(&self, style: anstyle::Style, sign: &str, text: &str) {
        let mut out = String::new();
        hanging(&mut out, 6, &format!("    {sign}"), text);
        self.raw(&out.replacen(sign, &paint(style, sign), 1));
    }
}

impl Progress for Voice {
    fn event(&self, event: &Event) {
        match event {
            Event::Leasing { .. } => {}
            Event::Waiting { app, holder, .. } => {
                self.event_line(
                    WARN,
                    "?",
                    &format!("{app}: waiting for the lease of {holder}"),
                );
            }
            Event::Leased { app, token } => {
                self.raw(&format!("  {app}: lease taken, token {token}\n"));
            }
            Event::Busy { app, holder } => {
                self.raw(&format!("  {app}: {holder} is writing it\n"));
            }
            Event::GivenUp { app, why } => self.event_line(BAD, "x", &format!("{app}: {why}")),
            Event::Resolving { key, intent } => {
                self.event_line(WARN, "?", &format!("{key}: looking up intent {intent}"));
            }
            // The line that says that it is written follows within a moment.
            Event::Writing { .. } => {}
            Event::Written { key, title } => {
                self.event_line(GOOD, "+", &format!("{}/{}: {title}", key.app, key.name));
            }
            Event::Converged { key } => self.event_line(GOOD, "=", &format!("{key} in order")),
            Event::Rollout { key, detail } => {
                self.event_line(WARN, "~", &format!("{key} rolling out: {detail}"));
            }
            Event::Held { key, why } => self.event_line(WARN, "!", &format!("{key} held: {why}")),
            Event::Failed { key, why } => {
                self.event_line(BAD, "x", &format!("{key} failed: {why}"));
            }
        }
    }
}
