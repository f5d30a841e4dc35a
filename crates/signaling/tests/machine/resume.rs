//! A lost link is taken up again: the same connection, and nothing lost.

use skapi_rtc_protocol::{ClientFrame, GoingAway, GroupName, HangupReason, RtcSignal, ServerFrame};
use skapi_rtc_signaling::{
    CallPhase, EndReason, Event, Input, LinkLoss, Output, RequestError, Resumption, RtcEvent,
};

use super::{
    harness::{Desk, OWN_CID, candidate, local, millis, remote, secs},
    peer::Peer,
};

fn resumption(desk: &Desk) -> Resumption {
    match desk.socket.last() {
        Some(Output::Connect { resumption, .. }) => resumption.clone(),
        other => panic!("{other:?}"),
    }
}

fn reference(frame: &ClientFrame) -> Option<u32> {
    match frame {
        ClientFrame::Rtc { reference, .. } | ClientFrame::JoinRoom { reference, .. } => *reference,
        _ => None,
    }
}

#[test]
fn a_new_connection_says_that_it_can_be_resumed_and_a_lost_one_how_far_it_is() {
    let mut desk = Desk::idle(skapi_rtc_signaling::Config::default());
    desk.connect();
    assert_eq!(resumption(&desk), Resumption::default());
    desk.link_up();
    desk.greet_resumable(OWN_CID, None);
    desk.frame(ServerFrame::Done { reference: 9 });
    desk.input(Input::UnreadableFrame);
    desk.link_lost();
    desk.wait(secs(1));
    let secret = Some(format!("secret of {OWN_CID}"));
    assert_eq!(resumption(&desk), Resumption { secret, received: 2 });
    assert!(!format!("{:?}", resumption(&desk)).contains(OWN_CID), "secrets end up in logs");
}

#[test]
fn what_the_service_has_not_taken_is_sent_again_before_anything_new() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk); // one frame: the offer
    for name in ["a", "b", "c"] {
        desk.reports(call, RtcEvent::Candidate(candidate(name, None)));
    }
    desk.link_lost();
    desk.reports(call, RtcEvent::Candidate(candidate("d", None)));
    desk.wait(secs(1));
    desk.link_up();
    // Nothing may be said before it is known which connection this is.
    desk.reports(call, RtcEvent::Candidate(candidate("e", None)));
    desk.forget();
    let resumed = skapi_rtc_protocol::Resumed { received: 2, complete: true };
    desk.greet_resumable(OWN_CID, Some(resumed));
    let names: Vec<_> = desk
        .signals()
        .into_iter()
        .map(|signal| match signal {
            RtcSignal::Candidate(candidate) => candidate.candidate,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["b", "c", "d", "e"]);
    // And once more, now counted on from there.
    desk.resume(4, true);
    assert_eq!(desk.signals().len(), 2);
}

#[test]
fn calls_in_every_phase_live_on_and_their_peers_see_none_of_it() {
    for phase in [CallPhase::Preparing, CallPhase::Dialing, CallPhase::Ringing] {
        for mut bob in [Peer::ours("bob"), Peer::stock("bob")] {
            let mut desk = Desk::up_resumable();
            let call = match phase {
                CallPhase::Preparing => desk.place(&bob),
                CallPhase::Dialing => bob.is_called(&mut desk),
                _ => bob.calls(&mut desk),
            };
            // All that was sent is one frame: the offer or, by one of ours, that it rings.
            desk.resume(u64::MAX, true);
            assert_eq!(desk.phase(call), Some(phase));
            assert_eq!(desk.said(), []);
        }
    }
}

#[test]
fn a_call_that_rings_while_the_link_is_down_still_has_an_end() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.link_lost();
    desk.wait(secs(31));
    assert_eq!(desk.end_of(call), local(EndReason::SignalingLost { lost_for: secs(30) }));
}

#[test]
fn requests_are_answered_after_the_cut() {
    let mut desk = Desk::up_resumable();
    let group = GroupName::new("G").unwrap();
    let request = desk.session.join(desk.now, Some(group.clone())).unwrap();
    desk.input(Input::Timeout);
    let sent = desk.sent();
    let asked = sent.iter().find_map(reference).unwrap();
    desk.resume(0, true);
    assert_eq!(desk.sent().iter().find_map(reference), Some(asked), "it is asked again");
    desk.done(asked);
    let joined = Event::Joined(Some(group));
    let answered = Event::Request { request, result: Ok(()) };
    assert!(desk.events().ends_with(&[joined, answered]));
    // It has stayed in its group, and need not join again.
    desk.resume(1, true);
    assert_eq!(desk.sent(), []);
}

