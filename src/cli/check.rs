//! `evenkeel check`: are the documents right? Touches no network, but for the Git source's.

use std::path::Path;

use super::args::{CheckArgs, Format};
use super::context::settings as read_settings;
use super::exit::Exit;
use super::out::print;
use super::scope;
use super::settings::Settings;
use super::wanted::Wanted;
use crate::render::{findings, json, markdown};

/// Runs it.
///
/// # Errors
/// Settings that cannot be used, a scope that holds nothing, and output that cannot be written.
pub async fn run(settings: Option<&Path>, args: &CheckArgs) -> anyhow::Result<Exit> {
    // Wrong settings keep nobody from hearing of wrong documents, where those can be found.
    let settings = read_settings(settings);
    let usual = Settings::default();
    let mut wanted = Wanted::offline(&args.folder, settings.as_ref().unwrap_or(&usual))?;
    let mut set = wanted.load().await;
    let shown = wanted.shown();
    let scope = args.scope.scope();
    // Nothing is called valid that is not there.
    scope::is_there(&scope, &set, &shown)?;
    set.documents.retain(|key, _| scope.holds(key));
    // What nobody can be named for may concern anybody.
    set.findings
        .retain(|finding| finding.key.as_ref().is_none_or(|key| scope.holds(key)));
    let (errors, _) = findings::tally(&set.findings);
    let text = match args.format.format {
        Format::Text => findings::check(&set, &shown.display().to_string()),
        Format::Json => json::text(&serde_json::json!({
            "version": 1,
            "documents": set.documents.keys().collect::<Vec<_>>(),
            "findings": set.findings,
        })),
        Format::Markdown => markdown::findings(&set.findings),
    };
    print(&text)?;
    settings?;
    Ok(if errors == 0 {
        Exit::Fine
    } else {
        Exit::Failed
    })
}
