//! What the hub does with each frame of a client.

use skapi_rtc_protocol::{
    ClientFrame, ClientMessage, ConnectionId, ErrorCode, GroupName, Json, Notice, NoticeCode,
    RequestRef, ServerFrame, UserId,
};

use super::{Address, Delivery, Hub};
use crate::http::reference_of;

impl Hub {
    /// Carries out a frame that came from a connection.
    ///
    /// The sender's identity is the connection's, never one that the frame claims. A frame with a `ref`
    /// gets exactly one answer: a delivery to its sender among those returned, or the
    /// [receipt](super::Receipt) of one of them. Frames of an unknown connection are ignored.
    pub fn handle_frame(&mut self, from: &ConnectionId, frame: ClientFrame) -> Vec<Delivery> {
        let Some(connection) = self.presence.get(from) else {
            return Vec::new();
        };
        let user = connection.user.clone();
        if !matches!(frame, ClientFrame::KeepAlive { .. }) {
            self.resumable.count(from);
        }
        match frame {
            ClientFrame::JoinRoom { group, reference, .. } => {
                self.join(from, &user, group, reference)
            }
            ClientFrame::Broadcast { group, message } => self.broadcast(from, user, group, message),
            ClientFrame::SendMessage { user: to, message } => {
                self.send_message(from, user, to, message)
            }
            ClientFrame::Rtc { to, content, reference, .. } => {
                self.rtc(from, user, to, content, reference)
            }
            ClientFrame::Unknown { action, frame } => {
                let text = format!("This service does not know the action \"{}\".", shown(&action));
                let reference = reference_of(frame.as_str());
                vec![Delivery::error(from.clone(), ErrorCode::UnknownAction, text, reference)]
            }
            ClientFrame::KeepAlive { received } => {
                if let Some(received) = received {
                    self.resumable.acknowledge(from, received);
                }
                Vec::new()
            }
            // Actions that a later version of the protocol adds: nothing to route.
            _ => Vec::new(),
        }
    }

    /// Joins, switches or leaves. A refusal leaves the connection where it was.
    fn join(
        &mut self,
        from: &ConnectionId,
        user: &UserId,
        group: Option<GroupName>,
        reference: Option<RequestRef>,
    ) -> Vec<Delivery> {
        let current = self.presence.get(from).and_then(|c| c.group.clone());
        let mut deliveries = Vec::new();
        // A client repeats its join after a reconnect: joining again is not news to the group.
        if current != group {
            if let Some(group) = &group
                && let Err((code, text)) = self.has_room(group, current.as_ref())
            {
                let code = ErrorCode::from(code.to_owned());
                return vec![Delivery::error(from.clone(), code, text, reference)];
            }
            let notice = |code, group| {
                Delivery::notice(Notice { code, user: user.clone(), from: from.clone(), group })
            };
            if let Some(left) = self.presence.leave(from) {
                deliveries.push(notice(NoticeCode::UserLeft, left));
            }
            if let Some(joined) = group {
                self.presence.enter(from, joined.clone());
                deliveries.push(notice(NoticeCode::UserJoined, joined));
            }
        }
        deliveries.extend(done(from, reference));
        deliveries
    }

    fn has_room(
        &self,
        group: &GroupName,
        leaving: Option<&GroupName>,
    ) -> Result<(), (&'static str, String)> {
        let size = self.presence.group_size(group);
        if size >= self.limits.max_group_size {
            let max = self.limits.max_group_size;
            return Err((
                "GROUP_FULL",
                format!("The group \"{group}\" has reached its limit of {max} connections."),
            ));
        }
        // A group that the switch empties makes room for the new one.
        let emptied = leaving.is_some_and(|old| self.presence.group_size(old) == 1);
        let groups = self.presence.groups() - usize::from(emptied);
        if size == 0 && groups >= self.limits.max_groups {
            let max = self.limits.max_groups;
            return Err((
                "TOO_MANY_GROUPS",
                format!("The service has reached its limit of {max} groups; try again later."),
            ));
        }
        Ok(())
    }

    fn broadcast(
        &mut self,
        from: &ConnectionId,
        user: UserId,
        group: GroupName,
        message: ClientMessage,
    ) -> Vec<Delivery> {
        let joined = self.presence.get(from).and_then(|c| c.group.as_ref());
        if joined != Some(&group) {
            let text =
                format!("You are not in the group \"{group}\"; join it before you post to it.");
            return vec![Delivery::error(
                from.clone(),
                ErrorCode::NotInGroup,
                text,
                message.reference,
            )];
        }
        let to = Address::Group { name: group.clone(), except: None };
        let frame =
            ServerFrame::Message { content: message.content, user, from: from.clone(), group };
        let mut deliveries = vec![Delivery::new(to, &frame)];
        deliveries.extend(done(from, message.reference));
        deliveries
    }

    fn send_message(
        &mut self,
        from: &ConnectionId,
        user: UserId,
        to: UserId,
        message: ClientMessage,
    ) -> Vec<Delivery> {
        if self.presence.connections_of(&to).next().is_none() {
            let text = format!("User \"{to}\" is not connected.");
            return unreachable_peer(from, ErrorCode::UserOffline, text, message.reference);
        }
        let frame = ServerFrame::Private { content: message.content, user, from: from.clone() };
        vec![Delivery::new(Address::User(to), &frame).with_receipt(from, message.reference)]
    }

    fn rtc(
        &mut self,
        from: &ConnectionId,
        user: UserId,
        to: ConnectionId,
        content: Json,
        reference: Option<RequestRef>,
    ) -> Vec<Delivery> {
        if self.presence.get(&to).is_none() {
            let text = format!("There is no connection \"{to}\" (any more).");
            return unreachable_peer(from, ErrorCode::UnknownConnection, text, reference);
        }
        let told = self.note_peers(from, &to);
        let frame = ServerFrame::Rtc { content, user, from: from.clone() };
        let delivery = Delivery::new(Address::Connection(to), &frame);
        [delivery.with_receipt(from, reference)].into_iter().chain(told).collect()
    }
}

fn done(from: &ConnectionId, reference: Option<RequestRef>) -> Option<Delivery> {
    reference.map(|reference| Delivery::done(from.clone(), reference))
}

/// A peer that has gone is news only to who asked: Skapi's client sends a last `hungup` to peers that
/// closed their page, and would show an error for it.
fn unreachable_peer(
    from: &ConnectionId,
    code: ErrorCode,
    text: String,
    reference: Option<RequestRef>,
) -> Vec<Delivery> {
    let asked = reference.map(|_| Delivery::error(from.clone(), code, text, reference));
    asked.into_iter().collect()
}

/// The beginning of a text that a client chose, for an error that goes back to it.
fn shown(text: &str) -> &str {
    const SHOWN: usize = 64;
    text.char_indices().nth(SHOWN).map_or(text, |(end, _)| &text[..end])
}
