//! Scopes: which part of the desired state a command is about.

use std::collections::BTreeSet;

use super::key::ResourceKey;

/// A narrowing of the whole desired state. Never widens anything: what is out of scope is neither
/// looked at nor written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only this app.
    pub app: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this object.
    pub target: Option<ResourceKey>,
    /// Only these objects.
    pub among: Option<BTreeSet<ResourceKey>>,
}

impl Scope {
    /// Everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// One app.
    pub fn app(app: &str) -> Self {
        Self {
            app: Some(app.to_owned()),
            ..Self::default()
        }
    }

    /// One object.
    pub fn target(key: &ResourceKey) -> Self {
        Self {
            target: Some(key.clone()),
            ..Self::default()
        }
    }

    /// These objects.
    pub fn among(keys: impl IntoIterator<Item = ResourceKey>) -> Self {
        Self {
            among: Some(keys.into_iter().collect()),
            ..Self::default()
        }
    }

    /// Whether `key` is in it.
    pub fn holds(&self, key: &ResourceKey) -> bool {
        self.app.as_ref().is_none_or(|app| *app == key.app)
            && self.kind.as_ref().is_none_or(|kind| *kind == key.kind)
            && self.target.as_ref().is_none_or(|target| target == key)
            && self.among.as_ref().is_none_or(|keys| keys.contains(key))
    }
}
