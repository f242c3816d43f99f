//! Observing: one look at live AWS for many documents of all kinds at once.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::Engine;
use crate::kinds::{KINDS, Wanted};
use crate::model::document::DesiredSet;
use crate::model::scope::Scope;
use crate::model::snapshot::{Observation, Seen, Snapshot};

impl Engine {
    /// Looks at every object in scope. Takes no lock and fails never: what cannot be read is
    /// [`Seen::Unreadable`]. Objects of frozen apps are not looked at, since what they want may
    /// not be computable.
    pub async fn observe(&self, set: &DesiredSet, scope: &Scope) -> Snapshot {
        let mut looks = Vec::new();
        for kind in KINDS {
            let wanted: Vec<Wanted> = set
                .documents
                .values()
                .filter(|d| d.key.kind == kind.name() && scope.holds(&d.key))
                .filter(|d| !set.frozen.holds(&d.key.app))
                .map(|d| Wanted {
                    key: d.key.clone(),
                    desired: kind.desired(d, set),
                })
                .collect();
            if wanted.is_empty() {
                continue;
            }
            if let Some(driver) = self.driver(kind.name()) {
                looks.push(async move {
                    let at = self.cell.clock.now();
                    let seen = driver.observe(&wanted).await;
                    (at, wanted, seen)
                });
            }
        }
        let mut objects = BTreeMap::new();
        for (at, wanted, mut seen) in join_all(looks).await {
            for Wanted { key, .. } in wanted {
                let seen = seen.remove(&key).unwrap_or_else(|| {
                    Seen::Unreadable("the look came back without it".to_owned())
                });
                objects.insert(key, Observation { seen, at });
            }
        }
        Snapshot { objects }
    }
}
