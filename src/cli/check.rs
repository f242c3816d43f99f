//! `evenkeel check`: are the documents right? Touches no network.

use super::args::{CheckArgs, Format};
use super::exit::Exit;
use super::out::print;
use crate::engine::desired::load;
use crate::render::{findings, json, markdown};

/// Runs it.
///
/// # Errors
/// Output that cannot be written.
pub fn run(args: &CheckArgs) -> anyhow::Result<Exit> {
    let set = load(&args.folder.path);
    let (errors, _) = findings::tally(&set.findings);
    let text = match args.format.format {
        Format::Text => findings::check(&set, &args.folder.path.display().to_string()),
        Format::Json => json::text(&serde_json::json!({
            "version": 1,
            "documents": set.documents.keys().collect::<Vec<_>>(),
            "findings": set.findings,
        })),
        Format::Markdown => markdown::findings(&set.findings),
    };
    print(&text)?;
    Ok(if errors == 0 {
        Exit::Fine
    } else {
        Exit::Failed
    })
}
