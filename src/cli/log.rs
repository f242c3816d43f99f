//! Log: how log lines are written, and what never becomes one.

use std::io;

use anstream::{AutoStream, ColorChoice};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, filter};

use super::args::LogFormat;

/// What is logged when EVENKEEL_LOG says nothing.
const FILTER: &str = "warn,evenkeel=info";

/// Crates that log whole requests and answers below INFO, whose bodies hold container environments,
/// and whose headers hold session tokens. No filter gets to see that.
const TALKATIVE: [&str; 5] = ["aws_", "hyper", "h2", "rustls", "reqwest"];

/// Whether the colours of a line are seen by anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Yes,
    No,
}

/// Starts the log on standard error.
///
/// # Errors
/// There is one already.
pub fn start(format: LogFormat) -> anyhow::Result<()> {
    let wanted = EnvFilter::try_from_env("EVENKEEL_LOG").unwrap_or_else(|_| EnvFilter::new(FILTER));
    let colour = match AutoStream::choice(&io::stderr()) {
        ColorChoice::Never => Colour::No,
        _ => Colour::Yes,
    };
    log(format, wanted, colour, io::stderr)
        .try_init()
        .map_err(|error| anyhow::anyhow!("starting the log: {error}"))
}

fn log<W>(
    format: LogFormat,
    wanted: EnvFilter,
    colour: Colour,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(colour == Colour::Yes)
        .with_writer(writer);
    let lines = match format {
        LogFormat::Human => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines)
        .with(wanted)
        .with(filter::filter_fn(may_be_told))
}

fn may_be_told(line: &Metadata<'_>) -> bool {
    *line.level() <= Level::INFO
        || !TALKATIVE
            .iter()
            .any(|crates| line.target().starts_with(crates))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, colour: Colour) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = log(format, EnvFilter::new("trace"), colour, move || {
            writer.clone()
        });
        tracing::subscriber::with_default(log, || {
            tracing::trace!(target: "aws_smithy_runtime::client", body = "hush-hush", "request");
            tracing::debug!(target: "hyper::proto", "hush-hush");
            tracing::debug!(target: "h2::codec", "hush-hush");
            tracing::info!(target: "aws_config", "which profile");
            tracing::trace!("our own");
        });
        let lines = lines.0.lock().unwrap().clone();
        String::from_utf8(lines).unwrap()
    }

    #[test]
    fn what_is_sent_and_answered_is_never_logged_whatever_the_filter_says() {
        for format in [LogFormat::Human, LogFormat::Json] {
            let text = logged(format, Colour::No);
            assert!(!text.contains("hush-hush"), "{text}");
            assert!(text.contains("which profile"), "{text}");
            assert!(text.contains("our own"), "{text}");
        }
    }

    #[test]
    fn a_log_that_nobody_sees_in_colour_has_none() {
        assert!(!logged(LogFormat::Human, Colour::No).contains('\u{1b}'));
        assert!(logged(LogFormat::Human, Colour::Yes).contains('\u{1b}'));
    }
}
