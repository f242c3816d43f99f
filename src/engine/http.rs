//! HTTP: what the controller shows to probes and to Prometheus. It takes no orders.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use super::telemetry::Telemetry;

/// A controller that has not looked for this many intervals is not alive any more.
const MISSED_LOOKS: u32 = 10;

#[derive(Clone)]
struct Shown {
    telemetry: Arc<Telemetry>,
    interval: Duration,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `shutdown` completes.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    telemetry: Arc<Telemetry>,
    interval: Duration,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Shown {
            telemetry,
            interval,
        });
    axum::serve(listener, app)
        .with_graceful_shutdown(shutdown)
        .await
}

/// Opens the listener, with an error that says which address and what to do.
///
/// # Errors
/// When the address cannot be had.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        anyhow::anyhow!(
            "cannot listen on {address}: {error}; is another controller running here? choose \
             another address with --listen"
        )
    })
}

async fn healthz(State(shown): State<Shown>) -> impl IntoResponse {
    let limit = shown.interval.saturating_mul(MISSED_LOOKS);
    let since = shown.telemetry.since_last_look();
    if since > limit {
        let text = format!("nothing could be read for {} s\n", since.as_secs());
        (StatusCode::SERVICE_UNAVAILABLE, text)
    } else {
        (StatusCode::OK, "ok\n".to_owned())
    }
}

async fn readyz(State(shown): State<Shown>) -> impl IntoResponse {
    if shown.telemetry.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the first look is not over yet\n",
        )
    }
}

async fn metrics(State(shown): State<Shown>) -> impl IntoResponse {
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (kind, shown.telemetry.render())
}
