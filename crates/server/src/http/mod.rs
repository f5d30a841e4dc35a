//! The HTTP routes.

mod dev;
mod discovery;
mod error;
mod forwarded;
mod origin;
mod queries;
mod self_host;
mod service;
mod web;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
    routing::{any, get, post},
};
use serde::Deserialize;
use skapi_rtc_protocol::RequestRef;
use tower_http::cors::{Any, CorsLayer};

pub(crate) use error::ApiError;

use crate::{
    accept::Peer,
    auth::{AuthError, Identity},
    shared::{Shared, lock},
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
        .route("/api/get-users", post(queries::get_users))
        .route("/api/service", get(service::answer))
        .route("/api/{*rest}", any(async || ApiError::not_found()))
        .route("/health", get(health))
        .route("/self-host.js", get(self_host::answer))
        .route("/ws", get(socket::open));
    if shared.config.expose_metrics {
        app = app.route("/metrics", get(metrics));
    }
    if shared.dev.is_some() {
        app = app.route("/dev/session", post(dev::session)).route("/dev/token", post(dev::token));
    }
    app.fallback(fallback)
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn(in_time))
        .layer(cors())
        .with_state(shared)
}

/// Checks a token. Counts those that are refused, and remembers what the others say.
pub(crate) async fn authenticate(
    shared: &Shared,
    token: Option<&str>,
) -> Result<Identity, ApiError> {
    let token = token.filter(|token| !token.is_empty());
    let identity = match token {
        Some(token) => shared.authenticator.authenticate(token).await,
        None => Err(AuthError::Missing),
    };
    let identity = identity.inspect_err(|_| shared.metrics.unauthorized_total.add(1))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    lock(&shared.directory).seen(&identity, u64::try_from(now).unwrap_or(u64::MAX));
    Ok(identity)
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

/// A field of a query string, decoded.
fn query_field(query: Option<&str>, name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(query?.as_bytes());
    fields.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Whatever is no route: a discovery document, a file, or nothing.
async fn fallback(
    State(shared): State<Arc<Shared>>,
    peer: Extension<Peer>,
    request: Request,
) -> Response {
    if let Some(document) = discovery::asked_for(request.uri().path()) {
        return discovery::answer(document, State(shared), peer, request).await.into_response();
    }
    match &shared.config.web {
        Some(folder) => web::serve(folder, request).await,
        None => ApiError::not_found().into_response(),
    }
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
