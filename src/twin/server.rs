//! The server: the twin on a socket, for `aws`, boto3 and everything else that speaks HTTP.

use std::convert::Infallible;
use std::future::Future;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;

use super::Twin;

/// Serves `twin` on `listener` until `shutdown` is done. Speaks plain HTTP: meant for loopback.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    twin: Twin,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = axum::Router::new().fallback(answer).with_state(twin);
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown)
        .await
}

async fn answer(State(twin): State<Twin>, request: Request) -> Result<Response, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        // The caller went away in the middle of its request: there is nobody to answer.
        return Ok(broken_off());
    };
    let request = http::Request::from_parts(parts, body.to_bytes());
    Ok(match twin.exchange(request).await {
        Ok(response) => response.map(Body::from),
        Err(_) => broken_off(),
    })
}

/// An answer that breaks off before its body: the closest that HTTP comes to a lost answer.
fn broken_off() -> Response {
    let broken = futures_util::stream::once(async {
        Err::<Bytes, _>(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    });
    Response::new(Body::from_stream(broken))
}
