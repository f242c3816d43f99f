//! Webhook: who may say that there is something new. It is never told what is new: it only looks.

use std::sync::Arc;

use aws_smithy_types::base64;
use axum::http::HeaderMap;
use hmac::{Hmac, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;
use tokio::sync::Notify;

use super::secret::Secret;

/// Largest body that is read, in bytes. A forge's message about a push has a few kilobytes, and one
/// about two thousand commits a few megabytes.
pub const BODY_MAX: usize = 4 << 20;
/// How old or new a message with a time may be: the tolerance of the Standard Webhooks specification.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// An address that a forge calls.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its path.
    pub path: String,
    /// What the forge signs with.
    pub secret: Secret,
    /// Who looks.
    pub ask: Arc<Notify>,
}

/// What a message is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// It is from one who knows the secret.
    Genuine,
    /// It is not, or it does not say.
    Foreign,
}

/// Whether a message is from one who knows the secret: GitHub's `X-Hub-Signature-256` (and Gitea's and
/// Forgejo's of the same name), GitLab's signing token (`webhook-signature`), or its secret token
/// (`X-Gitlab-Token`). All comparisons take the same time wherever they differ.
pub fn message(headers: &HeaderMap, body: &[u8], secret: &Secret, now: Timestamp) -> Message {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let genuine = if let Some(signature) = text("x-hub-signature-256") {
        hub(signature, body, secret)
    } else if let Some(signatures) = text("webhook-signature") {
        let head = text("webhook-id").zip(text("webhook-timestamp"));
        head.is_some_and(|(id, at)| standard(signatures, id, at, body, secret, now))
    } else {
        text("x-gitlab-token").is_some_and(|token| same(token, secret))
    };
    if genuine {
        Message::Genuine
    } else {
        Message::Foreign
    }
}

fn keyed(key: &[u8]) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(key).ok()
}

/// `sha256=` and the signature in hexadecimal digits.
fn hub(signature: &str, body: &[u8], secret: &Secret) -> bool {
    let bytes = signature.strip_prefix("sha256=").map(hex::decode);
    let (Some(Ok(bytes)), Some(mut mac)) = (bytes, keyed(secret.reveal().as_bytes())) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&bytes).is_ok()
}

/// Standard Webhooks: `v1,` and base64 of the signature of `id.timestamp.body`, several of them between
/// spaces while keys are changed. The key is base64 behind `whsec_`, or the secret as it is.
fn standard(
    signatures: &str,
    id: &str,
    at: &str,
    body: &[u8],
    secret: &Secret,
    now: Timestamp,
) -> bool {
    let sent = at.parse().ok().map(Timestamp::from_second);
    let Some(Ok(sent)) = sent else {
        return false;
    };
    if now.duration_since(sent).abs() > TOLERANCE {
        return false;
    }
    let key = match secret.reveal().strip_prefix("whsec_") {
        Some(key) => base64::decode(key).unwrap_or_default(),
        None => secret.reveal().as_bytes().to_vec(),
    };
    let Some(mut mac) = keyed(&key).filter(|_| !key.is_empty()) else {
        return false;
    };
    for part in [id.as_bytes(), b".", at.as_bytes(), b".", body] {
        mac.update(part);
    }
    signatures
        .split(' ')
        .filter_map(|one| base64::decode(one.strip_prefix("v1,")?).ok())
        .any(|bytes| mac.clone().verify_slice(&bytes).is_ok())
}

/// Whether `token` is the secret: the digests of both are compared, so that neither length nor place
/// of a difference shows in the time it takes.
fn same(token: &str, secret: &Secret) -> bool {
    let digest = |text: &str| {
        keyed(b"evenkeel").map(|mut mac| {
            mac.update(text.as_bytes());
            mac
        })
    };
    match (digest(token), digest(secret.reveal())) {
        (Some(token), Some(secret)) => secret.verify(&token.finalize().into_bytes()).is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"ref":"refs/heads/main"}"#;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<Vec<(axum::http::HeaderName, axum::http::HeaderValue)>>()
            .into_iter()
            .collect()
    }

    fn judge(secret: &str, pairs: &[(&'static str, &str)], body: &[u8]) -> Message {
        let secret = Secret::new(secret).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        message(&headers(pairs), body, &secret, now)
    }

    /// The example of GitHub's own documentation of webhooks.
    #[test]
    fn the_signature_of_githubs_documentation_is_genuine() {
        let secret = "It's a Secret to Everybody";
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let pairs = [("x-hub-signature-256", signature)];
        assert_eq!(judge(secret, &pairs, b"Hello, World!"), Message::Genuine);
        assert_eq!(judge(secret, &pairs, b"Hello, World?"), Message::Foreign);
        assert_eq!(judge("another", &pairs, b"Hello, World!"), Message::Foreign);
    }

    #[test]
    fn gitlabs_token_has_to_be_the_whole_secret() {
        let token = |token: &str| judge("hush-hush", &[("x-gitlab-token", token)], BODY);
        assert_eq!(token("hush-hush"), Message::Genuine);
        for bad in ["", "hush", "hush-hush-hush", "HUSH-HUSH"] {
            assert_eq!(token(bad), Message::Foreign, "{bad}");
        }
    }

    #[test]
    fn a_standard_signature_is_bound_to_its_id_its_time_and_its_body() {
        let key = b"0123456789abcdef0123456789abcdef";
        let secret = format!("whsec_{}", base64::encode(key));
        let sign = |text: String| {
            let mut mac = keyed(key).unwrap();
            mac.update(text.as_bytes());
            format!("v1,{}", base64::encode(mac.finalize().into_bytes()))
        };
        let body = std::str::from_utf8(BODY).unwrap();
        let good = sign(format!("m1.1700000000.{body}"));
        let pairs = |id, at, signature| {
            [
                ("webhook-id", id),
                ("webhook-timestamp", at),
                ("webhook-signature", signature),
            ]
        };
        let rotated = format!("v1,AAAA {good}");
        for signature in [&good, &rotated] {
            let pairs = pairs("m1", "1700000000", signature);
            assert_eq!(judge(&secret, &pairs, BODY), Message::Genuine);
        }
        for (id, at, body) in [
            ("m2", "1700000000", BODY),
            ("m1", "1700000001", BODY),
            ("m1", "1700000000", b"{}".as_slice()),
        ] {
            assert_eq!(
                judge(&secret, &pairs(id, at, &good), body),
                Message::Foreign
            );
        }
        // Sent again after a quarter of an hour.
        let old = sign(format!("m1.1699999100.{body}"));
        assert_eq!(
            judge(&secret, &pairs("m1", "1699999100", &old), BODY),
            Message::Foreign
        );
    }

    #[test]
    fn nothing_said_is_nothing_known() {
        assert_eq!(judge("hush-hush", &[], BODY), Message::Foreign);
        // The weaker proof does not make up for a wrong stronger one.
        let both = [
            ("x-hub-signature-256", "sha256=00"),
            ("x-gitlab-token", "hush-hush"),
        ];
        assert_eq!(judge("hush-hush", &both, BODY), Message::Foreign);
    }
}
