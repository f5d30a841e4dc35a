//! The HTTP routes.

mod dev;
mod error;
mod queries;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use skapi_rtc_protocol::{RequestRef, http::ServiceInfo};
use tower_http::cors::{Any, CorsLayer};

pub(crate) use error::ApiError;

use crate::{
    auth::{AuthError, Identity},
    shared::Shared,
    socket,
};

/// The largest body of a query, in bytes. Real ones have a few hundred.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// How long a request may take, the arrival of its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a browser may remember that it may ask.
const CORS_MAX_AGE: Duration = Duration::from_secs(86_400);

/// Every route of the service.
pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    let mut app = Router::new()
        .route("/api/get-ws-group", post(queries::get_ws_group))
        .route("/api/service", get(service))
        .route("/health", get(health))
        .route("/ws", get(socket::open));
    if shared.config.expose_metrics {
        app = app.route("/metrics", get(metrics));
    }
    if shared.dev.is_some() {
        app = app.route("/dev/token", post(dev::token));
    }
    app.fallback(async || ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", "no such address"))
        .method_not_allowed_fallback(async || {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD_NOT_ALLOWED",
                "this address does not answer to this method",
            )
        })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(in_time))
        .layer(cors())
        .with_state(shared)
}

/// Checks a token, and counts those that are refused.
pub(crate) async fn authenticate(
    shared: &Shared,
    token: Option<&str>,
) -> Result<Identity, ApiError> {
    let token = token.filter(|token| !token.is_empty());
    let identity = match token {
        Some(token) => shared.authenticator.authenticate(token).await,
        None => Err(AuthError::Missing),
    };
    identity.map_err(|error| {
        shared.metrics.unauthorized_total.add(1);
        ApiError::from(error)
    })
}

/// The `ref` of a frame that cannot be read as a whole, where at least that much can.
pub(crate) fn reference_of(frame: &str) -> Option<RequestRef> {
    #[derive(Deserialize)]
    struct Reference {
        #[serde(rename = "ref")]
        reference: RequestRef,
    }
    // serde would take `[1]` for it, too.
    if !frame.trim_start().starts_with('{') {
        return None;
    }
    let frame: Reference = serde_json::from_str(frame).ok()?;
    Some(frame.reference)
}

async fn health() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "ok" }))
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, shared.metrics.snapshot().prometheus()).into_response()
}

async fn service(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Json<ServiceInfo> {
    /// From this plan on the client prints no banner.
    const GROUP: u32 = 3;
    let user_agent = headers.get(header::USER_AGENT);
    Json(ServiceInfo {
        ip: peer.ip().to_string(),
        user_agent: user_agent
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default(),
        service_name: shared.config.service_name.clone(),
        group: GROUP,
        ..ServiceInfo::default()
    })
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "REQUEST_TIMEOUT",
            "the request took too long",
        )
        .into_response(),
    }
}

/// Skapi's client asks across origins, and proves who it is by a token, never by a cookie; so any page
/// may ask.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("content-meta"),
        ])
        .expose_headers([header::RETRY_AFTER])
        .max_age(CORS_MAX_AGE)
}
