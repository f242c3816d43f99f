//! Forge: how the status of a commit reaches GitHub or GitLab.

use std::time::Duration;

use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::commit_status::{CommitState, CommitStatus};
use super::secret::Secret;
use crate::model::source::CommitId;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Longest description that GitHub takes, in characters; GitLab takes more.
const DESCRIPTION: usize = 140;

/// Whose API it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Project {
    /// GitHub: `owner/name`.
    GitHub(String),
    /// GitLab: a project's number or path.
    GitLab(String),
}

/// A project on a forge.
#[derive(Debug)]
pub struct Forge {
    project: Project,
    api: String,
    token: Secret,
    context: String,
    connector: Connector,
}

/// Why a status was not taken. Never with the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub why: String,
    /// Whether the same would be refused again.
    pub lasting: bool,
}

impl Forge {
    /// The project of the API at `api`, whose statuses are called `context`.
    pub fn new(project: Project, api: String, token: Secret, context: String) -> Self {
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT)
            .read_timeout(ANSWER)
            .build();
        Self {
            project,
            api,
            token,
            context,
            connector: Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .connector_settings(settings)
                .sleep_impl(TokioSleep::new())
                .build(),
        }
    }

    /// Tells it.
    ///
    /// # Errors
    /// It cannot be reached, or does not take it.
    pub async fn post(&self, commit: &CommitId, status: &CommitStatus) -> Result<(), Refusal> {
        let request = self
            .request(commit, status)
            .map_err(|why| Refusal { why, lasting: true })?;
        // What a connector says of a failure names the host and no header.
        let answer = self
            .connector
            .call(request)
            .await
            .map_err(|error| Refusal {
                why: format!("{} could not be reached: {error}", self.api),
                lasting: false,
            })?;
        let code = answer.status().as_u16();
        match code {
            200..=299 => Ok(()),
            401 | 403 | 404 => Err(Refusal {
                why: format!(
                    "{} answered {code}; may the token set commit statuses?",
                    self.api
                ),
                lasting: true,
            }),
            // Too many at once passes.
            408 | 429 | 500.. => Err(Refusal {
                why: format!("{} answered {code}", self.api),
                lasting: false,
            }),
            _ => Err(Refusal {
                why: format!("{} answered {code}", self.api),
                lasting: true,
            }),
        }
    }

    fn request(&self, commit: &CommitId, status: &CommitStatus) -> Result<HttpRequest, String> {
        let uri = format!("{}{}", self.api, path(&self.project, commit));
        let body = body(&self.project, status, &self.context);
        let mut request = HttpRequest::new(SdkBody::from(body.to_string()));
        request.set_method("POST").map_err(|e| e.to_string())?;
        request.set_uri(uri).map_err(|e| e.to_string())?;
        let length = body.to_string().len().to_string();
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json");
        headers.insert("content-length", length);
        headers.insert(
            "user-agent",
            concat!("evenkeel/", env!("CARGO_PKG_VERSION")),
        );
        let token = self.token.reveal();
        // A token that is no header's value would panic if it were inserted as one.
        let (name, value) = match self.project {
            Project::GitHub(_) => ("authorization", format!("Bearer {token}")),
            Project::GitLab(_) => ("private-token", token.to_owned()),
        };
        let refused = |_| "the token is none that a header can carry".to_owned();
        headers.try_insert(name, value).map_err(refused)?;
        if let Project::GitHub(_) = self.project {
            headers.insert("accept", "application/vnd.github+json");
            headers.insert("x-github-api-version", "2022-11-28");
        }
        Ok(request)
    }
}

/// Where a status goes (GitHub REST API, "Create a commit status"; GitLab Commits API, "Set commit
/// pipeline status").
fn path(project: &Project, commit: &CommitId) -> String {
    match project {
        Project::GitHub(name) => format!("/repos/{name}/statuses/{commit}"),
        Project::GitLab(name) => {
            format!("/projects/{}/statuses/{commit}", name.replace('/', "%2F"))
        }
    }
}

fn body(project: &Project, status: &CommitStatus, context: &str) -> Value {
    let description: String = status.description.chars().take(DESCRIPTION).collect();
    match project {
        Project::GitHub(_) => {
            let state = match status.state {
                CommitState::Pending => "pending",
                CommitState::Converged => "success",
                CommitState::Drifted => "failure",
                CommitState::Failed => "error",
            };
            json!({"state": state, "description": description, "context": context})
        }
        Project::GitLab(_) => {
            let state = match status.state {
                CommitState::Pending => "pending",
                CommitState::Converged => "success",
                CommitState::Drifted | CommitState::Failed => "failed",
            };
            json!({"state": state, "description": description, "name": context})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forge_is_told_in_its_own_words() {
        let commit = CommitId::parse(&"a".repeat(40)).unwrap();
        let status = CommitStatus {
            state: CommitState::Drifted,
            description: "x".repeat(200),
        };
        let hub = Project::GitHub("acme/estate".into());
        let lab = Project::GitLab("group/sub/estate".into());
        assert_eq!(
            path(&hub, &commit),
            format!("/repos/acme/estate/statuses/{commit}")
        );
        assert_eq!(
            path(&lab, &commit),
            format!("/projects/group%2Fsub%2Festate/statuses/{commit}")
        );
        let told = body(&hub, &status, "evenkeel");
        assert_eq!(
            (&told["state"], &told["context"]),
            (&json!("failure"), &json!("evenkeel"))
        );
        assert_eq!(told["description"].as_str().unwrap().len(), DESCRIPTION);
        assert_eq!(body(&lab, &status, "evenkeel")["state"], json!("failed"));
    }

    #[test]
    fn a_token_is_in_no_text_of_it() {
        let token = Secret::new("hush-hush").unwrap();
        let hub = Project::GitHub("acme/estate".into());
        let forge = Forge::new(
            hub,
            "https://api.github.com".into(),
            token,
            "evenkeel".into(),
        );
        assert!(!format!("{forge:?}").contains("hush"));
    }
}
