//! Frozen: which apps a text that does not load may belong to.
//!
//! Pure: text in, names out.

use std::collections::BTreeSet;

use crate::model::document::Frozen;
use crate::model::key::is_label;

/// The apps named by the `app:` keys of `text`; all apps where there is none, or where one of
/// them has a value that is no name, since that could stand for any app.
pub(super) fn scan(text: &str) -> Frozen {
    let mut apps = BTreeSet::new();
    for line in text.lines() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        for (at, _) in line.match_indices("app") {
            let before = line.get(..at).and_then(|text| text.chars().last());
            if before.is_some_and(|c| !(c.is_whitespace() || matches!(c, '{' | ',' | '"' | '\''))) {
                continue;
            }
            let rest = line.get(at + 3..).unwrap_or("");
            let rest = rest.trim_start_matches(['"', '\'']).trim_start();
            let Some(value) = rest.strip_prefix(':') else {
                continue;
            };
            let value = value.trim_start().trim_start_matches(['"', '\'']);
            let end = value
                .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '}' | '#'))
                .unwrap_or(value.len());
            match value.get(..end) {
                Some(app) if is_label(app) => apps.insert(app.to_owned()),
                _ => return Frozen::All,
            };
        }
    }
    if apps.is_empty() {
        Frozen::All
    } else {
        Frozen::Apps(apps)
    }
}

/// Adds `more` to what is frozen already.
pub(super) fn join(frozen: &mut Frozen, more: Frozen) {
    match more {
        Frozen::None => {}
        Frozen::All => *frozen = Frozen::All,
        Frozen::Apps(apps) => apps.iter().for_each(|app| frozen.add(app)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_found_in_every_way_of_writing_them() {
        let text = "metadata: {app: shop, name: x}\n  app: blog # ours\n\"app\": 'wiki'\n# app: none\nmyapp: no\n  application: no\n";
        let Frozen::Apps(apps) = scan(text) else {
            panic!("{text}");
        };
        assert_eq!(
            apps.into_iter().collect::<Vec<_>>(),
            ["blog", "shop", "wiki"]
        );
    }

    #[test]
    fn without_a_sound_name_all_apps_are_frozen() {
        for text in [
            "",
            "kind: Service",
            "app:",
            "app: {{ app }}",
            "app: a\napp: Shop_1",
        ] {
            assert_eq!(scan(text), Frozen::All, "{text}");
        }
    }
}
