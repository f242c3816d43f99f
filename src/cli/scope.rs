//! Scope: whether what was asked for is there at all. A slip of the hand that matches nothing would
//! otherwise be in order for ever.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::bail;

use super::settings::nearest;
use crate::model::document::DesiredSet;
use crate::model::finding::Severity;
use crate::model::key::ResourceKey;
use crate::model::scope::Scope;

/// Most names that are listed; more are no help to anybody.
const LISTED: usize = 8;

/// That `scope` holds a document of `set`, or one that did not load: then its finding is told, and
/// is an error of its own. So is a folder without any document.
///
/// # Errors
/// It holds none, with what was probably meant.
pub fn is_there(scope: &Scope, set: &DesiredSet, folder: &Path) -> anyhow::Result<()> {
    if let Some(target) = &scope.target {
        for (flag, given, named) in [
            ("--app", &scope.app, &target.app),
            ("--kind", &scope.kind, &target.kind),
        ] {
            if let Some(given) = given.as_ref().filter(|given| *given != named) {
                bail!(
                    "--target {target} and {flag} {given} contradict each other, so nothing is in \
                     scope; leave one of them out"
                );
            }
        }
    }
    let documents = || set.documents.keys();
    if set.documents.is_empty()
        || documents().any(|key| scope.holds(key))
        || may_be_unread(scope, set)
    {
        return Ok(());
    }
    let folder = folder.display();
    if let Some(target) = &scope.target {
        let keys: Vec<String> = documents().map(ToString::to_string).collect();
        let near = near(&target.to_string(), keys.iter().map(String::as_str));
        let app: Vec<&str> = documents()
            .zip(&keys)
            .filter(|(key, _)| key.app == target.app)
            .map(|(_, text)| text.as_str())
            .collect();
        bail!(
            "no document in {folder} is {target}{near}{}",
            listed("of that app there are", &app)
        );
    }
    let of_app = |key: &&ResourceKey| scope.app.as_ref().is_none_or(|app| *app == key.app);
    let kinds: BTreeSet<&str> = documents()
        .filter(of_app)
        .map(|key| key.kind.as_str())
        .collect();
    match (&scope.app, &scope.kind) {
        (Some(app), _) if kinds.is_empty() => {
            let apps: BTreeSet<&str> = documents().map(|key| key.app.as_str()).collect();
            bail!(
                "no document in {folder} is of the app {app:?}{}{}",
                near(app, apps.iter().copied()),
                listed("there are", &Vec::from_iter(apps))
            )
        }
        (Some(app), Some(kind)) => bail!(
            "no document of the app {app:?} in {folder} is of the kind {kind}{}",
            listed("it has", &Vec::from_iter(kinds))
        ),
        (_, kind) => bail!(
            "no document in {folder} is of the kind {}{}",
            kind.as_deref().unwrap_or_default(),
            listed("there are", &Vec::from_iter(kinds))
        ),
    }
}

/// Whether what is looked for may be among what did not load.
fn may_be_unread(scope: &Scope, set: &DesiredSet) -> bool {
    let in_scope = |key: &Option<ResourceKey>| key.as_ref().is_none_or(|key| scope.holds(key));
    let app = match (&scope.app, &scope.target) {
        (Some(app), _) => Some(app),
        (None, target) => target.as_ref().map(|target| &target.app),
    };
    set.unread.keys.iter().any(|key| scope.holds(key))
        || app.is_some_and(|app| set.unread.torn.holds(app))
        || set
            .findings
            .iter()
            .any(|f| f.severity == Severity::Error && in_scope(&f.key))
}

fn near<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

fn listed(lead: &str, names: &[&str]) -> String {
    let (shown, rest) = names.split_at(names.len().min(LISTED));
    match (shown, rest.len()) {
        ([], _) => String::new(),
        (shown, 0) => format!(" ({lead} {})", shown.join(", ")),
        (shown, more) => format!(" ({lead} {} and {more} more)", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::desired::load_files;

    const SHOP: &str = "apiVersion: evenkeel/v1alpha1\nkind: Table\n\
                        metadata: {app: shop, name: carts}\n\
                        spec: {tableName: carts, deletionProtection: true}\n";

    fn said(scope: &Scope, files: &[(&str, &str)]) -> Result<(), String> {
        let set = load_files(files.iter().map(|(name, text)| (*name, text.as_bytes())));
        is_there(scope, &set, Path::new("desired-state")).map_err(|e| e.to_string())
    }

    fn scope(app: Option<&str>, kind: Option<&str>, target: Option<&str>) -> Scope {
        Scope {
            app: app.map(str::to_owned),
            kind: kind.map(str::to_owned),
            target: target.map(|t| t.parse().unwrap()),
            among: None,
        }
    }

    #[test]
    fn a_scope_without_a_document_says_what_was_probably_meant() {
        let files = [("shop.yaml", SHOP)];
        for (scope, text) in [
            (
                scope(Some("shpo"), None, None),
                "no document in desired-state is of the app \"shpo\"; did you mean shop? (there \
                 are shop)",
            ),
            (
                scope(None, None, Some("shop/Table/cart")),
                "no document in desired-state is shop/Table/cart; did you mean shop/Table/carts? \
                 (of that app there are shop/Table/carts)",
            ),
            (
                scope(Some("shop"), Some("Alarm"), None),
                "no document of the app \"shop\" in desired-state is of the kind Alarm (it has \
                 Table)",
            ),
            (
                scope(None, Some("Alarm"), None),
                "no document in desired-state is of the kind Alarm (there are Table)",
            ),
            (
                scope(Some("cart"), None, Some("shop/Table/carts")),
                "--target shop/Table/carts and --app cart contradict each other, so nothing is in \
                 scope; leave one of them out",
            ),
        ] {
            assert_eq!(said(&scope, &files), Err(text.to_owned()));
        }
        assert_eq!(said(&scope(Some("shop"), None, None), &files), Ok(()));
        assert_eq!(said(&Scope::all(), &files), Ok(()));
    }

    #[test]
    fn what_did_not_load_may_be_what_was_meant() {
        let torn = "apiVersion: evenkeel/v1alpha1\nmetadata: {app: cart, name: [\n";
        let files = [("shop.yaml", SHOP), ("cart.yaml", torn)];
        assert_eq!(said(&scope(Some("cart"), None, None), &files), Ok(()));
        let bad = SHOP
            .replace("app: shop", "app: cart")
            .replace("tableName", "tabelName");
        let files = [("shop.yaml", SHOP), ("cart.yaml", bad.as_str())];
        let carts = scope(None, None, Some("cart/Table/carts"));
        assert_eq!(said(&carts, &files), Ok(()));
        assert!(said(&scope(Some("caat"), None, None), &files).is_err());
    }

    #[test]
    fn a_folder_without_documents_is_no_matter_of_scope() {
        assert_eq!(said(&scope(Some("shop"), None, None), &[]), Ok(()));
    }
}
