//! `evenkeel schema`: the JSON Schema of the documents, for editors.

use clap::Args;

use super::args::parse_kind;
use super::exit::Exit;
use super::out::print;
use crate::control::document::{self, POLICY};
use crate::kinds::{KINDS, kind};
use crate::render::json;

/// `schema`.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// Only the spec of this kind, or of Policy.
    #[arg(long, value_name = "KIND", value_parser = parse_shape)]
    pub kind: Option<String>,
}

/// A kind, or the Policy document, which is none but has a schema, too.
fn parse_shape(text: &str) -> Result<String, String> {
    if text == POLICY {
        return Ok(text.to_owned());
    }
    parse_kind(text)
}

/// Runs it.
///
/// # Errors
/// Output that cannot be written.
pub fn run(args: &SchemaArgs) -> anyhow::Result<Exit> {
    let schema = match args.kind.as_deref() {
        Some(POLICY) => document::schema().to_value(),
        Some(name) => match kind(name) {
            Some(kind) => kind.schema().to_value(),
            None => anyhow::bail!("there is no kind {name}"),
        },
        None => crate::schema::editors(KINDS),
    };
    print(&json::text(&schema))?;
    Ok(Exit::Fine)
}
