//! `evenkeel schema`: the JSON Schema of the documents, for editors.

use super::args::SchemaArgs;
use super::exit::Exit;
use super::out::print;
use crate::kinds::{KINDS, kind};
use crate::render::json;

/// Runs it.
///
/// # Errors
/// Output that cannot be written.
pub fn run(args: &SchemaArgs) -> anyhow::Result<Exit> {
    let schema = match args.kind.as_deref().and_then(kind) {
        Some(kind) => kind.schema().to_value(),
        None => crate::schema::editors(KINDS),
    };
    print(&json::text(&schema))?;
    Ok(Exit::Fine)
}