#[test]
fn a_group_that_was_wanted_without_a_link_is_asked_for_once_it_is_back() {
    let mut desk = Desk::up_resumable();
    desk.link_lost();
    desk.session.join(desk.now, Some(GroupName::new("G").unwrap())).unwrap();
    desk.wait(secs(1));
    desk.link_up();
    desk.forget();
    let resumed = skapi_rtc_protocol::Resumed { received: 0, complete: true };
    desk.greet_resumable(OWN_CID, Some(resumed));
    assert!(matches!(desk.sent()[..], [ClientFrame::JoinRoom { .. }]));
}

#[test]
fn with_the_id_alone_the_group_is_joined_again_and_what_was_under_way_is_lost() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let group = GroupName::new("G").unwrap();
    let request = desk.session.join(desk.now, Some(group)).unwrap();
    let call = bob.is_called(&mut desk);
    desk.resume(0, false);
    let lost = Event::Request { request, result: Err(RequestError::LinkLost) };
    let events = desk.events();
    assert!(!events.contains(&lost), "a wish to join outlives the link: {events:?}");
    let sent = desk.sent();
    assert!(sent.iter().any(|frame| matches!(frame, ClientFrame::JoinRoom { .. })), "{sent:?}");
    // Nobody knows whether the peer, which has not said a word, was told of the call.
    assert_eq!(desk.phase(call), None);
}

#[test]
fn a_service_that_had_greeted_and_does_not_any_more_is_tried_again_as_a_stranger() {
    let mut desk = Desk::up_resumable();
    desk.link_lost();
    desk.wait(secs(1));
    desk.link_up();
    desk.wait(secs(9));
    assert!(!desk.socket.contains(&Output::Disconnect));
    desk.wait(secs(1));
    assert_eq!(desk.socket.last(), Some(&Output::Disconnect));
    desk.wait(secs(2));
    assert_eq!(resumption(&desk), Resumption::default());
}

#[test]
fn a_connection_that_was_taken_over_comes_back_as_a_new_one() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.input(Input::LinkDown(LinkLoss::TakenOver { reason: "4003".to_owned() }));
    assert_eq!(desk.end_of(call), local(EndReason::SignalingLost { lost_for: secs(0) }));
    desk.wait(secs(1));
    assert_eq!(resumption(&desk), Resumption::default());
}

#[test]
fn a_service_that_goes_away_is_left_alone_for_as_long_as_it_asks() {
    let mut desk = Desk::up_resumable();
    desk.frame(ServerFrame::GoingAway(GoingAway { retry_after_ms: 4_000 }));
    desk.wait(millis(500));
    desk.link_lost();
    desk.forget();
    desk.wait(millis(3_500));
    assert_eq!(desk.socket, []);
    desk.wait(secs(2));
    assert!(matches!(desk.socket[..], [Output::Connect { .. }]));
}

#[test]
fn what_is_kept_is_bounded_and_the_service_is_asked_what_it_has() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    for number in 0..1_000 {
        desk.reports(call, RtcEvent::Candidate(candidate(&number.to_string(), None)));
    }
    let asks = desk.sent().iter().filter_map(reference).count();
    assert!((20..60).contains(&asks), "{asks}");
    // One answer lets everything before it go; without any, the oldest are forgotten.
    desk.done(u32::MAX);
    desk.resume(0, true);
    assert!(desk.signals().len() <= 256);
}

#[test]
fn the_service_is_told_now_and_then_what_need_not_be_kept() {
    let mut desk = Desk::up_resumable();
    for reference in 0..300 {
        desk.done(reference);
    }
    let told: Vec<_> = desk
        .sent()
        .into_iter()
        .map(|frame| match frame {
            ClientFrame::KeepAlive { received } => received,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [Some(128), Some(256)]);
}

#[test]
fn a_peer_for_which_the_service_has_waited_is_gone_when_the_line_is_dead_too() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    desk.frame(ServerFrame::Notice(skapi_rtc_protocol::Notice {
        code: skapi_rtc_protocol::NoticeCode::UserDisconnected,
        user: bob.user.clone(),
        from: bob.cid.clone(),
        group: GroupName::new("G").unwrap(),
    }));
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}

#[test]
fn a_hang_up_during_the_cut_arrives() {
    let (mut desk, mut bob) = (Desk::up_resumable(), Peer::ours("bob"));
    let call = bob.is_called(&mut desk);
    desk.link_lost();
    desk.hang_up(call);
    desk.end_of(call);
    desk.wait(secs(1));
    desk.link_up();
    let resumed = skapi_rtc_protocol::Resumed { received: 1, complete: true };
    desk.greet_resumable(OWN_CID, Some(resumed));
    assert_eq!(desk.said()[0].reason, Some(HangupReason::Cancelled));
}
