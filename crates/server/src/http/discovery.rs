//! The discovery documents, by which Skapi's client finds the service.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::{Method, header},
    response::{IntoResponse as _, Response},
};
use skapi_rtc_protocol::{AdminEndpoints, RecordEndpoints};

use super::{ApiError, origin::Origin};
use crate::{accept::Peer, shared::Shared};

/// Which of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    Admin,
    Record,
}

/// The document that a path names: `/<region>/admin-v1.json`. The client's option `target_cdn` can only put
/// a path of its own before it, which then ends with `.cloudfront.net`.
pub(super) fn asked_for(path: &str) -> Option<Document> {
    let mut segments = path.strip_prefix('/')?.rsplit('/');
    let document = match segments.next()? {
        "admin-v1.json" | "admin-v2.json" => Document::Admin,
        "record-v1.json" | "record-v2.json" => Document::Record,
        _ => return None,
    };
    let region = segments.next()?;
    let before = segments.next();
    let found = !region.is_empty() && before.is_none_or(|name| name.ends_with(".cloudfront.net"));
    found.then_some(document)
}

pub(super) async fn answer(
    document: Document,
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request,
) -> Result<Response, ApiError> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return Err(ApiError::method_not_allowed());
    }
    let address = Origin::of(&shared, &peer, request.headers()).address(&shared)?;
    let body = match document {
        Document::Admin => Json(AdminEndpoints::at(&address.api())).into_response(),
        Document::Record => {
            Json(RecordEndpoints::at(&address.api(), &address.websocket())).into_response()
        }
    };
    // It depends on who asks, and the service may move.
    Ok(([(header::CACHE_CONTROL, "no-store")], body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_by_their_path() {
        use Document::{Admin, Record};
        for (path, document) in [
            ("/us31/admin-v1.json", Some(Admin)),
            ("/us31/record-v1.json", Some(Record)),
            ("/%C3%BC/admin-v2.json", Some(Admin)),
            ("/x/.cloudfront.net/us31/record-v2.json", Some(Record)),
            ("/a/b/x.cloudfront.net/us31/admin-v1.json", Some(Admin)),
            ("/.cloudfront.net/us31/admin-v1.json", Some(Admin)),
            ("/admin-v1.json", None),
            ("//admin-v1.json", None),
            ("/us31/admin-v3.json", None),
            ("/us31/admin-v1.json/", None),
            ("/web/us31/admin-v1.json", None),
        ] {
            assert_eq!(asked_for(path), document, "{path}");
        }
    }
}
