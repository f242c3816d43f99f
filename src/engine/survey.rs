//! Survey: what AWS has in this account and region, listed for a report and for nothing else.

use std::collections::BTreeSet;
use std::future::Future;

use aws_sdk_applicationautoscaling::types::ServiceNamespace;
use aws_sdk_cloudwatch::types::{AlarmType, Dimension};
use futures_util::future::join_all;

use super::Engine;
use crate::aws::call::{AwsError, read};
use crate::kinds::{self, BoxFuture};
use crate::model::document::DesiredSet;
use crate::model::survey::{Sort, Standing, Survey};

/// Pages of one list at the most: a list that goes on is an account of another size, or one that
/// does not end.
const PAGES: usize = 200;

/// What one listing gave.
type Listed = Result<Vec<Standing>, AwsError>;

impl Engine {
    /// Lists what the clusters of `set` and its account have. A list that cannot be read is told
    /// and the others go on.
    pub async fn survey(&self, set: &DesiredSet) -> Survey {
        let clusters: BTreeSet<String> = set
            .documents
            .values()
            .filter(|d| d.key.kind == "Service")
            .filter_map(|d| {
                let desired = kinds::kind(&d.key.kind)?.desired(d, set);
                desired.get("cluster")?.as_str().map(str::to_owned)
            })
            .collect();
        let mut lists: Vec<(Sort, BoxFuture<'_, Listed>)> = vec![
            (Sort::ScalableTarget, Box::pin(self.scalable_targets())),
            (Sort::Alarm, Box::pin(self.alarms())),
            (Sort::DbInstance, Box::pin(self.db_instances())),
            (Sort::DbCluster, Box::pin(self.db_clusters())),
            (Sort::Table, Box::pin(self.tables())),
        ];
        for cluster in clusters {
            lists.push((Sort::Service, Box::pin(self.services_of(cluster))));
        }
        let lists = lists.into_iter();
        let found = join_all(lists.map(|(sort, list)| async move { (sort, list.await) })).await;
        let mut survey = Survey::default();
        for (sort, listed) in found {
            match listed {
                Ok(standing) => survey.standing.extend(standing),
                Err(error) => drop(survey.faults.insert(sort, error.to_string())),
            }
        }
        survey
    }

    /// Lists the alarms alone.
    pub(super) async fn survey_alarms(&self) -> Survey {
        let mut survey = Survey::default();
        match self.alarms().await {
            Ok(standing) => survey.standing = standing,
            Err(error) => drop(survey.faults.insert(Sort::Alarm, error.to_string())),
        }
        survey
    }

    async fn services_of(&self, cluster: String) -> Listed {
        let cluster = cluster.as_str();
        paged(|token| async move {
            let answer = read(&self.cell, "ecs.ListServices", cluster, || {
                let list = self.cell.ecs.list_services().cluster(cluster);
                list.max_results(100).set_next_token(token.clone()).send()
            })
            .await?;
            let named = answer.service_arns().iter().map(|arn| {
                let name = format!("{cluster}/{}", arn.rsplit('/').next().unwrap_or(arn));
                standing(Sort::Service, &name, format!("ecs:service/{name}"))
            });
            Ok((named.collect(), answer.next_token().map(str::to_owned)))
        })
        .await
    }

    async fn scalable_targets(&self) -> Listed {
        paged(|token| async move {
            let operation = "application-autoscaling.DescribeScalableTargets";
            let answer = read(&self.cell, operation, "all services", || {
                let list = self.cell.autoscaling.describe_scalable_targets();
                list.service_namespace(ServiceNamespace::Ecs)
                    .set_next_token(token.clone())
                    .send()
            })
            .await?;
            let named = answer.scalable_targets().iter().map(|target| {
                let id = target.resource_id();
                standing(Sort::ScalableTarget, id, format!("ecs:{id}"))
            });
            Ok((named.collect(), answer.next_token().map(str::to_owned)))
        })
        .await
    }

