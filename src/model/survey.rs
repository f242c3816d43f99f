//! Surveys: what AWS has, against what documents name.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::key::ResourceKey;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sort {
    /// ECS services of the clusters that documents name.
    Service,
    /// Scalable targets of ECS services.
    ScalableTarget,
    /// CloudWatch alarms, but those that target tracking keeps.
    Alarm,
    /// RDS instances that are in no cluster.
    DbInstance,
    /// Clusters of Aurora, DocumentDB and Neptune.
    DbCluster,
    /// DynamoDB tables, but the store's own.
    Table,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sort::Service => "services",
            Sort::ScalableTarget => "scalable targets",
            Sort::Alarm => "alarms",
            Sort::DbInstance => "DB instances",
            Sort::DbCluster => "DB clusters",
            Sort::Table => "tables",
        })
    }
}

/// One object that AWS has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Of which sort.
    pub sort: Sort,
    /// Its name, as people know it: `cluster/service`.
    pub name: String,
    /// The claim that a document would make on it, in the words of its kind.
    pub claim: String,
    /// The claim of the object that it watches or serves: an alarm's service.
    pub beside: Option<String>,
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// In no order.
    pub standing: Vec<Standing>,
    /// Lists that could not be read, and why.
    pub faults: BTreeMap<Sort, String>,
}

/// How much of what AWS has some document names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// By sort; one whose list could not be read is missing.
    pub sorts: Vec<Share>,
    /// What no document names, by sort and name.
    pub unowned: Vec<Unowned>,
    /// Lists that could not be read, and why.
    pub unread: Vec<String>,
}

/// How much of one sort some document names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// Which.
    pub sort: Sort,
    /// All of them.
    pub live: usize,
    /// Those that a document names.
    pub owned: usize,
}

/// Something that no document names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unowned {
    /// Of which sort.
    pub sort: Sort,
    /// Its name.
    pub name: String,
    /// The owned object that it belongs to, if it does: an alarm of an owned service is unmanaged
    /// drift, told and never deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<ResourceKey>,
}

impl Coverage {
    /// `claims` are those of all documents.
    pub fn of(survey: &Survey, claims: &BTreeMap<String, ResourceKey>) -> Self {
        let mut sorts: BTreeMap<Sort, Share> = BTreeMap::new();
        let mut unowned = Vec::new();
        let mut seen = BTreeSet::new();
        for standing in &survey.standing {
            if !seen.insert((standing.sort, &standing.name)) {
                continue;
            }
            let share = sorts.entry(standing.sort).or_insert(Share {
                sort: standing.sort,
                live: 0,
                owned: 0,
            });
            share.live += 1;
            if claims.contains_key(&standing.claim) {
                share.owned += 1;
            } else {
                let beside = standing.beside.as_ref().and_then(|c| claims.get(c));
                unowned.push(Unowned {
                    sort: standing.sort,
                    name: standing.name.clone(),
                    beside: beside.cloned(),
                });
            }
        }
        unowned.sort_by(|a, b| (a.sort, &a.name).cmp(&(b.sort, &b.name)));
        let unread = survey.faults.iter();
        Self {
            sorts: sorts.into_values().collect(),
            unowned,
            unread: unread.map(|(sort, why)| format!("{sort}: {why}")).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_document_names_is_unowned_and_an_alarm_knows_its_service() {
        let standing = |sort, name: &str, claim: &str, beside: Option<&str>| Standing {
            sort,
            name: name.into(),
            claim: claim.into(),
            beside: beside.map(str::to_owned),
        };
        let survey = Survey {
            standing: vec![
                standing(Sort::Service, "main/web", "ecs:service/main/web", None),
                standing(Sort::Service, "main/old", "ecs:service/main/old", None),
                standing(
                    Sort::Alarm,
                    "by-hand",
                    "cloudwatch:alarm:by-hand",
                    Some("ecs:service/main/web"),
                ),
            ],
            faults: [(Sort::Table, "not permitted".to_owned())].into(),
        };
        let web = ResourceKey::new("shop", "Service", "web");
        let claims = BTreeMap::from([("ecs:service/main/web".to_owned(), web.clone())]);
        let coverage = Coverage::of(&survey, &claims);
        let counts: Vec<(usize, usize)> =
            coverage.sorts.iter().map(|s| (s.live, s.owned)).collect();
        assert_eq!(counts, [(2, 1), (1, 0)]);
        assert_eq!(coverage.unowned[0].name, "main/old");
        assert_eq!(coverage.unowned[1].beside, Some(web));
        assert_eq!(coverage.unread, ["tables: not permitted"]);
    }
}
