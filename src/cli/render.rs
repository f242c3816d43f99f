//! `evenkeel render`: the documents with the environment's values filled in.

use std::path::Path;

use super::args::author::RenderArgs;
use super::context::{desired, environment, settings as read_settings};
use super::exit::Exit;
use super::out::print;
use crate::author::yaml::scalar;
use crate::render::findings;
use crate::source::rendered;

/// Runs it: files in the order of names, comments and all.
///
/// # Errors
/// Settings that cannot be used, and documents that are wrong, which are told.
pub fn run(settings: Option<&Path>, args: &RenderArgs) -> anyhow::Result<Exit> {
    let settings = read_settings(settings)?;
    let set = desired(&args.folder, &settings);
    let (errors, _) = findings::tally(&set.findings);
    if errors > 0 {
        let folder = args.folder.path().display().to_string();
        anstream::eprint!("{}", findings::check(&set, &folder));
        return Ok(Exit::Failed);
    }
    let mut out = String::new();
    for (name, text) in rendered(
        args.folder.path(),
        environment(&args.folder, &settings),
        scalar,
    ) {
        let text = text.strip_prefix("---\n").unwrap_or(&text);
        out.push_str(&format!("---\n# {name}\n{text}"));
        if !out.ends_with('\n') {
            out.push('\n');
        }
    }
    print(&out)?;
    Ok(Exit::Fine)
}
