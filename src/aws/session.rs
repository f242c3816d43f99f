//! Sessions: credentials, region and endpoint, from flags, environment and profile, as in every
//! AWS tool.

use std::net::IpAddr;

use aws_config::BehaviorVersion;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;
use aws_types::origin::Origin;
use aws_types::region::Region;
use aws_types::service_config::ServiceConfigKey;

use super::door::{Door, Role};
use super::identity::Identities;
use crate::clock::Clock;

/// What was asked for on the command line and in the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// `--endpoint-url`: wins over every environment variable and profile.
    pub endpoint_url: Option<String>,
    /// `--region`: wins over AWS_REGION and the profile.
    pub region: Option<String>,
    /// `region:` of the settings: used when neither flag, environment nor profile names one.
    pub region_else: Option<String>,
    /// `--profile`: wins over AWS_PROFILE.
    pub profile: Option<String>,
}

/// How far requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every endpoint in use is on this machine.
    Loopback,
    /// At least one is not, so it may be AWS.
    Network,
}

/// A configuration to open a cell with.
#[derive(Clone, Debug)]
pub struct Session {
    /// Credentials, region, endpoint.
    pub sdk: SdkConfig,
    /// The way out, to put a door in front of.
    pub http: SharedHttpClient,
    /// How far it goes.
    pub reach: Reach,
}

/// AWS's ids of the services that a cell has clients of.
const SERVICES: [&str; 7] = [
    "Application Auto Scaling",
    "CloudWatch",
    "DynamoDB",
    "ECS",
    "RDS",
    "STS",
    "SNS",
];

/// An endpoint that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{url:?} is no endpoint: it must begin with http:// or https:// and name a host; see \
     --endpoint-url, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_{variable} and the profile's endpoint_url, \
     and unset what is empty"
)]
pub struct BadEndpoint {
    url: String,
    variable: String,
}

/// Loads it. Sends nothing to the estate; credentials are fetched when they are first needed.
///
/// # Errors
/// An endpoint that no request could be sent to.
pub async fn open(wish: &Wish, clock: &Clock) -> Result<Session, BadEndpoint> {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_https();
    // Whoever forgets to put a door of its own in front finds this one, which lets no call out.
    let door = Door::new(Role::Credentials, clock.clone(), http.clone());
    let identities = Identities::new(clock.clone());
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(door)
        .identity_cache(identities.clone());
    if let Some(profile) = &wish.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &wish.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    match (&wish.region, &wish.region_else) {
        (Some(region), _) => loader = loader.region(Region::new(region.clone())),
        // With a region to fall back on there is no need to ask the machine's metadata service,
        // which takes seconds to not answer where there is none.
        (None, Some(fallback)) => {
            let mut profile = ProfileFileRegionProvider::builder();
            if let Some(name) = &wish.profile {
                profile = profile.profile_name(name);
            }
            loader = loader.region(
                RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                    .or_else(profile.build())
                    .or_else(Region::new(fallback.clone())),
            );
        }
        (None, None) => {}
    }
    let sdk = loader.load().await;
    check_endpoints(&sdk)?;
    let reach = reach(&sdk);
    Ok(Session {
        sdk,
        http: identities.heed(http),
        reach,
    })
}

/// The SDK panics at an empty endpoint, and sends to nobody what goes to one without a scheme.
fn check_endpoints(sdk: &SdkConfig) -> Result<(), BadEndpoint> {
    for service in SERVICES {
        for url in [
            sdk.endpoint_url().map(str::to_owned),
            own_endpoint(sdk, service),
        ]
        .into_iter()
        .flatten()
        {
            let sound = url.parse::<http::Uri>().is_ok_and(|uri| {
                matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
            });
            if !sound {
                let variable = service.to_uppercase().replace(' ', "_");
                return Err(BadEndpoint { url, variable });
            }
        }
    }
    Ok(())
}

/// How far the clients made from `sdk` reach, looking at the endpoint of each service as the SDK
/// itself does: an explicit one, one for the service alone, one for all, AWS's own.
fn reach(sdk: &SdkConfig) -> Reach {
    let local = |service| endpoint(sdk, service).is_some_and(|url| is_loopback(&url));
    if SERVICES.iter().all(|service| local(service)) {
        Reach::Loopback
    } else {
        Reach::Network
    }
}

/// Where `service` is asked, if not at AWS's own endpoint.
fn endpoint(sdk: &SdkConfig, service: &str) -> Option<String> {
    let explicit = sdk.get_origin("endpoint_url") == Origin::shared_config();
    let own = (!explicit).then(|| own_endpoint(sdk, service)).flatten();
    own.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

/// Host and port at which STS is asked who calls, if not at AWS's own endpoint.
pub fn identity_host(sdk: &SdkConfig) -> Option<String> {
    let uri: http::Uri = endpoint(sdk, "STS")?.parse().ok()?;
    let host = uri.host()?;
    Some(match uri.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

fn own_endpoint(sdk: &SdkConfig, service: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    sdk.service_config()?.load_config(key)
}

/// Whether `url` points at this machine by its very name: 127.0.0.0/8, `::1` or `localhost`.
pub fn is_loopback(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return false;
    };
    let Some(host) = uri.host() else {
        return false;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for url in [
            "http://127.0.0.1:4566",
            "http://localhost:1",
            "https://[::1]:8443/x",
            "http://127.8.9.1",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "https://ecs.eu-central-1.amazonaws.com",
            "http://localhost.example.com",
            "http://localhost@evil.example",
            "http://127.0.0.1.nip.io",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "nonsense",
            "",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[tokio::test]
    async fn an_explicit_endpoint_decides_alone() {
        let wish = |url: &str| Wish {
            endpoint_url: Some(url.to_owned()),
            region: Some("us-east-1".into()),
            ..Wish::default()
        };
        let near = open(&wish("http://127.0.0.1:4566"), &Clock::system())
            .await
            .unwrap();
        assert_eq!(near.reach, Reach::Loopback);
        let far = open(&wish("https://example.com"), &Clock::system())
            .await
            .unwrap();
        assert_eq!(far.reach, Reach::Network);
        assert_eq!(far.sdk.region().map(Region::as_ref), Some("us-east-1"));
    }

    #[tokio::test]
    async fn an_endpoint_that_is_none_is_told_before_anything_is_sent() {
        for url in [
            "",
            "127.0.0.1:4566",
            "localhost",
            "ftp://example.com",
            "http://",
        ] {
            let wish = Wish {
                endpoint_url: Some(url.to_owned()),
                region: Some("us-east-1".into()),
                ..Wish::default()
            };
            let error = open(&wish, &Clock::system()).await.unwrap_err().to_string();
            assert!(error.contains("is no endpoint"), "{url}: {error}");
        }
    }
}
