//! `GET service`: who the service is, and how it sees who asks.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{RawQuery, State},
    http::{HeaderMap, header},
};
use skapi_rtc_protocol::{Project, http::ServiceInfo};

use super::{origin::Origin, query_field};
use crate::{accept::Peer, shared::Shared};

/// From this plan on the client prints no banner.
const GROUP: u32 = 3;

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Json<ServiceInfo> {
    let field = |name| query_field(query.as_deref(), name);
    if let Some(service) = field("service")
        && let Ok(project) = Project::new(&service, field("owner").as_deref())
    {
        shared.introduce(project);
    }
    let user_agent = headers.get(header::USER_AGENT);
    Json(ServiceInfo {
        ip: Origin::of(&shared, &peer, &headers).client.to_string(),
        user_agent: user_agent
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default(),
        service_name: shared.config.service_name.clone(),
        group: GROUP,
        ..ServiceInfo::default()
    })
}
