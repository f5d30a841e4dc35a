//! The data channels of a connection: made, opened, fed and closed in the engine.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use skapi_rtc_backend::{
    ChannelError, ChannelHandle, ChannelInit, ChannelInitError, ChannelState, ChannelStats,
    Message, PeerEvent,
};
use str0m::{
    Rtc,
    channel::{ChannelConfig, ChannelData, ChannelId},
};
use tracing::{debug, warn};

use super::{Driver, window::Window};
use crate::{
    channel::Channel,
    convert,
    port::{Port, Work},
};

/// Channels of ours that one connection can have, closed ones included: there are 32,767 stream ids for
/// each side, and the engine looks through all of them for every message.
const MAX_USED_UP: usize = 16_384;

#[derive(Default)]
pub(super) struct Channels {
    /// Made by the application, and not yet by the engine, which cannot before data is negotiated.
    wanted: Vec<Wanted>,
    known: HashMap<ChannelId, Entry>,
    /// Channels with something on its way.
    in_flight: Vec<ChannelId>,
    /// Channels that the driver was called for, or whose messages the engine had no room for.
    waiting: Vec<Arc<Port>>,
    /// Stream ids that are not chosen again.
    used_up: HashSet<u16>,
    pub(super) window: Window,
}

struct Wanted {
    config: ChannelConfig,
    port: Arc<Port>,
}

struct Entry {
    port: Arc<Port>,
    open: bool,
    /// The id that both sides agreed on.
    agreed: Option<u16>,
    /// Whether the engine chose the channel's id.
    announced_by_us: bool,
}

impl Channels {
    /// Whether something waits for a negotiation.
    pub(super) fn are_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    pub(super) fn received(&mut self, data: ChannelData) {
        if let Some(entry) = self.known.get(&data.id) {
            entry.port.received(Message::received(!data.binary, Bytes::from(data.data)));
        }
    }

    pub(super) fn close_all(&mut self) {
        for wanted in std::mem::take(&mut self.wanted) {
            wanted.port.set_closed();
        }
        for (_, entry) in std::mem::take(&mut self.known) {
            entry.port.set_closed();
        }
        self.in_flight.clear();
        self.waiting.clear();
    }

    pub(super) fn figures(&self) -> Vec<ChannelStats> {
        let wanted = self.wanted.iter().map(|wanted| &wanted.port);
        let known = self.known.values().map(|entry| &entry.port);
        wanted.chain(known).map(|port| port.figures()).collect()
    }

    /// Whether a channel has this stream id, or will have it.
    fn uses(&self, rtc: &mut Rtc, id: u16) -> bool {
        self.used_up.contains(&id)
            || self.wanted.iter().any(|wanted| wanted.config.negotiated == Some(id))
            || self.known.iter().any(|(channel, entry)| {
                entry.agreed == Some(id)
                    || rtc.direct_api().sctp_stream_id_by_channel_id(*channel) == Some(id)
            })
    }

    fn find(&self, port: &Arc<Port>) -> Option<(ChannelId, bool)> {
        let (id, entry) = self.known.iter().find(|(_, entry)| Arc::ptr_eq(&entry.port, port))?;
        Some((*id, entry.open))
    }
}

impl Driver {
    pub(super) fn create_channel(
        &mut self,
        label: &str,
        init: ChannelInit,
    ) -> Result<ChannelHandle, ChannelError> {
        if !self.rtc.is_alive() {
            return Err(ChannelError::Closed);
        }
        if self.channels.used_up.len() >= MAX_USED_UP {
            return Err(ChannelError::Engine(format!(
                "{MAX_USED_UP} channels were closed in this connection, it can have no more"
            )));
        }
        if let Some(id) = init.negotiated
            && (self.negotiation.is_carrier(id) || self.channels.uses(&mut self.rtc, id))
        {
            return Err(ChannelInitError::IdInUse(id).into());
        }
        let (port, deliveries) = Port::new(&self.shared, label, self.config.send_buffer);
        let config = convert::channel_config(label, &init);
        if self.negotiation.has_data() {
            self.make_channel(config, port.clone());
        } else {
            self.channels.wanted.push(Wanted { config, port: port.clone() });
            self.want_negotiation();
        }
        Ok(Channel::handle(label, init, port, deliveries, &self.shared))
    }

    /// Data is negotiated: what the application has made until now is made.
    pub(super) fn make_wanted_channels(&mut self) {
        for Wanted { config, port } in std::mem::take(&mut self.channels.wanted) {
            if port.channel_state() != ChannelState::Closed {
                self.make_channel(config, port);
            }
        }
    }

    fn make_channel(&mut self, config: ChannelConfig, port: Arc<Port>) {
        let agreed = config.negotiated;
        let id = self.rtc.direct_api().create_data_channel(config);
        self.channels
            .known
            .insert(id, Entry { port, open: false, agreed, announced_by_us: agreed.is_none() });
    }

