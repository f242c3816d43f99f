//! Clients: the SDK configuration that reaches a twin in process.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_types::retry::RetryConfig;

use super::Twin;

impl Twin {
    /// A configuration for SDK clients that reaches this twin without a socket: static
    /// credentials, the twin's clock, no retries. With tokio's time paused they live in virtual time.
    pub fn sdk_config(&self) -> SdkConfig {
        let region = self.world(|world| world.region.clone());
        let credentials = Credentials::new("AKIATWIN", "twin", None, None, "twin");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .time_source(SharedTimeSource::new(self.clock.clone()))
            .sleep_impl(TokioSleep::new())
            .retry_config(RetryConfig::disabled())
            .http_client(self.http_client())
            .build()
    }
}
