//! Keys: how every object is named, everywhere.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `app/Kind/name`: the identity of one document and of all that is recorded about it.
///
/// `app` and `name` are DNS labels; `kind` is the name of a row in `kinds::KINDS`.
/// Ordered by app, then kind, then name, which is the order of every report.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// The application, the unit of locking and of freezing.
    pub app: String,
    /// The kind, such as `Service`.
    pub kind: String,
    /// The document's `metadata.name`.
    pub name: String,
}

impl ResourceKey {
    /// A key from its three parts, which the caller has validated.
    pub fn new(app: impl Into<String>, kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            app: app.into(),
            kind: kind.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.app, self.kind, self.name)
    }
}

/// A text that is not `app/Kind/name`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not a key; write app/Kind/name, such as shop/Service/web")]
pub struct BadKey(String);

impl FromStr for ResourceKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(app), Some(kind), Some(name), None)
                if !app.is_empty() && !kind.is_empty() && !name.is_empty() =>
            {
                Ok(Self::new(app, kind, name))
            }
            _ => Err(BadKey(text.to_owned())),
        }
    }
}

impl Serialize for ResourceKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Longest DNS label (RFC 1123).
pub const LABEL_MAX: usize = 63;

/// Whether `text` is a DNS label: 1 to 63 of `a-z 0-9 -`, neither starting nor ending with `-`.
pub fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LABEL_MAX
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_was_written() {
        let key = ResourceKey::new("shop", "Service", "web");
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn a_key_has_exactly_three_parts() {
        for text in [
            "",
            "shop",
            "shop/Service",
            "shop/Service/web/x",
            "//",
            "shop//web",
        ] {
            assert!(text.parse::<ResourceKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn labels_are_lower_case_and_bounded_by_letters_or_digits() {
        for good in ["a", "web-2", "0"] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "Web", "a_b", "a.b", "é", &"a".repeat(64)] {
            assert!(!is_label(bad), "{bad}");
        }
    }
}
