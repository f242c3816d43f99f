//! Identities: which credentials sign, and when they are asked for anew.
//!
//! The SDK keeps credentials until the hour at which they say they end, by this machine's wall
//! clock. That clock may have stepped back, and a session may be ended before its hour. So what
//! AWS calls expired is forgotten, and whoever hands out credentials is asked again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_sts::config::IdentityCache;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::identity::{
    IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body_util::BodyExt as _;

use crate::clock::Clock;

/// How every protocol of AWS names it: `ExpiredTokenException`, `ExpiredToken`.
const EXPIRED: &[u8] = b"ExpiredToken";

/// Credentials that are kept. Clones share them.
#[derive(Clone, Debug)]
pub struct Identities(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    kept: Mutex<Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    cache: SharedIdentityCache,
    era: Era,
}

/// Which asking credentials came from: of many requests that are refused at once, only the first
/// leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Era(u64);

fn empty(clock: &Clock) -> SharedIdentityCache {
    IdentityCache::lazy().time_source(clock.clone()).build()
}

impl Identities {
    /// None yet; they run out by `clock`.
    pub fn new(clock: Clock) -> Self {
        let kept = Mutex::new(Kept {
            cache: empty(&clock),
            era: Era(0),
        });
        Self(Arc::new(Inner { clock, kept }))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `http`, whose answers tell when the credentials have expired.
    pub fn heed(&self, http: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Heeding {
            identities: self.clone(),
            http,
        })
    }

    /// That of a request which is sent now.
    fn era(&self) -> Era {
        self.kept().era
    }

    /// Takes note of an error's body, the answer to a request of `era`.
    fn refused(&self, era: Era, body: &[u8]) {
        let expired = body.windows(EXPIRED.len()).any(|word| word == EXPIRED);
        let mut kept = self.kept();
        if expired && kept.era == era {
            tracing::debug!("the credentials have expired; others are asked for");
            *kept = Kept {
                cache: empty(&self.0.clock),
                era: Era(era.0 + 1),
            };
        }
    }
}

impl ResolveCachedIdentity for Identities {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let cache = self.kept().cache.clone();
        IdentityFuture::new(async move {
            let resolved = cache.resolve_cached_identity(resolver, components, config);
            resolved.await
        })
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        let cache = self.kept().cache.clone();
        cache.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        let cache = self.kept().cache.clone();
        cache.validate_final_config(components, config)
    }
}

#[derive(Debug)]
struct Heeding {
    identities: Identities,
    http: SharedHttpClient,
}

impl HttpClient for Heeding {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(HeedingConnector {
            identities: self.identities.clone(),
            inner: self.http.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct HeedingConnector {
    identities: Identities,
    inner: SharedHttpConnector,
}

impl HttpConnector for HeedingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let identities = self.identities.clone();
        let era = identities.era();
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let mut answer = answer.await?;
            if answer.status().is_client_error() {
                let body = std::mem::replace(answer.body_mut(), SdkBody::taken());
                let body = body
                    .collect()
                    .await
                    .map_err(|error| ConnectorError::other(error, None))?
                    .to_bytes();
                identities.refused(era, &body);
                *answer.body_mut() = SdkBody::from(body);
            }
            Ok(answer)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_aws_calls_expired_ends_an_era_and_only_once() {
        let identities = Identities::new(Clock::system());
        let first = identities.era();
        identities.refused(first, br#"{"__type":"AccessDeniedException"}"#);
        assert_eq!(identities.era(), first);
        identities.refused(first, br#"{"__type":"ExpiredTokenException"}"#);
        let second = identities.era();
        assert_ne!(second, first);
        // The others that were under way meanwhile say nothing of the new ones.
        identities.refused(first, b"<Code>ExpiredToken</Code>");
        assert_eq!(identities.era(), second);
    }
}
