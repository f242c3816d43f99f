//! Output: how a report reaches standard output, and what a closed pipe means.

use std::io::{ErrorKind, Write as _};

use anyhow::Context as _;

/// Writes `text` to standard output, styles stripped where nobody can see them. A reader that
/// went away, such as `head`, is no error.
///
/// # Errors
/// Any other failure to write.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("writing to standard output"),
    }
}
