//! Listing: which services a cluster has, whether or not a document names them.

use crate::aws::call::{AwsError, read};
use crate::aws::cell::Cell;

/// Services on one page, the most that ListServices gives (API reference).
const PAGE: i32 = 100;

/// The names of all services of `cluster`, sorted. All pages or none: half a list proves nothing.
///
/// # Errors
/// AWS's.
pub async fn services(cell: &Cell, cluster: &str) -> Result<Vec<String>, AwsError> {
    let mut names = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let answer = read(cell, "ecs.ListServices", cluster, || {
            cell.ecs
                .list_services()
                .cluster(cluster)
                .max_results(PAGE)
                .set_next_token(token.clone())
                .send()
        })
        .await?;
        let arns = answer.service_arns().iter();
        names.extend(arns.filter_map(|arn| Some(arn.rsplit('/').next()?.to_owned())));
        token = answer.next_token.filter(|next| !next.is_empty());
        if token.is_none() {
            names.sort();
            return Ok(names);
        }
    }
}
