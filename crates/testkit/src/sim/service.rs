//! The realtime service's rules, as small as they can be written.

use std::collections::BTreeMap;

use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, ErrorCode, GroupName, Notice, NoticeCode, Ready, RequestRef,
    Resumed, ServerFrame, UserId,
};
use skapi_rtc_signaling::Resumption;

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
    resumes: bool,
    opened: u64,
    clients: BTreeMap<ConnectionId, Client>,
}

#[derive(Debug)]
struct Client {
    user: UserId,
    group: Option<GroupName>,
    /// The socket it has, or had last.
    socket: u64,
    online: bool,
    /// Everything that was ever sent to it.
    sent: Vec<ServerFrame>,
    /// How many of its frames were taken.
    taken: u64,
}

const SECRET: &str = "secret-";

impl Service {
    /// A service without clients.
    pub fn new(greets: bool, resumes: bool) -> Self {
        Self { greets, resumes, opened: 0, clients: BTreeMap::new() }
    }

    /// A user connects by a socket, for the first time or again. Ids are never used for two connections.
    pub fn connect(
        &mut self,
        user: UserId,
        socket: u64,
        resumption: &Resumption,
    ) -> (ConnectionId, Vec<Delivery>) {
        self.opened += 1;
        let secret = resumption.secret.as_deref().filter(|_| self.resumes);
        let known = secret.and_then(|secret| secret.strip_prefix(SECRET));
        let fresh = format!("{}-{}", user.as_str(), self.opened);
        let cid = ConnectionId::new(known.unwrap_or(&fresh))
            .unwrap_or_else(|error| unreachable!("simulated users have plain names: {error}"));
        let mut ready = Ready::new(cid.clone(), user.clone());
        ready.resume = self.resumes.then(|| format!("{SECRET}{cid}", cid = cid.as_str()));
        let mut rest = Vec::new();
        match self.clients.get_mut(&cid) {
            Some(client) => {
                (client.socket, client.online) = (socket, true);
                ready.resumed = Some(Resumed { received: client.taken, complete: true });
                let had = usize::try_from(resumption.received).unwrap_or(usize::MAX);
                rest.extend(client.sent.iter().skip(had).cloned());
            }
            None => {
                ready.resumed = known.map(|_| Resumed { received: 0, complete: false });
                let (group, sent) = (None, Vec::new());
                let client = Client { user, group, socket, online: true, sent, taken: 0 };
                self.clients.insert(cid.clone(), client);
            }
        }
        let greeting = self.greets.then_some(ServerFrame::Ready(ready));
        let frames = greeting.into_iter().chain(rest);
        let out = frames.map(|frame| of_service(&cid, frame)).collect();
        (cid, out)
    }

    /// How many connections it knows.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether it knows nobody.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Keeps what clients may have to get again.
    pub(super) fn noted(&mut self, deliveries: Vec<Delivery>) -> Vec<Delivery> {
        for delivery in &deliveries {
            self.note(delivery);
        }
        deliveries
    }

    /// Loses its memory, as a service does that is started again.
    pub fn restart(&mut self) {
        self.clients.clear();
    }

    /// A frame is on its way to a client, which may have to get it again.
    pub fn note(&mut self, delivery: &Delivery) {
        if let Some(client) = self.clients.get_mut(&delivery.to) {
            client.sent.push(delivery.frame.clone());
        }
    }

    /// A frame has come by this socket. False if it counts for nothing, because the connection has another.
    pub fn take(&mut self, from: &ConnectionId, socket: u64, frame: &ClientFrame) -> bool {
        let counts = !matches!(frame, ClientFrame::KeepAlive { .. });
        match self.clients.get_mut(from).filter(|client| client.socket == socket) {
            Some(client) => {
                client.taken += u64::from(counts);
                true
            }
            None => false,
        }
    }

    /// A socket is lost. True if its connection stays for a while, because it may come back.
    pub fn lose(&mut self, cid: &ConnectionId, socket: u64) -> bool {
        match self.clients.get_mut(cid).filter(|client| client.socket == socket) {
            Some(client) => {
                client.online = false;
                self.resumes
            }
            None => false,
        }
    }

    /// The time is over in which a connection might have come back.
    pub fn give_up(&mut self, cid: &ConnectionId, socket: u64) -> Vec<Delivery> {
        let gone = self.clients.get(cid).is_some_and(|c| c.socket == socket && !c.online);
        if gone { self.disconnect(cid) } else { Vec::new() }
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
