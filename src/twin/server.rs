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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::clock::Clock;
    use crate::twin::estate::FargateService;
    use crate::twin::faults::Fault;

    async fn ask(address: std::net::SocketAddr) -> String {
        let body = r#"{"cluster":"c","services":["web"]}"#;
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST / HTTP/1.1\r\nhost: twin\r\nconnection: close\r\n\
             content-type: application/x-amz-json-1.1\r\n\
             x-amz-target: AmazonEC2ContainerServiceV20141113.DescribeServices\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_twin_answers_on_a_socket_until_it_is_told_to_stop() {
        let twin = Twin::new(Clock::system(), 7);
        let web = FargateService::new("c", "web");
        twin.world(|w| w.add_service(&web)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let shutdown = async move {
            let _either_way = stopped.await;
        };
        let server = tokio::spawn(serve(twin.clone(), listener, shutdown));
        let answer = ask(address).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(r#""runningCount":1"#), "{answer}");
        twin.world(|w| w.faults.at_any(1, Fault::LostAfter));
        let broken = ask(address).await;
        assert!(!broken.contains("runningCount"), "{broken}");
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }
}
