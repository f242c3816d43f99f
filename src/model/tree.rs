//! Trees: the one shape in which desired and live values meet.
//!
//! A tree is JSON with sorted keys. Lists of named entries (policies, scheduled actions,
//! containers) are maps by name here, so that an entry's path never depends on its position.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A JSON value; `serde_json` keeps maps sorted, so equal trees have equal text.
pub type Tree = serde_json::Value;

/// A dotted path into a tree, such as `scaling.targetTracking.cpu.targetValue`.
/// Segments that hold a dot, a bracket or a quote are written `["like.this"]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// The path of the whole tree.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path from its segments.
    pub fn of<S: Into<String>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self(segments.into_iter().map(Into::into).collect())
    }

    /// A path from plain dotted text without quoted segments.
    pub fn dotted(text: &str) -> Self {
        Self::of(text.split('.').filter(|s| !s.is_empty()))
    }

    /// This path with one more segment.
    #[must_use]
    pub fn child(&self, segment: impl Into<String>) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment.into());
        Self(segments)
    }

    /// The path without its last segment; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// The segments, outermost first.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Whether `pattern` (dotted; `*` stands for any one segment) names exactly this path.
    pub fn matches(&self, pattern: &str) -> bool {
        let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
        is_named(&names, pattern)
    }

    /// The value at this path, if there is one.
    pub fn get<'t>(&self, tree: &'t Tree) -> Option<&'t Tree> {
        self.0.iter().try_fold(tree, |node, segment| match node {
            Tree::Array(items) => items.get(segment.parse::<usize>().ok()?),
            _ => node.get(segment),
        })
    }
}

/// Whether `pattern` (dotted; `*` stands for any one name) names exactly these names.
pub fn is_named(names: &[&str], pattern: &str) -> bool {
    // Most patterns end differently, and a walk asks about every one of them at every field.
    if let Some(last) = names.last()
        && !pattern.ends_with(last)
        && !pattern.ends_with('*')
    {
        return false;
    }
    let mut have = names.iter();
    let fits = |wanted: &str| {
        have.next()
            .is_some_and(|name| wanted == "*" || wanted == *name)
    };
    pattern.split('.').all(fits) && have.next().is_none()
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            let plain = !segment.is_empty()
                && segment
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':'));
            match (plain, i) {
                (true, 0) => write!(f, "{segment}")?,
                (true, _) => write!(f, ".{segment}")?,
                (false, _) => {
                    f.write_str("[\"")?;
                    segment.chars().try_for_each(|c| quoted(c, f))?;
                    f.write_str("\"]")?;
                }
            }
        }
        Ok(())
    }
}

/// A character of a quoted segment. What cannot be seen is escaped, and in the way of JSON, by which a
/// path is read back: Rust's own escapes are other ones.
fn quoted(c: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match c {
        '"' | '\\' => write!(f, "\\{c}"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        c if c == '\'' || c.escape_debug().len() == 1 => write!(f, "{c}"),
        c => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .try_for_each(|unit| write!(f, "\\u{unit:04x}")),
    }
}

impl Serialize for FieldPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_path(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not a field path")))
    }
}

fn parse_path(text: &str) -> Option<FieldPath> {
    let mut segments = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('[') {
            let mut stream = serde_json::Deserializer::from_str(quoted).into_iter::<String>();
            let segment = stream.next()?.ok()?;
            let used = stream.byte_offset();
            segments.push(segment);
            rest = quoted.get(used..)?.strip_prefix(']')?;
        } else {
            rest = rest.strip_prefix('.').unwrap_or(rest);
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            segments.push(rest.get(..end)?.to_owned());
            rest = rest.get(end..)?;
        }
    }
    Some(FieldPath(segments))
}

/// SHA-256, in lower-case hex, of a tree's canonical text.
pub fn digest(tree: &Tree) -> String {
    hex::encode(Sha256::digest(tree.to_string().as_bytes()))
}

/// SHA-256, in lower-case hex, of a value's JSON text, which is fed to it as it is written. The same
/// value of the same build gives the same digest; what must last longer goes through [`digest`].
///
/// # Panics
/// Never for the types of this crate: they hold no map with keys that are not strings.
pub fn digest_of<T: Serialize>(value: &T) -> String {
    let mut hash = Sha256::new();
    let mut feed = std::io::BufWriter::with_capacity(1024, Feed(&mut hash));
    #[expect(clippy::expect_used, reason = "our own types always serialise")]
    serde_json::to_writer(&mut feed, value).expect("a type of this crate serialises");
    // Flushes what is left; writing into a hash cannot fail.
    drop(feed);
    hex::encode(hash.finalize())
}

struct Feed<'h>(&'h mut Sha256);

impl std::io::Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A value of this crate as a tree.
///
/// # Panics
/// Never for the types of this crate: they hold no map with keys that are not strings.
pub fn to_tree<T: Serialize>(value: &T) -> Tree {
    #[expect(clippy::expect_used, reason = "our own types always serialise")]
    serde_json::to_value(value).expect("a type of this crate serialises")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_star_matches_one_segment_and_no_more() {
        let path = FieldPath::dotted("scaling.targetTracking.cpu.targetValue");
        assert!(path.matches("scaling.targetTracking.*.targetValue"));
        assert!(!path.matches("scaling.*.targetValue"));
        assert!(!path.matches("scaling.targetTracking.*"));
    }

    #[test]
    fn a_path_with_dots_in_a_segment_reads_back() {
        let path = FieldPath::of(["tags", "a.b\"c]", "x"]).child("y");
        let text = serde_json::to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<FieldPath>(&text).unwrap(), path);
    }

    #[test]
    fn a_path_with_accents_and_what_cannot_be_seen_reads_back_and_can_be_seen() {
        for (name, told) in [
            ("gro\u{308}\u{df}e", "tags[\"gro\\u0308ße\"]"),
            ("a\nb\tc", "tags[\"a\\nb\\tc\"]"),
            ("a\u{202e}b\0", "tags[\"a\\u202eb\\u0000\"]"),
            ("\u{e0001}it's", "tags[\"\\udb40\\udc01it's\"]"),
        ] {
            let path = FieldPath::of(["tags", name]);
            assert_eq!(path.to_string(), told);
            let text = serde_json::to_string(&path).unwrap();
            assert_eq!(serde_json::from_str::<FieldPath>(&text).unwrap(), path);
        }
    }

    #[test]
    fn a_digest_does_not_depend_on_the_order_of_writing() {
        assert_eq!(
            digest(&json!({"a": 1, "b": 2})),
            digest(&json!({"b": 2, "a": 1}))
        );
    }
}
