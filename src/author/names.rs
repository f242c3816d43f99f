//! Names: what a document of a live object is called. Pure: names in, names out.

use std::collections::BTreeSet;

use crate::model::key::LABEL_MAX;

/// A DNS label made of `text`: lower case, with a hyphen for whatever else stands between letters
/// and digits. Empty when it has none of those.
pub fn label(text: &str) -> String {
    let mut label = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            label.push(c.to_ascii_lowercase());
        } else if !label.is_empty() && !label.ends_with('-') {
            label.push('-');
        }
    }
    label.truncate(LABEL_MAX);
    label.trim_end_matches('-').to_owned()
}

/// Names of documents of one app and kind that are taken.
#[derive(Debug, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// A name for a document of the live object `live`: its label, numbered where another has it.
    /// `else_` is taken for a name without any letter or digit.
    pub fn give(&mut self, live: &str, else_: &str) -> String {
        let base = match label(live) {
            empty if empty.is_empty() => label(else_),
            base => base,
        };
        let mut name = base.clone();
        let mut number = 2_u32;
        while !self.0.insert(name.clone()) {
            let end = format!("-{number}");
            let room = LABEL_MAX.saturating_sub(end.len());
            let start: String = base.chars().take(room).collect();
            name = format!("{}{end}", start.trim_end_matches('-'));
            number += 1;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::is_label;
    use proptest::prelude::*;

    #[test]
    fn names_of_aws_become_labels() {
        for (live, name) in [
            ("web", "web"),
            ("Semiont_Backend", "semiont-backend"),
            ("5xx: too many!", "5xx-too-many"),
            ("--a--", "a"),
        ] {
            assert_eq!(label(live), name);
        }
        assert_eq!(Names::default().give("...", "Alarm"), "alarm");
    }

    #[test]
    fn names_that_collide_are_numbered() {
        let mut names = Names::default();
        let long = "a".repeat(80);
        let given: Vec<String> = ["web", "Web", "WEB", &long, &long]
            .iter()
            .map(|live| names.give(live, "x"))
            .collect();
        assert_eq!(given[..3], ["web", "web-2", "web-3"]);
        assert_eq!(given[4], format!("{}-2", "a".repeat(61)));
    }

    proptest! {
        #[test]
        fn every_name_is_a_label_and_no_two_are_the_same(live in prop::collection::vec(".{0,70}", 0..20)) {
            let mut names = Names::default();
            let given: Vec<String> = live.iter().map(|l| names.give(l, "Service")).collect();
            prop_assert!(given.iter().all(|name| is_label(name)), "{given:?}");
            let distinct: BTreeSet<&String> = given.iter().collect();
            prop_assert_eq!(distinct.len(), given.len());
        }
    }
}
