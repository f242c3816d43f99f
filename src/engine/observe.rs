//! Observing: one look at live AWS for many documents of all kinds at once.

use futures_util::future::join_all;

use super::Engine;
use crate::kinds::{Driver, KINDS, Kind, Wanted};
use crate::model::document::{DesiredSet, Document};
use crate::model::key::ResourceKey;
use crate::model::scope::Scope;
use crate::model::snapshot::{Observation, Seen, Snapshot};

impl Engine {
    /// Looks at every object in scope. Takes no lock and fails never: what cannot be read is
    /// [`Seen::Unreadable`]. Objects of frozen apps are not looked at, since what they want may
    /// not be computable.
    pub async fn observe(&self, set: &DesiredSet, scope: &Scope) -> Snapshot {
        let mut looks = Vec::new();
        for kind in KINDS {
            let documents: Vec<&Document> = set
                .documents
                .values()
                .filter(|d| d.key.kind == kind.name() && scope.holds(&d.key))
                .filter(|d| !set.frozen.holds(&d.key.app))
                .collect();
            if let (Some(driver), false) = (self.driver(kind.name()), documents.is_empty()) {
                looks.push(async move {
                    let mut found = Vec::with_capacity(documents.len());
                    for some in documents.chunks(driver.at_a_time()) {
                        found.extend(self.look_at(*kind, driver, some, set).await);
                    }
                    found
                });
            }
        }
        let objects = join_all(looks).await.into_iter().flatten().collect();
        Snapshot { objects }
    }

    async fn look_at(
        &self,
        kind: &dyn Kind,
        driver: &dyn Driver,
        documents: &[&Document],
        set: &DesiredSet,
    ) -> Vec<(ResourceKey, Observation)> {
        let wanted: Vec<Wanted> = documents
            .iter()
            .map(|d| Wanted {
                key: d.key.clone(),
                desired: kind.desired(d, set),
            })
            .collect();
        let at = self.cell.clock.now();
        let mut seen = driver.observe(&wanted).await;
        wanted
            .into_iter()
            .map(|Wanted { key, .. }| {
                let seen = seen.remove(&key).unwrap_or_else(|| {
                    Seen::Unreadable("the look came back without it".to_owned())
                });
                (key, Observation { seen, at })
            })
            .collect()
    }
}
