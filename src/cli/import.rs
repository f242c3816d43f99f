//! `evenkeel import`: documents for what is live already.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::args::author::ImportArgs;
use super::context::Context;
use super::exit::Exit;
use super::guard::Intent;
use super::out::print;
use crate::author::import::{Wish, import};

/// Runs it.
///
/// # Errors
/// What could not be read, or a file that is there already.
pub async fn run(settings: Option<&Path>, args: &ImportArgs) -> anyhow::Result<Exit> {
    let context = Context::open(settings, &args.aws, Intent::Look).await?;
    let imported = import(
        &context.engine,
        &Wish {
            app: args.app.clone(),
            cluster: args.cluster.clone(),
            services: args.services.clone(),
            alarms: args.alarms.clone(),
            databases: args.databases.clone(),
            tables: args.tables.clone(),
        },
    )
    .await?;
    for what in &imported.beyond {
        anstream::eprintln!("note: {}", crate::render::layout::clean(what));
    }
    match &args.out {
        None => print(&imported.text)?,
        Some(folder) => {
            let written = save(folder, &imported.files)?;
            let names: Vec<String> = written.iter().map(|p| p.display().to_string()).collect();
            anstream::eprintln!(
                "wrote {} document(s): {}",
                imported.documents,
                names.join(", ")
            );
        }
    }
    Ok(Exit::Fine)
}

/// Writes `files` into `folder`: all of them, or none where one is there already.
fn save(folder: &Path, files: &[(String, String)]) -> anyhow::Result<Vec<PathBuf>> {
    fs::create_dir_all(folder)
        .with_context(|| format!("making the folder {}", folder.display()))?;
    let mut made: Vec<PathBuf> = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .inspect(|_| made.push(path.clone()))
            .and_then(|mut file| {
                file.write_all(text.as_bytes())
                    .and_then(|()| file.sync_all())
            });
        if let Err(error) = written {
            // What was made in this call is ours to take away; nothing else is touched.
            for ours in &made {
                let _ = fs::remove_file(ours);
            }
            if error.kind() == ErrorKind::AlreadyExists {
                bail!(
                    "{} is there already and is not written over; name another folder, or move \
                     it away",
                    path.display()
                );
            }
            return Err(error).with_context(|| format!("writing {}", path.display()));
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_left_alone_and_none_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("alarms.yaml"), "mine").unwrap();
        let files =
            [("services.yaml", "a"), ("alarms.yaml", "b")].map(|(n, t)| (n.into(), t.into()));
        let error = save(dir.path(), &files).unwrap_err().to_string();
        assert!(error.contains("alarms.yaml is there already"), "{error}");
        assert!(!dir.path().join("services.yaml").exists());
        assert_eq!(
            fs::read_to_string(dir.path().join("alarms.yaml")).unwrap(),
            "mine"
        );
        let below = dir.path().join("new/shop");
        assert_eq!(save(&below, &files).unwrap().len(), 2);
    }
}
