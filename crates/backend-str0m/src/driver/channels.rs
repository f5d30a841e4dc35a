//! The data channels of a connection: made, opened, fed and closed in the engine.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use skapi_rtc_backend::{
    ChannelError, ChannelHandle, ChannelInit, ChannelInitError, ChannelState, ChannelStats,
    ChannelWork, DataChannel as _, Message, PeerEvent,
};
use str0m::{
    Rtc,
    channel::{ChannelConfig, ChannelData, ChannelId},
};
use tracing::{debug, warn};

use super::{Driver, window::Window};
use crate::{
    channel::{Channel, Driven},
    convert,
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
    waiting: Vec<Arc<Channel>>,
    /// Stream ids that are not chosen again.
    used_up: HashSet<u16>,
    pub(super) window: Window,
}

struct Wanted {
    config: ChannelConfig,
    channel: Arc<Channel>,
}

struct Entry {
    channel: Arc<Channel>,
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
            let message = Message::received(!data.binary, Bytes::from(data.data));
            let unread = entry.channel.engine().0.gate.weigh(message.len());
            entry.channel.received(message, unread);
        }
    }

    pub(super) fn close_all(&mut self) {
        for wanted in std::mem::take(&mut self.wanted) {
            wanted.channel.set_closed();
        }
        for (_, entry) in std::mem::take(&mut self.known) {
            entry.channel.set_closed();
        }
        self.in_flight.clear();
        self.waiting.clear();
    }

    pub(super) fn figures(&self) -> Vec<ChannelStats> {
        let wanted = self.wanted.iter().map(|wanted| &wanted.channel);
        let known = self.known.values().map(|entry| &entry.channel);
        wanted.chain(known).map(|channel| channel.stats()).collect()
    }

    /// Whether a channel has this stream id, or will have it.
    fn uses(&self, rtc: &mut Rtc, id: u16) -> bool {
        self.used_up.contains(&id)
            || self.wanted.iter().any(|wanted| wanted.config.negotiated == Some(id))
            || self.known.iter().any(|(known, entry)| {
                entry.agreed == Some(id)
                    || rtc.direct_api().sctp_stream_id_by_channel_id(*known) == Some(id)
            })
    }

    fn find(&self, channel: &Arc<Channel>) -> Option<(ChannelId, bool)> {
        let (id, entry) =
            self.known.iter().find(|(_, entry)| Arc::ptr_eq(&entry.channel, channel))?;
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
        let config = convert::channel_config(label, &init);
        let (channel, handle) = self.new_channel(label, init);
        if self.negotiation.has_data() {
            self.make_channel(config, channel.clone());
        } else {
            self.channels.wanted.push(Wanted { config, channel: channel.clone() });
            self.want_negotiation();
        }
        Ok(handle)
    }

    fn new_channel(&self, label: &str, init: ChannelInit) -> (Arc<Channel>, ChannelHandle) {
        Channel::new(Driven(self.shared.clone()), label, init, self.config.send_buffer)
    }

    /// Data is negotiated: what the application has made until now is made.
    pub(super) fn make_wanted_channels(&mut self) {
        for Wanted { config, channel } in std::mem::take(&mut self.channels.wanted) {
            if channel.state() != ChannelState::Closed {
                self.make_channel(config, channel);
            }
        }
    }

    fn make_channel(&mut self, config: ChannelConfig, channel: Arc<Channel>) {
        let agreed = config.negotiated;
        let id = self.rtc.direct_api().create_data_channel(config);
        self.channels
            .known
            .insert(id, Entry { channel, open: false, agreed, announced_by_us: agreed.is_none() });
    }

    pub(super) fn channel_opened(&mut self, id: ChannelId) {
        let stream = self.rtc.direct_api().sctp_stream_id_by_channel_id(id);
        if let Some(entry) = self.channels.known.get_mut(&id) {
            entry.open = true;
            entry.channel.opened(stream);
            if entry.channel.state() == ChannelState::Closed {
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
            && let Some(stream) = entry.channel.id()
        {
            self.use_up(stream);
        }
        entry.channel.set_closed();
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
        let (channel, handle) = self.new_channel(&config.label, convert::channel_init(&config));
        channel.opened(stream);
        self.channels
            .known
            .insert(id, Entry { channel, open: true, agreed: None, announced_by_us: false });
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
        waiting.retain(|channel| self.serve(channel, &mut worked));
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
            let clear = entry.channel.settle(outstanding);
            if clear && entry.channel.state() == ChannelState::Closing {
                waiting.push(entry.channel.clone());
            }
            !clear
        });
        channels.window.holds(held);
    }

    /// Does what a channel asks for; whether it has to wait for the engine to have room.
    fn serve(&mut self, channel: &Arc<Channel>, worked: &mut bool) -> bool {
        let Some((id, open)) = self.channels.find(channel) else {
            self.channels.wanted.retain(|wanted| !Arc::ptr_eq(&wanted.channel, channel));
            return false;
        };
        if !open {
            return false;
        }
        let mut gave = false;
        let waits = loop {
            match channel.next_work() {
                ChannelWork::Send(message) => {
                    if !self.send(id, channel, message) {
                        break true;
                    }
                    gave = true;
                }
                ChannelWork::Close => {
                    self.rtc.direct_api().close_data_channel(id);
                    *worked = true;
                    break false;
                }
                ChannelWork::Nothing => break false,
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

    /// Gives the engine a message; whether there was room for it.
    fn send(&mut self, id: ChannelId, channel: &Channel, message: Message) -> bool {
        if !self.channels.window.has_room() {
            channel.give_back(message);
            return false;
        }
        let Some(mut engine) = self.rtc.channel(id) else {
            // Closed by the peer, of which the engine is about to tell.
            channel.handed_over(message.len());
            return true;
        };
        let written = match &message {
            Message::Text(text) => engine.write(false, text.as_bytes()),
            Message::Binary(bytes) => engine.write(true, bytes),
        };
        match written {
            Ok(true) => self.channels.window.took(message.len()),
            Ok(false) => {
                channel.give_back(message);
                return false;
            }
            Err(error) => debug!(%error, "the engine refused a message"),
        }
        channel.handed_over(message.len());
        true
    }
}
