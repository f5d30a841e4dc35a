//! Where consequences go: outputs in order, and what has to wait for the link.

use std::collections::VecDeque;

use skapi_rtc_protocol::ClientFrame;

use crate::{CallEvent, CallId, Event, Output};

/// Frames of running calls that are kept while the link is down. Beyond, the oldest go first: a late
/// hang-up is worth more than an early candidate.
const MAX_BACKLOG: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    outputs: VecDeque<Output>,
    backlog: VecDeque<ClientFrame>,
    link_is_up: bool,
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
        if self.link_is_up {
            self.push(Output::Send(frame));
        }
    }

    /// Sends a frame of a call: now, or once the link is back. Nothing overtakes what was kept before.
    pub(crate) fn send_or_keep(&mut self, frame: ClientFrame) {
        if self.link_is_up && self.backlog.is_empty() {
            self.push(Output::Send(frame));
            return;
        }
        if self.backlog.len() == MAX_BACKLOG {
            self.backlog.pop_front();
        }
        self.backlog.push_back(frame);
    }

    pub(crate) fn link_is_up(&self) -> bool {
        self.link_is_up
    }

    pub(crate) fn set_link(&mut self, up: bool) {
        self.link_is_up = up;
    }

    /// Sends what was kept.
    pub(crate) fn flush_backlog(&mut self) {
        let kept = std::mem::take(&mut self.backlog);
        self.outputs.extend(kept.into_iter().map(Output::Send));
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
