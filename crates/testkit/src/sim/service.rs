//! The realtime service's rules, as small as they can be written.

use std::collections::BTreeMap;

use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, ErrorCode, GroupName, Notice, NoticeCode, Ready, RequestRef,
    ServerFrame, UserId,
};

use super::Endpoint;

/// A frame on its way to a client.
#[derive(Debug)]
pub struct Delivery {
    /// Whose lane it takes: it stays behind what that one sent before.
    pub from: Endpoint,
    /// The client.
    pub to: ConnectionId,
    /// The frame.
    pub frame: ServerFrame,
}

/// Who is connected, and in which group.
#[derive(Debug)]
pub struct Service {
    greets: bool,
    opened: u64,
    clients: BTreeMap<ConnectionId, Client>,
}

#[derive(Debug)]
struct Client {
    user: UserId,
    group: Option<GroupName>,
}

impl Service {
    /// A service without clients.
    pub fn new(greets: bool) -> Self {
        Self { greets, opened: 0, clients: BTreeMap::new() }
    }

    /// A user connects. Ids are never used twice.
    pub fn connect(&mut self, user: UserId) -> (ConnectionId, Vec<Delivery>) {
        self.opened += 1;
        let cid = ConnectionId::new(format!("{}-{}", user.as_str(), self.opened))
            .unwrap_or_else(|error| unreachable!("simulated users have plain names: {error}"));
        let ready = Ready::new(cid.clone(), user.clone());
        self.clients.insert(cid.clone(), Client { user, group: None });
        let greeting = self.greets.then(|| of_service(&cid, ServerFrame::Ready(ready)));
        (cid, greeting.into_iter().collect())
    }

    /// A connection is gone.
    pub fn disconnect(&mut self, cid: &ConnectionId) -> Vec<Delivery> {
        let Some(client) = self.clients.remove(cid) else {
            return Vec::new();
        };
        match &client.group {
            Some(group) => self.notify(cid, &client.user, group, &NoticeCode::UserDisconnected),
            None => Vec::new(),
        }
    }

    /// A frame has arrived. What a connection sent before it was lost is lost with it.
    pub fn handle(&mut self, from: &ConnectionId, frame: ClientFrame) -> Vec<Delivery> {
        let Some(user) = self.clients.get(from).map(|client| client.user.clone()) else {
            return Vec::new();
        };
        match frame {
            ClientFrame::JoinRoom { group, reference, .. } => {
                let mut out = self.join(from, &user, group);
                out.extend(self.answer(from, reference, Ok(())));
                out
            }
            ClientFrame::Broadcast { group, message } => {
                if self.group_of(from) != Some(&group) {
                    let refusal = Err((ErrorCode::NotInGroup, "not in this group"));
                    return self.answer(from, message.reference, refusal);
                }
                let content = message.content;
                let mut out: Vec<_> = self
                    .members(&group)
                    .map(|to| {
                        let frame = ServerFrame::Message {
                            content: content.clone(),
                            user: user.clone(),
                            from: from.clone(),
                            group: group.clone(),
                        };
                        relayed(from, to, frame)
                    })
                    .collect();
                out.extend(self.answer(from, message.reference, Ok(())));
                out
            }
            ClientFrame::SendMessage { user: to, message } => {
                let content = message.content;
                let mut out: Vec<_> = self
                    .clients
                    .iter()
                    .filter(|(_, client)| client.user == to)
                    .map(|(cid, _)| {
                        let frame = ServerFrame::Private {
                            content: content.clone(),
                            user: user.clone(),
                            from: from.clone(),
                        };
                        relayed(from, cid, frame)
                    })
                    .collect();
                let result = if out.is_empty() {
                    Err((ErrorCode::UserOffline, "the user is not connected"))
                } else {
                    Ok(())
                };
                out.extend(self.answer(from, message.reference, result));
                out
            }
            ClientFrame::Rtc { to, content, reference, .. } => {
                if !self.clients.contains_key(&to) {
                    let refusal = Err((ErrorCode::UnknownConnection, "nobody has this id"));
                    return self.answer(from, reference, refusal);
                }
                let frame = ServerFrame::Rtc { content, user, from: from.clone() };
                let mut out = vec![relayed(from, &to, frame)];
                out.extend(self.answer(from, reference, Ok(())));
                out
            }
            _ => Vec::new(),
        }
    }

    fn join(
        &mut self,
        cid: &ConnectionId,
        user: &UserId,
        group: Option<GroupName>,
    ) -> Vec<Delivery> {
        let Some(client) = self.clients.get_mut(cid) else {
            return Vec::new();
        };
        let before = std::mem::replace(&mut client.group, group.clone());
        if before == group {
            return Vec::new();
        }
        let mut out = Vec::new();
        if let Some(left) = before {
            out.extend(self.notify(cid, user, &left, &NoticeCode::UserLeft));
        }
        if let Some(joined) = group {
            out.extend(self.notify(cid, user, &joined, &NoticeCode::UserJoined));
        }
        out
    }

    fn notify(
        &self,
        about: &ConnectionId,
        user: &UserId,
        group: &GroupName,
        code: &NoticeCode,
    ) -> Vec<Delivery> {
        self.members(group)
            .filter(|to| *to != about)
            .map(|to| {
                let notice = Notice {
                    code: code.clone(),
                    user: user.clone(),
                    from: about.clone(),
                    group: group.clone(),
                };
                relayed(about, to, ServerFrame::Notice(notice))
            })
            .collect()
    }

    fn members(&self, group: &GroupName) -> impl Iterator<Item = &ConnectionId> {
        self.clients
            .iter()
            .filter(move |(_, client)| client.group.as_ref() == Some(group))
            .map(|(cid, _)| cid)
    }

    fn group_of(&self, cid: &ConnectionId) -> Option<&GroupName> {
        self.clients.get(cid)?.group.as_ref()
    }

    fn answer(
        &self,
        to: &ConnectionId,
        reference: Option<RequestRef>,
        result: Result<(), (ErrorCode, &str)>,
    ) -> Vec<Delivery> {
        let Some(reference) = reference.filter(|_| self.greets) else {
            return Vec::new();
        };
        let frame = match result {
            Ok(()) => ServerFrame::Done { reference },
            Err((code, text)) => ServerFrame::Error {
                text: text.to_owned(),
                code: Some(code),
                reference: Some(reference),
            },
        };
        vec![of_service(to, frame)]
    }
}

fn of_service(to: &ConnectionId, frame: ServerFrame) -> Delivery {
    Delivery { from: Endpoint::Service, to: to.clone(), frame }
}

fn relayed(from: &ConnectionId, to: &ConnectionId, frame: ServerFrame) -> Delivery {
    Delivery { from: Endpoint::Client(from.clone()), to: to.clone(), frame }
}
