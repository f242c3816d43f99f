//! Source settings: what `source:` in `evenkeel.yaml` says, and where it is wrong.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_saphyr::{Location, Spanned};

use super::{Bad, duration, understood};
use crate::engine::forge::Project;
use crate::engine::secret::SecretFrom;
use crate::source::git::url;

/// Share of the objects that may be gone from a commit, when nothing else is said: in percent.
const VANISH: u8 = 20;
/// Where clones are kept, when nothing else is said.
const STATE: &str = ".evenkeel/git";
/// Branch that is followed, when none is named.
const BRANCH: &str = "main";
/// Folder of desired state in the repository, when none is named.
const FOLDER: &str = "desired-state";
/// What a commit status is called, when nothing else is said.
const CONTEXT: &str = "evenkeel";
/// Longest name of a commit status.
const CONTEXT_MAX: usize = 100;

/// A Git repository as the source of the desired state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSettings {
    /// Where it is.
    pub url: UrlFrom,
    /// The branch that is followed.
    pub branch: String,
    /// The folder of desired state, from the root of the repository; empty for the root.
    pub folder: String,
    /// Longest time between two fetches; the looks' own where none is named.
    pub interval: Option<Duration>,
    /// Where the clone is kept.
    pub state: PathBuf,
    /// Share of the objects that may be gone from a commit, in percent.
    pub vanish: u8,
    /// Allowed signers of commits; `None` where no signature is asked for.
    pub signers: Option<PathBuf>,
    /// Who may say that there is something new.
    pub webhook: Option<WebhookSettings>,
    /// To whom the state of a commit is told.
    pub status: Option<StatusSettings>,
}

/// Where the URL of a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UrlFrom {
    /// In the settings: without a password.
    Written(String),
    /// In this environment variable, perhaps with one.
    Env(String),
}

/// An address that a forge calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSettings {
    /// Its path on the address of `--listen`.
    pub path: String,
    /// The secret that the forge signs with.
    pub secret: SecretFrom,
}

/// To whom the state of a commit is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSettings {
    /// Where.
    pub project: Project,
    /// The root of its API: `https://api.github.com`.
    pub api: String,
    /// The token that may do it.
    pub token: SecretFrom,
    /// What the status is called.
    pub context: String,
}

