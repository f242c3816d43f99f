//! The connector: how an SDK client in this process reaches the twin without a socket.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt as _;

use super::{NoAnswer, Twin};

/// An HTTP client for SDK configurations.
pub(super) fn client(twin: Twin) -> SharedHttpClient {
    http_client_fn(move |_, _| SharedHttpConnector::new(Connector(twin.clone())))
}

#[derive(Debug)]
struct Connector(Twin);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let twin = self.0.clone();
        HttpConnectorFuture::new(async move { exchange(&twin, request).await })
    }
}

async fn exchange(twin: &Twin, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request
        .try_into_http1x()
        .map_err(|err| ConnectorError::user(Box::new(err)))?;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(ConnectorError::user)?;
    let request = http::Request::from_parts(parts, body.to_bytes());
    let response = twin.exchange(request).await.map_err(|why| match why {
        NoAnswer::Refused => ConnectorError::io(Box::new(why)).never_connected(),
        NoAnswer::Lost => ConnectorError::timeout(Box::new(why)),
    })?;
    HttpResponse::try_from(response.map(SdkBody::from))
        .map_err(|err| ConnectorError::other(Box::new(err), None))
}
