//! Tracks: frames there and back, requests, ends.

use bytes::Bytes;

use super::{
    Failure, Rig,
    rig::{Pair, Side, ensure, negotiate},
};
use crate::{
    Codec, ConnectionState, Direction, EncodedFrame, LocalTrackEvent, LocalTrackHandle, MediaError,
    MediaKind, RemoteTrackEvent, RemoteTrackHandle, TrackInit, TrackView,
};

pub(super) use super::tracks::{
    a_track_whose_offer_was_taken_back_is_offered_again, another_track_can_follow_a_removed_one,
    media_go_on_through_an_ice_restart, no_track_is_lost_when_offers_collide,
    several_tracks_of_a_kind_are_told_apart,
};

const VIDEO: [Codec; 3] = [Codec::Vp8, Codec::Vp9, Codec::H264];

pub(super) async fn frames_arrive_intact_and_in_order(rig: &Rig) -> Result<(), Failure> {
    const FRAMES: u32 = 60;
    let (mut pair, mut left, mut right) = rig.call(&VIDEO).await?;
    let (first, second) = (&mut pair.left, &mut pair.right);
    for (from, ours, to) in [(&mut left, "left", second), (&mut right, "right", first)] {
        let video = from.video.track.codec();
        ensure!(video.is_some(), "the video track of the {ours} side has no codec");
        for (track, codec) in [(&from.audio, Codec::Opus), (&from.video, video.unwrap_or(VIDEO[0]))]
        {
            let sent: Vec<_> = (0..FRAMES).map(|index| frame(codec, index)).collect();
            track.track.write(sent[0].clone()).await?;
            let mut arrived = rig.track(to, codec.kind()).await?;
            ensure!(!arrived.track.track_id().is_empty(), "the track has no id");
            rig.receive(&mut arrived, &sent[..1]).await?;
            for frame in &sent[1..] {
                track.track.write(frame.clone()).await?;
            }
            rig.receive(&mut arrived, &sent[1..]).await?;
        }
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn pictures_of_every_codec_survive(rig: &Rig) -> Result<(), Failure> {
    for codec in VIDEO {
        let (mut pair, left, _right) = rig.call(&[codec]).await?;
        let chosen = left.video.track.codec();
        ensure!(chosen == Some(codec), "asked for {codec}, negotiated {chosen:?}");
        let sent: Vec<_> = (0..8).map(|index| frame(codec, index)).collect();
        for frame in &sent {
            left.video.track.write(frame.clone()).await?;
        }
        let mut arrived = rig.track(&mut pair.right, MediaKind::Video).await?;
        rig.receive(&mut arrived, &sent).await?;
        pair.close().await;
    }
    Ok(())
}

/// The right side sends back what it receives, packet by packet.
pub(super) async fn packets_pass_through(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, left, right) = rig.call(&[Codec::Vp8]).await?;
    let sent: Vec<_> = (0..40).map(|index| frame(Codec::Vp8, index)).collect();
    left.video.track.write(sent[0].clone()).await?;
    let mut there = rig.track(&mut pair.right, MediaKind::Video).await?;
    there.track.set_view(TrackView::Packets);
    let echo = async {
        while let Some(event) = there.events.recv().await {
            if let RemoteTrackEvent::Packet(packet) = event {
                right.video.track.write_packet(packet).await?;
            }
        }
        Err::<(), _>(Failure::new("the track ended"))
    };
    let work = async {
        for frame in &sent[1..] {
            left.video.track.write(frame.clone()).await?;
        }
        let mut back = rig.track(&mut pair.left, MediaKind::Video).await?;
        rig.receive(&mut back, &sent).await
    };
    tokio::select! {
        result = work => result?,
        result = echo => result?,
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn a_request_for_a_key_frame_arrives(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut left, _right) = rig.call(&VIDEO).await?;
    let codec = rig.until_keyframe_is_wanted(&mut left.video).await?;
    left.video.track.write(frame(codec, 0)).await?;
    let arrived = rig.track(&mut pair.right, MediaKind::Video).await?;
    arrived.track.request_keyframe().await?;
    rig.soon("the request", async {
        while let Some(event) = left.video.events.recv().await {
            if event == LocalTrackEvent::KeyframeRequested {
                return Ok(());
            }
        }
        Err(Failure::new("the track's events ended"))
    })
    .await??;
    pair.close().await;
    Ok(())
}

pub(super) async fn what_was_not_negotiated_is_refused(rig: &Rig) -> Result<(), Failure> {
    let (pair, left, _right) = rig.call(&[Codec::Vp8]).await?;
    for codec in [Codec::H264, Codec::Opus] {
        let refused = left.video.track.write(frame(codec, 0)).await;
        ensure!(matches!(refused, Err(MediaError::Unsupported(_))), "{codec}: {refused:?}");
    }
    let none = TrackInit::new([], "stream", "nothing");
    let both = TrackInit::new([Codec::Opus, Codec::Vp8], "stream", "both");
    for init in [none, both] {
        let refused = pair.left.peer.add_track(init).await;
        ensure!(matches!(refused, Err(MediaError::Init(_))), "{refused:?}");
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn what_nobody_reads_is_dropped_and_counted(rig: &Rig) -> Result<(), Failure> {
    const FRAMES: u32 = 4000;
    let (mut pair, left, _right) = rig.call(&VIDEO).await?;
    left.audio.track.write(frame(Codec::Opus, 0)).await?;
    let mut arrived = rig.track(&mut pair.right, MediaKind::Audio).await?;
    for index in 1..FRAMES {
        left.audio.track.write(frame(Codec::Opus, index)).await?;
    }
    // The last ones are far beyond what any queue should hold; what comes then is read again.
    let mut index = FRAMES;
    let (mut received, mut lagged) = (0_u64, 0);
    while lagged == 0 {
        left.audio.track.write(frame(Codec::Opus, index)).await?;
        index += 1;
        match rig.soon("an event of the track", arrived.events.recv()).await? {
            Some(RemoteTrackEvent::Frame(_)) => received += 1,
            Some(RemoteTrackEvent::Lagged(count)) => lagged = count,
            other => return Err(Failure::new(format!("{other:?} instead of frames"))),
        }
        ensure!(received < u64::from(FRAMES), "everything was kept");
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn tracks_can_be_added_in_a_running_connection(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, left, right) = rig.call(&VIDEO).await?;
    while pair.left.needed.try_recv().is_ok() {}
    let init = TrackInit::new([Codec::Vp8], "second", "screen");
    let mut added = pair.left.peer.add_track(init).await?;
    rig.soon("a negotiation is asked for", pair.left.needed.recv()).await?;
    negotiate(&pair.left, &pair.right).await?;
    rig.until_keyframe_is_wanted(&mut added).await?;
    let sent: Vec<_> = (0..5).map(|index| frame(Codec::Vp8, index)).collect();
    for frame in &sent {
        added.track.write(frame.clone()).await?;
    }
    let mut arrived = rig.track(&mut pair.right, MediaKind::Video).await?;
    ensure!(
        (arrived.track.track_id(), arrived.track.stream_id()) == ("screen", "second"),
        "the ids do not arrive: {arrived:?}"
    );
    rig.receive(&mut arrived, &sent).await?;
    // The tracks of before go on.
    for (from, to) in [(&left, &mut pair.right), (&right, &mut pair.left)] {
        from.audio.track.write(frame(Codec::Opus, 0)).await?;
        let mut arrived = rig.track(to, MediaKind::Audio).await?;
        rig.receive(&mut arrived, &[frame(Codec::Opus, 0)]).await?;
    }
    pair.close().await;
    Ok(())
}

pub(super) async fn a_removed_track_sends_no_more(rig: &Rig) -> Result<(), Failure> {
    let (pair, mut left, right) = rig.call(&VIDEO).await?;
    pair.left.peer.remove_track(&left.audio.track).await?;
    let again = pair.left.peer.remove_track(&left.audio.track).await;
    ensure!(matches!(again, Err(MediaError::UnknownTrack)), "{again:?}");
    let foreign = pair.left.peer.remove_track(&right.audio.track).await;
    ensure!(matches!(foreign, Err(MediaError::UnknownTrack)), "{foreign:?}");
    let written = left.audio.track.write(frame(Codec::Opus, 0)).await;
    ensure!(matches!(written, Err(MediaError::Closed)), "{written:?}");
    rig.ended(&mut left.audio).await?;
    negotiate(&pair.left, &pair.right).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn a_track_that_only_answers_asks_for_nothing(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, _ends) = rig.connected(crate::ChannelInit::default()).await?;
    let init = TrackInit::new([Codec::Opus], "stream", "echo").answer_only(true);
    let answering = pair.left.peer.add_track(init).await?;
    while pair.left.needed.try_recv().is_ok() {}
    negotiate(&pair.left, &pair.right).await?;
    ensure!(pair.left.needed.try_recv().is_err(), "it asked for a negotiation");
    ensure!(answering.track.codec().is_none(), "it was offered");
    let init = TrackInit::new([Codec::Opus], "stream", "voice");
    let offering = pair.right.peer.add_track(init).await?;
    negotiate(&pair.right, &pair.left).await?;
    let codecs = (offering.track.codec(), answering.track.codec());
    ensure!(codecs == (Some(Codec::Opus), Some(Codec::Opus)), "negotiated {codecs:?}");
    answering.track.write(frame(Codec::Opus, 0)).await?;
    let mut arrived = rig.track(&mut pair.right, MediaKind::Audio).await?;
    rig.receive(&mut arrived, &[frame(Codec::Opus, 0)]).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn a_track_ends_with_its_connection(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut left, _right) = rig.call(&VIDEO).await?;
    left.audio.track.write(frame(Codec::Opus, 0)).await?;
    let mut arrived = rig.track(&mut pair.right, MediaKind::Audio).await?;
    rig.receive(&mut arrived, &[frame(Codec::Opus, 0)]).await?;
    pair.close().await;
    let last = rig.soon("the last event", arrived.events.recv()).await?;
    ensure!(last == Some(RemoteTrackEvent::Ended), "{last:?} instead of Ended");
    let after = rig.soon("the end of the events", arrived.events.recv()).await?;
    ensure!(after.is_none(), "{after:?} came after Ended");
    let asked = arrived.track.request_keyframe().await;
    ensure!(matches!(asked, Err(MediaError::Closed)), "{asked:?}");
    let written = left.audio.track.write(frame(Codec::Opus, 1)).await;
    ensure!(matches!(written, Err(MediaError::Closed)), "{written:?}");
    rig.ended(&mut left.audio).await?;
    let added = pair.left.peer.add_track(TrackInit::new([Codec::Opus], "s", "t")).await;
    ensure!(matches!(added, Err(MediaError::Closed)), "{added:?}");
    Ok(())
}

pub(super) async fn statistics_count_media(rig: &Rig) -> Result<(), Failure> {
    const FRAMES: u32 = 20;
    let (mut pair, left, _right) = rig.call(&VIDEO).await?;
    let sent: Vec<_> = (0..FRAMES).map(|index| frame(Codec::Opus, index)).collect();
    for frame in &sent {
        left.audio.track.write(frame.clone()).await?;
    }
    let mut arrived = rig.track(&mut pair.right, MediaKind::Audio).await?;
    rig.receive(&mut arrived, &sent).await?;
    let bytes: usize = sent.iter().map(|frame| frame.payload.len()).sum();
    for (side, direction) in [(&pair.left, Direction::Outbound), (&pair.right, Direction::Inbound)]
    {
        let stats = side.peer.stats().await?;
        let audio = stats
            .tracks
            .iter()
            .find(|track| track.direction == direction && track.kind == MediaKind::Audio);
        let Some(audio) = audio else {
            return Err(Failure::new(format!("no {direction:?} audio among {:?}", stats.tracks)));
        };
        ensure!(audio.packets == u64::from(FRAMES), "{audio:?}");
        ensure!(audio.bytes == bytes as u64, "{audio:?} instead of {bytes} bytes");
        ensure!(audio.lost == 0, "{audio:?}");
    }
    pair.close().await;
    Ok(())
}

/// The tracks that one side sends.
pub(super) struct Sent {
    pub(super) audio: LocalTrackHandle,
    pub(super) video: LocalTrackHandle,
}

impl Rig {
    /// Two connected connections that both send audio, and video in one of these codecs.
    pub(super) async fn call(&self, video: &[Codec]) -> Result<(Pair, Sent, Sent), Failure> {
        let mut pair = self.pair().await?;
        pair.trickle();
        let left = Sent::new(&pair.left, video).await?;
        let right = Sent::new(&pair.right, video).await?;
        negotiate(&pair.left, &pair.right).await?;
        for side in [&mut pair.left, &mut pair.right] {
            self.soon("the connection", async {
                while let Some(state) = side.states.recv().await {
                    if state == ConnectionState::Connected {
                        return Ok(());
                    }
                }
                Err(Failure::new("the events ended before it was connected"))
            })
            .await??;
        }
        Ok((pair, left, right))
    }

    /// The next track of a kind that the other side sends.
    pub(super) async fn track(
        &self,
        side: &mut Side,
        kind: MediaKind,
    ) -> Result<RemoteTrackHandle, Failure> {
        self.soon("a track of the other side", async {
            while let Some(track) = side.tracks.recv().await {
                if track.track.kind() == kind {
                    return Ok(track);
                }
            }
            Err(Failure::new("the events ended before a track came"))
        })
        .await?
    }

    /// Reads frames and compares them with what was sent.
    async fn receive(
        &self,
        track: &mut RemoteTrackHandle,
        sent: &[EncodedFrame],
    ) -> Result<(), Failure> {
        let mut origin = None;
        for (index, expected) in sent.iter().enumerate() {
            let what = format!("frame {index} of {}", sent.len());
            match self.soon(&what, track.events.recv()).await? {
                Some(RemoteTrackEvent::Frame(frame)) => {
                    ensure!(frame.codec == expected.codec, "{what}: {frame:?}");
                    ensure!(frame.keyframe == expected.keyframe, "{what}: {frame:?}");
                    ensure!(frame.payload == expected.payload, "{what} differs: {frame:?}");
                    // Engines may shift all times alike.
                    let shift = frame.rtp_time.wrapping_sub(expected.rtp_time);
                    ensure!(*origin.get_or_insert(shift) == shift, "{what} has another time");
                }
                other => return Err(Failure::new(format!("{other:?} instead of {what}"))),
            }
        }
        Ok(())
    }

    /// Waits until pictures can flow. Gives the codec.
    pub(super) async fn until_keyframe_is_wanted(
        &self,
        track: &mut LocalTrackHandle,
    ) -> Result<Codec, Failure> {
        self.soon("a key frame is wanted", async {
            let mut codec = None;
            while let Some(event) = track.events.recv().await {
                match event {
                    LocalTrackEvent::Negotiated(negotiated) => codec = Some(negotiated),
                    LocalTrackEvent::KeyframeRequested => {
                        return codec.ok_or_else(|| Failure::new("it came before the codec"));
                    }
                    LocalTrackEvent::TargetBitrate(_) => {}
                }
            }
            Err(Failure::new("the track's events ended"))
        })
        .await?
    }

    async fn ended(&self, track: &mut LocalTrackHandle) -> Result<(), Failure> {
        self.soon("the track's events end", async { while track.events.recv().await.is_some() {} })
            .await
    }
}

impl Sent {
    async fn new(side: &Side, video: &[Codec]) -> Result<Self, Failure> {
        let audio = TrackInit::new([Codec::Opus], "stream", "audio");
        let video = TrackInit::new(video, "stream", "video");
        Ok(Self {
            audio: side.peer.add_track(audio).await?,
            video: side.peer.add_track(video).await?,
        })
    }
}

/// Something that passes for a frame of this codec: every tenth picture is a key frame, sizes differ, and
/// the bytes show which one it is.
pub(super) fn frame(codec: Codec, index: u32) -> EncodedFrame {
    let keyframe = codec.kind() == MediaKind::Audio || index.is_multiple_of(10);
    let size = match codec.kind() {
        MediaKind::Audio => 80 + index as usize % 40,
        MediaKind::Video if keyframe => 6000,
        MediaKind::Video => 300 + index as usize % 7 * 500,
    };
    // No zeros, which H.264 would have to escape.
    let mut payload: Vec<u8> = (0..size).map(|at| (at as u32 * 7 + index) as u8 | 0x80).collect();
    match codec {
        Codec::Vp8 => payload[0] = if keyframe { 0x10 } else { 0x11 },
        Codec::H264 => {
            let header = if keyframe { 0x65 } else { 0x41 };
            let parameters: &[u8] =
                if keyframe { &[0, 0, 0, 1, 0x67, 0x42, 0, 0, 0, 1, 0x68, 0xce] } else { &[] };
            payload = [parameters, &[0, 0, 0, 1, header], &payload].concat();
        }
        _ => {}
    }
    let step = codec.clock_rate() / if codec == Codec::Opus { 50 } else { 30 };
    EncodedFrame::new(codec, index.wrapping_mul(step), keyframe, Bytes::from(payload))
}
