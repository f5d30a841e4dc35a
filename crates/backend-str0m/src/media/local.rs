//! A track of ours: the application puts frames in at one end, the driver takes packets out at the other.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use skapi_rtc_backend::{
    Codec, EncodedFrame, LocalTrack, LocalTrackHandle, MediaError, MediaKind, RtpPacket, TrackInit,
    rtp::{Numbering, Outbound},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::shared::Shared;

/// Largest payload of a packet, in bytes: the engine has no room for more than about 1,900.
const MAX_PACKET: usize = 1400;
/// What a track may have waiting for the driver, in bytes. A frame larger than that takes all of it.
const ROOM: usize = 512 * 1024;
/// What a frame or packet counts beside its bytes.
const COST_PER_FRAME: usize = 256;

pub(crate) struct Local {
    pub(crate) outbound: Outbound,
    shared: Arc<Shared>,
    numbering: tokio::sync::Mutex<Numbering>,
    room: Semaphore,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    /// Whether the driver has been told to look at this track.
    called: bool,
}

/// Packets of one frame.
pub(crate) struct Batch {
    pub(crate) payload_type: u8,
    pub(crate) packets: Vec<RtpPacket>,
    cost: usize,
}

impl Local {
    pub(crate) fn handle(
        init: TrackInit,
        shared: &Arc<Shared>,
    ) -> Result<(Arc<Self>, LocalTrackHandle), MediaError> {
        let (outbound, events) = Outbound::new(init)?;
        let local = Arc::new(Self {
            outbound,
            shared: shared.clone(),
            numbering: tokio::sync::Mutex::new(Numbering::new(
                fastrand::u16(..),
                fastrand::u32(..),
            )),
            room: Semaphore::new(ROOM),
            queue: Mutex::default(),
        });
        Ok((local.clone(), LocalTrackHandle::new(Arc::new(Track(local)), events)))
    }

    /// The next packets to send.
    pub(crate) fn next(&self) -> Option<Batch> {
        let mut queue = self.queue();
        let batch = queue.batches.pop_front();
        queue.called = batch.is_some();
        batch
    }

    /// The engine has taken these packets.
    pub(crate) fn sent(&self, batch: &Batch) {
        self.room.add_permits(batch.cost);
    }

    /// The track is removed, or its connection closed: its events end, and nobody waits for room.
    pub(crate) fn end(&self) {
        self.outbound.end();
        self.room.close();
        self.queue().batches.clear();
    }

    /// The payload type for a codec; `None` where what is written is to be dropped.
    fn payload_type(&self, codec: Codec) -> Result<Option<u8>, MediaError> {
        if self.shared.is_closing() {
            return Err(MediaError::Closed);
        }
        self.outbound.payload_type(codec)
    }

    /// Sends what `number` makes of something of this size, once there is room.
    async fn write(
        self: &Arc<Self>,
        codec: Codec,
        size: usize,
        number: impl FnOnce(&mut Numbering) -> Vec<RtpPacket> + Send,
    ) -> Result<(), MediaError> {
        if self.payload_type(codec)?.is_none() {
            return Ok(());
        }
        let mut numbering = self.numbering.lock().await;
        let (permit, cost) = self.room_for(size).await?;
        // While this waited, a negotiation may have ended.
        let Some(payload_type) = self.payload_type(codec)? else {
            return Ok(());
        };
        let packets = number(&mut numbering);
        permit.forget();
        let was_called = {
            let mut queue = self.queue();
            queue.batches.push_back(Batch { payload_type, packets, cost });
            std::mem::replace(&mut queue.called, true)
        };
        if !was_called {
            self.shared.call_track(self.clone());
        }
        Ok(())
    }

    async fn room_for(&self, size: usize) -> Result<(SemaphorePermit<'_>, usize), MediaError> {
        let cost = size.saturating_add(COST_PER_FRAME).min(ROOM);
        let permits = u32::try_from(cost).unwrap_or(u32::MAX);
        let permit = self.room.acquire_many(permits).await.map_err(|_| MediaError::Closed)?;
        Ok((permit, cost))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A local track as the application holds it.
struct Track(Arc<Local>);

#[async_trait]
impl LocalTrack for Track {
    fn kind(&self) -> MediaKind {
        self.0.outbound.kind()
    }

    fn codec(&self) -> Option<Codec> {
        self.0.outbound.codec()
    }

    async fn write(&self, frame: EncodedFrame) -> Result<(), MediaError> {
        if frame.codec.kind() == MediaKind::Audio {
            check_size(frame.payload.len())?;
        }
        let (codec, size) = (frame.codec, frame.payload.len());
        self.0.write(codec, size, |numbering| numbering.frame(&frame)).await
    }

    async fn write_packet(&self, packet: RtpPacket) -> Result<(), MediaError> {
        check_size(packet.payload.len())?;
        let (codec, size) = (packet.codec, packet.payload.len());
        self.0.write(codec, size, |numbering| vec![numbering.foreign(packet)]).await
    }
}

impl fmt::Debug for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("init", self.0.outbound.init()).finish_non_exhaustive()
    }
}

fn check_size(size: usize) -> Result<(), MediaError> {
    if size <= MAX_PACKET {
        return Ok(());
    }
    Err(MediaError::Unsupported(format!(
        "a packet of {size} bytes: make it {MAX_PACKET} at most, which every path carries"
    )))
}