    async fn alarms(&self) -> Listed {
        paged(|token| async move {
            let answer = read(
                &self.cell,
                "cloudwatch.DescribeAlarms",
                "all alarms",
                || {
                    let list = self.cell.cloudwatch.describe_alarms();
                    list.alarm_types(AlarmType::MetricAlarm)
                        .alarm_types(AlarmType::CompositeAlarm)
                        .max_records(100)
                        .set_next_token(token.clone())
                        .send()
                },
            )
            .await?;
            let metric = answer.metric_alarms().iter().map(|alarm| {
                let own = alarm.dimensions();
                let inner = alarm.metrics().iter();
                let inner = inner.filter_map(|m| Some(m.metric_stat()?.metric()?.dimensions()));
                let beside = std::iter::once(own).chain(inner).find_map(service_of);
                (alarm.alarm_name(), beside)
            });
            let composite = answer.composite_alarms().iter();
            let composite = composite.map(|alarm| (alarm.alarm_name(), None));
            let named = metric.chain(composite).filter_map(|(name, beside)| {
                // Those that target tracking keeps come and go with their policies.
                let name = name.filter(|name| !name.starts_with("TargetTracking-"))?;
                Some(Standing {
                    beside,
                    ..standing(Sort::Alarm, name, format!("cloudwatch:alarm:{name}"))
                })
            });
            Ok((named.collect(), answer.next_token().map(str::to_owned)))
        })
        .await
    }

    async fn db_instances(&self) -> Listed {
        paged(|token| async move {
            let answer = read(
                &self.cell,
                "rds.DescribeDBInstances",
                "all instances",
                || {
                    let list = self.cell.rds.describe_db_instances();
                    list.max_records(100).set_marker(token.clone()).send()
                },
            )
            .await?;
            // What is in a cluster is the cluster's.
            let alone = answer.db_instances().iter();
            let alone = alone.filter(|db| db.db_cluster_identifier().is_none());
            let named = alone.filter_map(|db| {
                let name = db.db_instance_identifier()?.to_ascii_lowercase();
                Some(standing(Sort::DbInstance, &name, format!("rds:db:{name}")))
            });
            Ok((named.collect(), answer.marker().map(str::to_owned)))
        })
        .await
    }

    async fn db_clusters(&self) -> Listed {
        paged(|token| async move {
            let answer = read(&self.cell, "rds.DescribeDBClusters", "all clusters", || {
                let list = self.cell.rds.describe_db_clusters();
                list.max_records(100).set_marker(token.clone()).send()
            })
            .await?;
            let named = answer.db_clusters().iter().filter_map(|db| {
                let name = db.db_cluster_identifier()?.to_ascii_lowercase();
                let claim = format!("rds:cluster:{name}");
                Some(standing(Sort::DbCluster, &name, claim))
            });
            Ok((named.collect(), answer.marker().map(str::to_owned)))
        })
        .await
    }

    async fn tables(&self) -> Listed {
        let own = self.store.as_deref().map(crate::store::Store::table);
        paged(|token| async move {
            let answer = read(&self.cell, "dynamodb.ListTables", "all tables", || {
                let list = self.cell.dynamodb.list_tables().limit(100);
                list.set_exclusive_start_table_name(token.clone()).send()
            })
            .await?;
            let others = answer.table_names().iter();
            let others = others.filter(|name| Some(name.as_str()) != own);
            let named =
                others.map(|name| standing(Sort::Table, name, format!("dynamodb:table/{name}")));
            let next = answer.last_evaluated_table_name();
            Ok((named.collect(), next.map(str::to_owned)))
        })
        .await
    }
}

fn standing(sort: Sort, name: &str, claim: String) -> Standing {
    Standing {
        sort,
        name: name.to_owned(),
        claim,
        beside: None,
    }
}

/// The claim of the service that these dimensions are of.
fn service_of(dimensions: &[Dimension]) -> Option<String> {
    let of = |name: &str| {
        let found = dimensions.iter().find(|d| d.name() == Some(name));
        found.and_then(Dimension::value)
    };
    let (cluster, service) = (of("ClusterName")?, of("ServiceName")?);
    Some(format!("ecs:service/{cluster}/{service}"))
}

/// All pages of a list, or none.
async fn paged<F, Fut>(page: F) -> Listed
where
    F: Fn(Option<String>) -> Fut,
    Fut: Future<Output = Result<(Vec<Standing>, Option<String>), AwsError>>,
{
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..PAGES {
        let (some, next) = page(token.clone()).await?;
        found.extend(some);
        match next.filter(|next| !next.is_empty() && Some(next) != token.as_ref()) {
            Some(next) => token = Some(next),
            None => break,
        }
    }
    Ok(found)
}