    pub(super) fn channel_opened(&mut self, id: ChannelId) {
        let stream = self.rtc.direct_api().sctp_stream_id_by_channel_id(id);
        if let Some(entry) = self.channels.known.get_mut(&id) {
            entry.open = true;
            entry.port.opened(stream);
            if entry.port.channel_state() == ChannelState::Closed {
                // The application did not wait.
                self.rtc.direct_api().close_data_channel(id);
            }
        } else if !stream.is_some_and(|stream| self.negotiation.is_carrier(stream)) {
            self.announce(id, stream);
        }
    }

    /// The engine has closed a channel.
    pub(super) fn channel_closed(&mut self, id: ChannelId) {
        let Some(entry) = self.channels.known.remove(&id) else { return };
        if entry.announced_by_us
            && let Some(stream) = entry.port.id()
        {
            self.use_up(stream);
        }
        entry.port.set_closed();
    }

    /// Keeps a stream id from being chosen again. A second channel that comes soon on the id of a closed one
    /// falls to a late request to reset the first. A channel that is only planned, on that id, holds it.
    fn use_up(&mut self, stream: u16) {
        let direct = self.rtc.direct_api();
        if direct.channel_id_by_sctp_stream_id(stream).is_none() {
            let planned = ChannelConfig { negotiated: Some(stream), ..ChannelConfig::default() };
            self.rtc.sdp_api().add_channel_with_config(planned);
            self.channels.used_up.insert(stream);
        }
    }

    /// Tells that the peer opened a channel.
    fn announce(&mut self, id: ChannelId, stream: Option<u16>) {
        let Some(config) = self.rtc.channel(id).and_then(|channel| channel.config().cloned())
        else {
            debug!("a data channel was closed while it was being announced");
            return;
        };
        let (port, deliveries) = Port::new(&self.shared, &config.label, self.config.send_buffer);
        port.opened(stream);
        let init = convert::channel_init(&config);
        let handle = Channel::handle(&config.label, init, port.clone(), deliveries, &self.shared);
        self.channels
            .known
            .insert(id, Entry { port, open: true, agreed: None, announced_by_us: false });
        if self.shared.try_emit(PeerEvent::Channel(handle)).is_some() {
            warn!("the peer opens data channels faster than they are taken: one is refused");
            self.rtc.direct_api().close_data_channel(id);
        }
    }

    /// Moves messages between the channels and the engine; whether the engine was given anything.
    pub(super) fn serve_channels(&mut self) -> bool {
        self.settle();
        let mut worked = false;
        let mut waiting = std::mem::take(&mut self.channels.waiting);
        waiting.extend(self.shared.take_called());
        waiting.retain(|port| self.serve(port, &mut worked));
        self.channels.waiting.append(&mut waiting);
        worked
    }

    /// Asks the engine how much of each channel is still on its way.
    fn settle(&mut self) {
        let (rtc, channels) = (&mut self.rtc, &mut self.channels);
        let (known, waiting) = (&channels.known, &mut channels.waiting);
        let mut held = 0;
        channels.in_flight.retain(|id| {
            let Some(entry) = known.get(id) else { return false };
            let outstanding = rtc.channel(*id).map_or(0, |mut channel| channel.buffered_amount());
            held += outstanding;
            let clear = entry.port.settle(outstanding);
            if clear && entry.port.channel_state() == ChannelState::Closing {
                waiting.push(entry.port.clone());
            }
            !clear
        });
        channels.window.holds(held);
    }

    /// Does what a channel asks for; whether it has to wait for the engine to have room.
    fn serve(&mut self, port: &Arc<Port>, worked: &mut bool) -> bool {
        let Some((id, open)) = self.channels.find(port) else {
            self.channels.wanted.retain(|wanted| !Arc::ptr_eq(&wanted.port, port));
            return false;
        };
        if !open {
            return false;
        }
        let mut gave = false;
        let waits = loop {
            match port.next_work(self.channels.window.has_room()) {
                Work::Send(message) => match self.send(id, port, message) {
                    None => gave = true,
                    Some(refused) => {
                        port.give_back(refused);
                        break true;
                    }
                },
                Work::Wait => break true,
                Work::Close => {
                    self.rtc.direct_api().close_data_channel(id);
                    *worked = true;
                    break false;
                }
                Work::Nothing => break false,
            }
        };
        if gave {
            *worked = true;
            if !self.channels.in_flight.contains(&id) {
                self.channels.in_flight.push(id);
            }
        }
        waits
    }

    /// Gives the engine a message; gives it back where there is no room for it.
    fn send(&mut self, id: ChannelId, port: &Arc<Port>, message: Message) -> Option<Message> {
        let Some(mut channel) = self.rtc.channel(id) else {
            // Closed by the peer, of which the engine is about to tell.
            port.handed_over(message.len());
            return None;
        };
        let written = match &message {
            Message::Text(text) => channel.write(false, text.as_bytes()),
            Message::Binary(bytes) => channel.write(true, bytes),
        };
        match written {
            Ok(true) => self.channels.window.took(message.len()),
            Ok(false) => return Some(message),
            Err(error) => debug!(%error, "the engine refused a message"),
        }
        port.handed_over(message.len());
        None
    }
}
