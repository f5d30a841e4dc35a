//! The service says that a peer's connection is gone.

use skapi_rtc_protocol::{
    ClientFrame, ErrorCode, GroupName, Notice, NoticeCode, RtcSignal, ServerFrame,
};
use skapi_rtc_signaling::{CallEvent, CallPhase, EndReason, RtcEvent};

use super::{
    harness::{Desk, cid, remote, secs},
    peer::Peer,
};

fn notice(peer: &Peer, code: NoticeCode) -> ServerFrame {
    ServerFrame::Notice(Notice {
        code,
        user: peer.user.clone(),
        from: peer.cid.clone(),
        group: GroupName::new("lobby").unwrap(),
    })
}

fn gone(desk: &mut Desk, peer: &Peer) {
    desk.frame(notice(peer, NoticeCode::UserDisconnected));
}

#[test]
fn before_a_call_is_up_that_is_its_end() {
    for phase in [
        CallPhase::Preparing,
        CallPhase::Dialing,
        CallPhase::Ringing,
        CallPhase::Answering,
        CallPhase::Connecting,
    ] {
        let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
        let call = match phase {
            CallPhase::Preparing => desk.place(&bob),
            CallPhase::Dialing => bob.is_called(&mut desk),
            CallPhase::Connecting => bob.answers(&mut desk),
            _ => bob.calls(&mut desk),
        };
        if phase == CallPhase::Answering {
            desk.accept(call);
        }
        assert_eq!(desk.phase(call), Some(phase));
        gone(&mut desk, &bob);
        assert_eq!(desk.end_of(call), remote(EndReason::PeerGone), "{phase:?}");
    }
}

#[test]
fn leaving_the_group_is_not_going() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.frame(notice(&bob, NoticeCode::UserLeft));
    assert_eq!(desk.phase(call), Some(CallPhase::Dialing));
}

#[test]
fn a_running_call_goes_on_as_long_as_its_own_connection_does() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    gone(&mut desk, &bob);
    desk.wait(secs(60));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}

#[test]
fn both_connections_gone_means_gone_in_either_order() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    gone(&mut desk, &bob);
    desk.reports(call, RtcEvent::Disconnected);
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));

    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    gone(&mut desk, &bob);
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));

    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Closed);
    gone(&mut desk, &bob);
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}

#[test]
fn a_peer_that_comes_back_under_another_id_is_the_same_peer() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    gone(&mut desk, &bob);
    bob.cid = cid("c-bob-2");
    desk.hears(&bob, RtcSignal::None);
    assert_eq!(desk.session.call(call).unwrap().peer, bob.cid);
    // From now on an interruption is only an interruption.
    desk.reports(call, RtcEvent::Disconnected);
    assert_eq!(desk.call_events(), [CallEvent::Reconnecting]);
    desk.frame(bob.hangs_up(None));
    assert_eq!(desk.end_of(call), remote(EndReason::HungUp));
    assert_eq!(desk.session.usage().index, 0);
}

#[test]
fn another_user_cannot_take_a_peers_place() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    let mut eve = Peer::ours("eve");
    eve.key = bob.key;
    desk.hears(&eve, RtcSignal::None);
    desk.frame(eve.hangs_up(None));
    assert_eq!(desk.session.call(call).unwrap().peer, bob.cid);
}

#[test]
fn an_interrupted_call_asks_whether_the_peer_is_still_there() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    let sent = desk.sent();
    let Some(ClientFrame::Rtc { reference: Some(reference), .. }) = sent.first() else {
        panic!("{sent:?}");
    };
    desk.refuse(*reference, ErrorCode::UnknownConnection);
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}

#[test]
fn a_late_word_that_the_peer_is_gone_does_not_end_a_call_that_has_recovered() {
    let (mut desk, mut bob) = (Desk::up(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    let sent = desk.sent();
    let Some(ClientFrame::Rtc { reference: Some(reference), .. }) = sent.first() else {
        panic!("{sent:?}");
    };
    desk.reports(call, RtcEvent::Connected);
    desk.refuse(*reference, ErrorCode::UnknownConnection);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}
