//! A call that another device of the same user could take over. Our extension.

use serde::{Deserialize, Serialize};

use crate::{ConnectionId, UserId};

/// A call that is up and could be taken over, as the connection that has it tells its user's others. Its key
/// is not told: only who was let take the call over learns that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HeldCall {
    /// The connection at the other end.
    #[serde(rename = "cid")]
    pub peer: ConnectionId,
    /// Whose that is.
    #[serde(rename = "user_id")]
    pub user: UserId,
}

impl HeldCall {
    /// The call with this connection of this user.
    pub fn new(peer: ConnectionId, user: UserId) -> Self {
        Self { peer, user }
    }
}