/// `source:` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct WrittenSource {
    git: Spanned<WrittenGit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenGit {
    url: Option<Spanned<String>>,
    url_env: Option<Spanned<String>>,
    branch: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    interval: Option<Spanned<String>>,
    state: Option<Spanned<String>>,
    vanish: Option<Spanned<String>>,
    verify: Option<WrittenVerify>,
    webhook: Option<Spanned<WrittenWebhook>>,
    status: Option<Spanned<WrittenStatus>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenVerify {
    signatures: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenWebhook {
    path: Option<Spanned<String>>,
    secret_env: Option<Spanned<String>>,
    secret_file: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WrittenStatus {
    github: Option<Spanned<String>>,
    gitlab: Option<Spanned<String>>,
    api: Option<Spanned<String>>,
    token_env: Option<Spanned<String>>,
    token_file: Option<Spanned<String>>,
    context: Option<Spanned<String>>,
}

impl WrittenSource {
    pub(super) fn meant(self) -> Result<GitSettings, Bad> {
        let at = self.git.referenced;
        let git = self.git.value;
        let url = understood(git.url, written_url)?;
        let env = understood(git.url_env, variable)?;
        let url = match (url, env) {
            (Some(url), None) => UrlFrom::Written(url),
            (None, Some(name)) => UrlFrom::Env(name),
            (Some(_), Some(_)) => {
                return Err((at, "git: url and urlEnv are both set; keep one".to_owned()));
            }
            (None, None) => {
                let what = "git: url is missing; write one such as \
                            https://github.com/acme/estate.git";
                return Err((at, what.to_owned()));
            }
        };
        Ok(GitSettings {
            url,
            branch: understood(git.branch, |t| named("branch", url::branch(t)))?
                .unwrap_or_else(|| BRANCH.to_owned()),
            folder: understood(git.path, |t| named("path", url::folder(t)))?
                .unwrap_or_else(|| FOLDER.to_owned()),
            interval: understood(git.interval, |t| named("interval", duration(t)))?,
            state: understood(git.state, |t| named("state", file(t)))?
                .unwrap_or_else(|| STATE.into()),
            vanish: understood(git.vanish, |t| named("vanish", percent(t)))?.unwrap_or(VANISH),
            signers: understood(git.verify.map(|v| v.signatures), |t| {
                named("signatures", file(t))
            })?,
            webhook: git.webhook.map(webhook).transpose()?,
            status: git.status.map(status).transpose()?,
        })
    }
}

fn webhook(written: Spanned<WrittenWebhook>) -> Result<WebhookSettings, Bad> {
    let at = written.referenced;
    let WrittenWebhook {
        path,
        secret_env,
        secret_file,
    } = written.value;
    Ok(WebhookSettings {
        path: understood(path, |t| named("path", route(t)))?
            .unwrap_or_else(|| "/webhook".to_owned()),
        secret: secret("webhook", "secret", at, secret_env, secret_file)?,
    })
}

fn status(written: Spanned<WrittenStatus>) -> Result<StatusSettings, Bad> {
    let at = written.referenced;
    let WrittenStatus {
        github,
        gitlab,
        api,
        token_env,
        token_file,
        context,
    } = written.value;
    let github = understood(github, |t| named("github", repository(t)))?;
    let gitlab = understood(gitlab, |t| named("gitlab", project_name(t)))?;
    let (project, usual) = match (github, gitlab) {
        (Some(name), None) => (Project::GitHub(name), "https://api.github.com"),
        (None, Some(name)) => (Project::GitLab(name), "https://gitlab.com/api/v4"),
        _ => {
            let what = "status: name one of github: OWNER/NAME and gitlab: PROJECT";
            return Err((at, what.to_owned()));
        }
    };
    Ok(StatusSettings {
        project,
        api: understood(api, |t| named("api", endpoint(t)))?.unwrap_or_else(|| usual.to_owned()),
        token: secret("status", "token", at, token_env, token_file)?,
        context: understood(context, |t| named("context", label(t)))?
            .unwrap_or_else(|| CONTEXT.to_owned()),
    })
}

fn secret(
    whose: &str,
    what: &str,
    at: Location,
    env: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
) -> Result<SecretFrom, Bad> {
    match (understood(env, variable)?, understood(path, file)?) {
        (Some(name), None) => Ok(SecretFrom::Env(name)),
        (None, Some(path)) => Ok(SecretFrom::File(path)),
        _ => Err((
            at,
            format!(
                "{whose}: name one of {what}Env (an environment variable) and {what}File; the \
                 {what} itself never stands in this file"
            ),
        )),
    }
}

fn named<T>(name: &str, read: Result<T, String>) -> Result<T, String> {
    read.map_err(|error| format!("{name}: {error}"))
}

fn written_url(text: &str) -> Result<String, String> {
    let text = url::url(text).map_err(|error| format!("url: {error}"))?;
    let authority = text
        .split_once("://")
        .and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    let user = authority
        .and_then(|a| a.rsplit_once('@'))
        .map(|(user, _)| user);
    if user.is_some_and(|user| user.contains(':')) {
        return Err(
            "url: it holds a password; use a credential helper of Git, or `urlEnv:` with the name \
             of an environment variable that holds the whole URL"
                .to_owned(),
        );
    }
    Ok(text)
}

fn variable(text: &str) -> Result<String, String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let sound = !text.is_empty() && text.bytes().all(legal) && !text.as_bytes()[0].is_ascii_digit();
    sound
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no name of an environment variable"))
}

fn file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(format!("{text:?} is no path of a file"));
    }
    Ok(text.into())
}

fn percent(text: &str) -> Result<u8, String> {
    let digits = text.strip_suffix('%').unwrap_or_default();
    match digits.parse() {
        Ok(share @ 0..=100) => Ok(share),
        _ => Err(format!(
            "{text:?} is no share between 0% and 100%; write 20%"
        )),
    }
}

/// A path that the controller's own pages do not have.
fn route(text: &str) -> Result<String, String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.');
    let own = ["/healthz", "/readyz", "/metrics"].contains(&text);
    let sound = text.len() > 1 && text.starts_with('/') && text.bytes().all(legal) && !own;
    sound
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no path of its own; write one such as /webhook"))
}

fn repository(text: &str) -> Result<String, String> {
    let part = |part: &str| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        !matches!(part, "" | "." | "..") && part.bytes().all(legal)
    };
    match text.split_once('/') {
        Some((owner, name)) if part(owner) && part(name) => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is no repository; write OWNER/NAME")),
    }
}

