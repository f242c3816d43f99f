//! Log: what a run's processes log, all of it, is searched for secrets.

use std::io;

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;

use super::stage::Stage;

/// Reads this thread's log until the guard is dropped: the product's own lines of every level, and of
/// others what `evenkeel` shows of them.
pub fn read(stage: &Stage) -> DefaultGuard {
    let reader = Reader(stage.clone());
    let lines = tracing_subscriber::fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_writer(move || reader.clone());
    let told = Targets::new()
        .with_default(LevelFilter::WARN)
        .with_target("evenkeel", LevelFilter::TRACE);
    let log = tracing_subscriber::registry().with(told).with(lines);
    tracing::subscriber::set_default(log)
}

#[derive(Clone)]
struct Reader(Stage);

impl io::Write for Reader {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.logged(&String::from_utf8_lossy(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
