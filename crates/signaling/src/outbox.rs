//! Where consequences go: outputs in order, and what has to wait for the link.

use std::collections::VecDeque;

use skapi_rtc_protocol::ClientFrame;

use crate::{CallEvent, CallId, Event, Output, resume::Resume};

/// Frames of running calls that are kept while the link is down. Beyond, the oldest go first: a late
/// hang-up is worth more than an early candidate.
const MAX_BACKLOG: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    outputs: VecDeque<Output>,
    backlog: VecDeque<ClientFrame>,
    socket: Socket,
    /// What it takes to come back as the same connection: every frame that goes out is counted there.
    pub(crate) resume: Resume,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Socket {
    #[default]
    None,
    /// Open, but it is not known yet which connection it is.
    Open,
    /// The service has greeted, or does not greet.
    Greeted,
}

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    pub(crate) fn call_event(&mut self, call: CallId, event: CallEvent) {
        self.event(Event::Call { call, event });
    }

    /// Sends a frame that is worth nothing on another link.
    pub(crate) fn send(&mut self, frame: ClientFrame) {
        if self.link_is_up() {
            self.transmit(frame);
        }
    }

    /// Says that we are here, and how far.
    pub(crate) fn keep_alive(&mut self) {
        if self.socket_is_open() {
            let received = self.resume.tell();
            self.push(Output::Send(ClientFrame::KeepAlive { received }));
        }
    }

    /// Sends a frame of a call: now, or once the link is back. Nothing overtakes what was kept before.
    pub(crate) fn send_or_keep(&mut self, frame: ClientFrame) {
        if self.link_is_up() && self.backlog.is_empty() {
            self.transmit(frame);
            return;
        }
        if self.backlog.len() == MAX_BACKLOG {
            self.backlog.pop_front();
        }
        self.backlog.push_back(frame);
    }

    /// Frames can be sent.
    pub(crate) fn link_is_up(&self) -> bool {
        self.socket == Socket::Greeted
    }

    pub(crate) fn socket_is_open(&self) -> bool {
        self.socket != Socket::None
    }

    pub(crate) fn on_socket_open(&mut self) {
        self.socket = Socket::Open;
        self.resume.on_socket();
    }

    pub(crate) fn on_greeted(&mut self) {
        self.socket = Socket::Greeted;
    }

    pub(crate) fn on_socket_gone(&mut self) {
        self.socket = Socket::None;
    }

    /// Sends again what the service has not taken of the connection that goes on.
    pub(crate) fn send_rest(&mut self) {
        self.outputs.extend(self.resume.kept().cloned().map(Output::Send));
    }

    /// Sends what was kept.
    pub(crate) fn flush_backlog(&mut self) {
        for frame in std::mem::take(&mut self.backlog) {
            self.transmit(frame);
        }
    }

    fn transmit(&mut self, mut frame: ClientFrame) {
        self.resume.on_sent(&mut frame);
        self.push(Output::Send(frame));
    }

    pub(crate) fn drop_backlog(&mut self) {
        self.backlog.clear();
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn backlog_len(&self) -> usize {
        self.backlog.len()
    }
}