fn project_name(text: &str) -> Result<String, String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    let sound = !text.is_empty() && text.bytes().all(legal) && !text.contains("..");
    sound
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no project; write its number or its path"))
}

fn endpoint(text: &str) -> Result<String, String> {
    let uri: Result<http::Uri, _> = text.parse();
    let local = crate::aws::session::is_loopback(text);
    let sound = uri.is_ok_and(|uri| {
        let scheme = uri.scheme_str();
        uri.host().is_some()
            && uri.query().is_none()
            && (scheme == Some("https") || (scheme == Some("http") && local))
            && uri.authority().is_some_and(|a| !a.as_str().contains('@'))
    });
    sound
        .then(|| text.trim_end_matches('/').to_owned())
        .ok_or_else(|| {
            format!(
                "{:?} is no https:// address of an API; a token is never sent over http but on \
                 this machine",
                url::mask(text)
            )
        })
}

fn label(text: &str) -> Result<String, String> {
    let sound =
        !text.is_empty() && text.len() <= CONTEXT_MAX && !text.chars().any(char::is_control);
    sound
        .then(|| text.to_owned())
        .ok_or_else(|| format!("{text:?} is no name; write one of at most {CONTEXT_MAX} bytes"))
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, SettingsError, parse};
    use super::*;

    fn read(text: &str) -> Result<Settings, SettingsError> {
        parse("evenkeel.yaml", text)
    }

    fn fault(git: &str) -> String {
        read(&format!("source:\n  git: {{{git}}}\n"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_url_is_enough() {
        let settings = read("source:\n  git: {url: https://host/e.git}\n").unwrap();
        let git = settings.source.unwrap();
        assert_eq!(git.url, UrlFrom::Written("https://host/e.git".into()));
        assert_eq!(
            (git.branch.as_str(), git.folder.as_str()),
            ("main", "desired-state")
        );
        assert_eq!(
            (git.vanish, git.signers, git.webhook, git.status),
            (20, None, None, None)
        );
    }

    #[test]
    fn all_of_it_is_read() {
        let text = "source:\n  git:\n    urlEnv: ESTATE_URL\n    branch: release\n    path: .\n    \
                    interval: 5m\n    state: /var/lib/evenkeel\n    vanish: 10%\n    \
                    verify: {signatures: /etc/evenkeel/signers}\n    \
                    webhook: {path: /hook, secretEnv: HOOK}\n    \
                    status: {gitlab: group/estate, tokenFile: /run/token, context: evenkeel/prod}\n";
        let git = read(text).unwrap().source.unwrap();
        assert_eq!(git.url, UrlFrom::Env("ESTATE_URL".into()));
        assert_eq!(
            (git.branch.as_str(), git.folder.as_str(), git.vanish),
            ("release", "", 10)
        );
        assert_eq!(git.interval, Some(Duration::from_secs(300)));
        assert_eq!(git.webhook.unwrap().secret, SecretFrom::Env("HOOK".into()));
        let status = git.status.unwrap();
        assert_eq!(status.api, "https://gitlab.com/api/v4");
        assert_eq!(status.token, SecretFrom::File("/run/token".into()));
    }

    #[test]
    fn what_must_not_reach_git_or_a_wire_is_told_with_its_place() {
        for (git, said) in [
            ("branch: main", "url is missing"),
            ("url: \"--upload-pack=x\"", "is no URL"),
            ("url: \"ext::sh\"", "helper program"),
            ("url: \"https://u:hush@host/e\"", "holds a password"),
            ("url: https://h/e, branch: -x", "no name of a branch"),
            ("url: https://h/e, path: ../etc", "no folder below"),
            ("url: https://h/e, vanish: 120%", "no share"),
            (
                "url: https://h/e, webhook: {path: /metrics, secretEnv: A}",
                "no path of its own",
            ),
            (
                "url: https://h/e, webhook: {path: /hook}",
                "name one of secretEnv",
            ),
            (
                "url: https://h/e, status: {github: acme, tokenEnv: A}",
                "OWNER/NAME",
            ),
            (
                "url: https://h/e, status: {github: a/b, tokenEnv: A, api: \"http://far/\"}",
                "never sent over http",
            ),
            ("url: https://h/e, brnch: x", "did you mean `branch`?"),
        ] {
            let fault = fault(git);
            assert!(fault.starts_with("evenkeel.yaml:2:"), "{fault}");
            assert!(fault.contains(said), "{fault}");
            assert!(!fault.contains("hush"), "{fault}");
        }
    }
}
