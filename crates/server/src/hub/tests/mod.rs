//! The rules of the hub, one by one, and all together against a model.

mod model;
mod queries;
mod resume;
mod rules;

use skapi_rtc_protocol::{
    ClientFrame, ClientMessage, ConnectionId, ErrorCode, GroupName, Json, Limits, RequestRef,
    Resumed, ServerFrame, UserId, decode_server, http::PageRequest,
};

use super::*;

/// A hub, and what each of its connections was sent.
struct Room {
    hub: Hub,
    sent: Vec<(String, ServerFrame)>,
}

impl Room {
    fn new() -> Self {
        Self::with(HubLimits::default())
    }

    fn with(limits: HubLimits) -> Self {
        Self { hub: Hub::new(limits), sent: Vec::new() }
    }

    /// Connections whose ids are `user/number`, without the slash.
    fn connect(&mut self, connection: &str) {
        self.try_connect(connection).unwrap();
    }

    fn try_connect(&mut self, connection: &str) -> Result<(), ConnectError> {
        self.hub.connect(cid(connection), user_of(connection))
    }

    fn member(&mut self, connection: &str, group: &str) {
        self.connect(connection);
        self.join(connection, Some(group));
        self.sent.clear();
    }

    fn join(&mut self, connection: &str, group: Option<&str>) {
        self.frame(connection, join(group, None));
    }

    fn frame(&mut self, connection: &str, frame: ClientFrame) {
        let deliveries = self.hub.handle_frame(&cid(connection), frame);
        self.deliver(deliveries);
    }

    fn disconnect(&mut self, connection: &str) {
        let deliveries = self.hub.disconnect(&cid(connection));
        self.deliver(deliveries);
    }

    fn deliver(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let reached = self.hub.recipients(&delivery.to).count();
            self.note(&delivery);
            if let Some(receipt) = delivery.receipt {
                self.note(&receipt.answer(reached));
            }
        }
    }

    fn note(&mut self, delivery: &Delivery) {
        let text = std::str::from_utf8(&delivery.frame).unwrap();
        assert!(!text.contains('%'), "unprotected: {text}");
        let frame = decode_server(text, &Limits::default()).unwrap();
        for cid in self.hub.recipients(&delivery.to) {
            self.sent.push((cid.as_str().to_owned(), frame.clone()));
        }
    }

    /// What was sent since the last time, as `recipient: frame`.
    fn heard(&mut self) -> Vec<String> {
        let sent = std::mem::take(&mut self.sent);
        let mut lines: Vec<_> =
            sent.into_iter().map(|(to, frame)| format!("{to}: {}", shown(&frame))).collect();
        lines.sort();
        lines
    }
}

fn cid(text: &str) -> ConnectionId {
    ConnectionId::new(text).unwrap()
}

fn group(text: &str) -> GroupName {
    GroupName::new(text).unwrap()
}

/// `alice2` is a connection of `alice`.
fn user_of(connection: &str) -> UserId {
    UserId::new(connection.trim_end_matches(|c: char| c.is_ascii_digit())).unwrap()
}

fn join(name: Option<&str>, reference: Option<RequestRef>) -> ClientFrame {
    ClientFrame::JoinRoom { group: name.map(group), token: None, reference }
}

fn broadcast(name: &str, content: &str, reference: Option<RequestRef>) -> ClientFrame {
    ClientFrame::Broadcast { group: group(name), message: message(content, reference) }
}

fn private(user: &str, content: &str, reference: Option<RequestRef>) -> ClientFrame {
    ClientFrame::SendMessage {
        user: UserId::new(user).unwrap(),
        message: message(content, reference),
    }
}

fn rtc(to: &str, content: &str, reference: Option<RequestRef>) -> ClientFrame {
    ClientFrame::Rtc { to: cid(to), content: Json::from(content), token: None, reference }
}

fn message(content: &str, reference: Option<RequestRef>) -> ClientMessage {
    let mut message = ClientMessage::new(Json::from(content));
    message.reference = reference;
    message
}

fn shown(frame: &ServerFrame) -> String {
    match frame {
        ServerFrame::Message { content, user, from, group } => {
            format!("{content} of {user} {} in {group}", from.as_str())
        }
        ServerFrame::Private { content, user, from } => {
            format!("private {content} of {user} {}", from.as_str())
        }
        ServerFrame::Rtc { content, user, from } => {
            format!("rtc {content} of {user} {}", from.as_str())
        }
        ServerFrame::Notice(notice) => {
            let Notice { code, from, group, .. } = notice;
            format!("{code} {} {group}", from.as_str())
        }
        ServerFrame::Error { code, reference, .. } => {
            let code = code.as_ref().map_or("?", |code| code.as_str());
            format!("{code} {reference:?}")
        }
        ServerFrame::Done { reference } => format!("done {reference}"),
        ServerFrame::Link { state, of } => format!("link of {} {state}", of.as_str()),
        other => format!("{other:?}"),
    }
}
