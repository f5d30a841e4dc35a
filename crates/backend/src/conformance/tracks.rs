//! Tracks that come and go: collisions, removals, several of a kind. Of the topic of media.

use std::time::Duration;

use super::{
    Failure, Rig,
    media::frame,
    platform::within,
    rig::{Side, ensure, negotiate},
};
use crate::{
    Codec, LocalTrackHandle, MediaKind, OfferOptions, RemoteTrackEvent, RemoteTrackHandle,
    TrackInit,
};

const FRAMES: u32 = 5;
const BETWEEN_PICTURES: Duration = Duration::from_millis(30);

pub(super) async fn several_tracks_of_a_kind_are_told_apart(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, _sent, _) = rig.call(&[Codec::Vp8]).await?;
    let mut tracks = Vec::new();
    for id in ["one", "two", "three"] {
        tracks.push((id, add(&pair.left, id).await?));
    }
    negotiate(&pair.left, &pair.right).await?;
    for (id, track) in &mut tracks {
        rig.flows(track, id, &mut pair.right).await?;
    }
    pair.close().await;
    Ok(())
}

/// Both sides add a track and offer it; one of the offers has to go.
pub(super) async fn no_track_is_lost_when_offers_collide(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, _sent, _) = rig.call(&[Codec::Vp8]).await?;
    let mut left = add(&pair.left, "lefts").await?;
    let mut right = add(&pair.right, "rights").await?;
    let winner = pair.left.peer.make_offer(OfferOptions::default()).await?;
    pair.right.peer.make_offer(OfferOptions::default()).await?;
    pair.right.peer.rollback().await?;
    let answer = pair.right.peer.accept_offer(winner).await?;
    pair.left.peer.accept_answer(answer).await?;
    // The loser's track joined what the winner offered, or needs a negotiation of its own.
    negotiate(&pair.right, &pair.left).await?;
    rig.flows(&mut left, "lefts", &mut pair.right).await?;
    rig.flows(&mut right, "rights", &mut pair.left).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn a_track_whose_offer_was_taken_back_is_offered_again(
    rig: &Rig,
) -> Result<(), Failure> {
    let (mut pair, _sent, _) = rig.call(&[Codec::Vp8]).await?;
    let mut track = add(&pair.left, "again").await?;
    pair.left.peer.make_offer(OfferOptions::default()).await?;
    pair.left.peer.rollback().await?;
    negotiate(&pair.left, &pair.right).await?;
    rig.flows(&mut track, "again", &mut pair.right).await?;
    pair.close().await;
    Ok(())
}

pub(super) async fn another_track_can_follow_a_removed_one(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, sent, _) = rig.call(&[Codec::Vp8]).await?;
    pair.left.peer.remove_track(&sent.video.track).await?;
    negotiate(&pair.left, &pair.right).await?;
    let mut second = add(&pair.left, "second").await?;
    negotiate(&pair.left, &pair.right).await?;
    rig.flows(&mut second, "second", &mut pair.right).await?;
    pair.close().await;
    Ok(())
}

/// A picture may be lost while the path changes; the stream may not.
pub(super) async fn media_go_on_through_an_ice_restart(rig: &Rig) -> Result<(), Failure> {
    let (mut pair, mut sent, _) = rig.call(&[Codec::Vp8]).await?;
    let mut arrived = rig.flows(&mut sent.video, "video", &mut pair.right).await?;
    let offer = pair.left.peer.make_offer(OfferOptions::default().ice_restart(true)).await?;
    let answer = pair.right.peer.accept_offer(offer).await?;
    pair.left.peer.accept_answer(answer).await?;
    rig.soon("a picture after the restart", async {
        loop {
            sent.video.track.write(frame(Codec::Vp8, 0)).await?;
            match within(BETWEEN_PICTURES, arrived.events.recv()).await {
                Some(Some(RemoteTrackEvent::Frame(_))) => return Ok::<(), Failure>(()),
                Some(other) => return Err(Failure::new(format!("{other:?} instead of a picture"))),
                None => {}
            }
        }
    })
    .await??;
    pair.close().await;
    Ok(())
}

async fn add(side: &Side, id: &str) -> Result<LocalTrackHandle, Failure> {
    Ok(side.peer.add_track(TrackInit::new([Codec::Vp8], "stream", id)).await?)
}

impl Rig {
    /// Sends pictures on a track and reads them from the one of the same id.
    async fn flows(
        &self,
        from: &mut LocalTrackHandle,
        id: &str,
        to: &mut Side,
    ) -> Result<RemoteTrackHandle, Failure> {
        self.until_keyframe_is_wanted(from).await?;
        for index in 0..FRAMES {
            from.track.write(frame(Codec::Vp8, index)).await?;
        }
        let mut arrived = self.track(to, MediaKind::Video).await?;
        ensure!(arrived.track.track_id() == id, "the track is not {id:?}: {arrived:?}");
        for index in 0..FRAMES {
            self.picture(&mut arrived, index).await?;
        }
        Ok(arrived)
    }

    async fn picture(&self, track: &mut RemoteTrackHandle, index: u32) -> Result<(), Failure> {
        let event = self.soon("a picture", track.events.recv()).await?;
        let Some(RemoteTrackEvent::Frame(picture)) = event else {
            return Err(Failure::new(format!("{event:?} instead of picture {index}")));
        };
        ensure!(picture.payload == frame(Codec::Vp8, index).payload, "not picture {index}");
        Ok(())
    }
}
