//! HTTP: what the controller shows to probes and to Prometheus. It takes no orders: a webhook only
//! makes it look.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use super::telemetry::Telemetry;
use super::webhook::{self, Message, Webhook};

/// A controller that has not looked for this many intervals is not alive any more.
const MISSED_LOOKS: u32 = 10;

#[derive(Clone)]
struct Shown {
    telemetry: Arc<Telemetry>,
    interval: Duration,
}

/// Serves `/healthz`, `/readyz`, `/metrics` and the webhook, if there is one, until `shutdown`
/// completes.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    telemetry: Arc<Telemetry>,
    interval: Duration,
    webhook: Option<Webhook>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(Shown {
            telemetry: Arc::clone(&telemetry),
            interval,
        });
    let app = match webhook {
        Some(webhook) => app.merge(hook(webhook, telemetry)),
        None => app,
    };
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

fn hook(webhook: Webhook, telemetry: Arc<Telemetry>) -> Router {
    let path = webhook.path.clone();
    Router::new()
        .route(&path, post(called))
        .layer(DefaultBodyLimit::max(webhook::BODY_MAX))
        .with_state((webhook, telemetry))
}

async fn called(
    State((webhook, telemetry)): State<(Webhook, Arc<Telemetry>)>,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let message = webhook::message(&headers, &body, &webhook.secret, telemetry.now());
    telemetry.webhook(message);
    match message {
        Message::Genuine => {
            webhook.ask.notify_one();
            (StatusCode::ACCEPTED, "looking\n")
        }
        Message::Foreign => (
            StatusCode::UNAUTHORIZED,
            "the signature is missing, or is not that of the secret\n",
        ),
    }
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
