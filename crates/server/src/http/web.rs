//! Static files, for pages that come with the service.

use std::path::Path;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tower::ServiceExt as _;
use tower_http::services::ServeDir;

use super::ApiError;

/// A file of the folder; a folder's own is `index.html`.
pub(super) async fn serve(folder: &Path, request: Request) -> Response {
    if is_hidden(request.uri().path()) {
        return ApiError::not_found().into_response();
    }
    let Ok(response) = ServeDir::new(folder).oneshot(request).await;
    match response.status() {
        StatusCode::NOT_FOUND => return ApiError::not_found().into_response(),
        StatusCode::METHOD_NOT_ALLOWED => return ApiError::method_not_allowed().into_response(),
        _ => {}
    }
    let mut response = response.map(Body::new);
    let headers = response.headers_mut();
    // A file that was changed shows at once; one that was not is not sent again.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Whether a part of the path begins with a dot, such as `.git` or `.env`, but for `.well-known` (RFC 8615).
fn is_hidden(path: &str) -> bool {
    let hidden = |segment: &str| {
        let dot = segment.starts_with('.')
            || segment.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2e"));
        dot && segment != ".well-known"
    };
    // An encoded slash begins a new part only for who decodes it, which is why it is looked at, too.
    path.replace("%2f", "/").replace("%2F", "/").split('/').any(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_are_told_from_others() {
        for hidden in ["/.env", "/a/.git/config", "/%2Egit/x", "/a%2f.env", "/a%2F%2eenv", "/.."] {
            assert!(is_hidden(hidden), "{hidden}");
        }
        for shown in ["/", "/a.b/c.html", "/.well-known/acme", "/%2", "/ü"] {
            assert!(!is_hidden(shown), "{shown}");
        }
    }
}
