//! A token from a service that runs in dev mode.

use serde::Deserialize;
use skapi_rtc::{
    Endpoint, OpenError, QueryError, UserId,
    transport::{Transport as _, WebSocketTransport},
};

use crate::exit::{Exit, Failure};

/// Asks `POST /dev/token` for a token of this user.
pub(crate) async fn fetch(server: &str, user: &UserId) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Answer {
        token: String,
    }
    let endpoint = Endpoint::new(server).map_err(|error| Failure::new(Exit::Usage, error))?;
    let body = serde_json::json!({ "user": user.as_str() }).to_string();
    let answer = WebSocketTransport::new()
        .query(&endpoint, "", "../dev/token", body)
        .await
        .map_err(|error| failure(server, error))?;
    serde_json::from_str(&answer)
        .map(|answer: Answer| answer.token)
        .map_err(|error| failure(server, QueryError::BadAnswer(error.to_string())))
}

fn failure(server: &str, error: QueryError) -> Failure {
    match error {
        QueryError::Refused { status: 404, .. } => Failure::msg(
            Exit::NotAuthorised,
            format!(
                "{server} gives no tokens away: it does not run with --dev; use --token-file with a \
                 token of its operator"
            ),
        ),
        QueryError::Failed(reason) => {
            let error = OpenError::Failed { address: server.to_owned(), reason };
            Failure::msg(
                Exit::Unreachable,
                format!(
                    "{error} (is the service running there? start one with `skapi-rtc serve --dev`)"
                ),
            )
        }
        error => Failure::new(Exit::Failure, error),
    }
}
