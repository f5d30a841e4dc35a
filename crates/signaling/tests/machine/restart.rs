//! The path is lost and searched for: asking, restarting, giving up.

use skapi_rtc_protocol::{
    ClientFrame, ErrorCode, GroupName, HangupReason, IceServer, Notice, NoticeCode, Ready,
    RtcContent, RtcSignal, ServerFrame, Transports, UserId,
};
use skapi_rtc_signaling::{CallEvent, CallId, CallPhase, Config, EndReason, RtcAction, RtcEvent};

use super::{
    harness::{Desk, cid, local, millis, remote, secs},
    peer::Peer,
};

const LOST: RtcSignal = RtcSignal::Restart(Transports::Lost);
const READY: RtcSignal = RtcSignal::Restart(Transports::Ready);

/// In a call that we placed, so restarts are ours to offer.
fn as_caller() -> (Desk, Peer, CallId) {
    let (mut desk, mut bob) = (Desk::up(), Peer::restarts("bob"));
    let call = bob.talks_as_callee(&mut desk);
    (desk, bob, call)
}

/// In a call that the peer placed.
fn as_callee() -> (Desk, Peer, CallId) {
    let (mut desk, bob) = (Desk::up(), Peer::restarts("bob"));
    let call = bob.talks_as_caller(&mut desk);
    (desk, bob, call)
}

fn asked(desk: &mut Desk) -> usize {
    desk.signals().iter().filter(|signal| **signal == LOST).count()
}

#[test]
fn an_interruption_has_three_seconds_to_pass() {
    let (mut desk, _bob, call) = as_caller();
    desk.reports(call, RtcEvent::Disconnected);
    desk.wait(millis(2_999));
    assert_eq!(asked(&mut desk), 0);
    desk.reports(call, RtcEvent::Connected);
    desk.wait(secs(60));
    assert_eq!(asked(&mut desk), 0);
    assert_eq!(desk.call_events(), [CallEvent::Reconnecting, CallEvent::Reconnected]);
}

#[test]
fn the_grace_can_be_set() {
    let config = Config::default().disconnected_grace(secs(1));
    let (mut desk, mut bob) = (Desk::up_with(config), Peer::restarts("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    desk.wait(secs(1));
    assert_eq!(asked(&mut desk), 1);
}

#[test]
fn then_it_is_asked_for_again_and_again_and_given_up_in_the_end() {
    let (mut desk, _bob, call) = as_caller();
    desk.reports(call, RtcEvent::Disconnected);
    desk.wait(secs(3));
    assert_eq!(asked(&mut desk), 1);
    desk.wait(secs(1));
    assert_eq!(asked(&mut desk), 1, "a second later");
    desk.wait(millis(40_999));
    assert!((8..40).contains(&asked(&mut desk)));
    assert_eq!(desk.engine_works(), [], "nobody was there to answer an offer");
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.wait(millis(1));
    assert_eq!(desk.said()[0].reason, Some(HangupReason::Failed));
    assert_eq!(desk.end_of(call), local(EndReason::TransportFailed));
}

#[test]
fn a_failure_is_asked_about_at_once() {
    for mut story in [as_caller(), as_callee()] {
        let (desk, _bob, call) = (&mut story.0, &story.1, story.2);
        desk.reports(call, RtcEvent::Failed);
        assert_eq!(asked(desk), 1);
        assert_eq!(desk.call_events(), [CallEvent::Reconnecting]);
    }
}

#[test]
fn a_caller_restarts_once_it_hears_the_peer() {
    for word in [LOST, READY] {
        let (mut desk, bob, call) = as_caller();
        desk.reports(call, RtcEvent::Failed);
        desk.forget();
        desk.hears(&bob, word);
        assert_eq!(desk.engine_works(), [RtcAction::MakeOffer { ice_restart: true }]);
        let said = desk.said();
        assert!(matches!(said[0].signal, RtcSignal::Offer(_)));
        assert_eq!(said[0].round, Some(1));
        // The peer goes on asking until it has our offer.
        desk.hears(&bob, LOST);
        assert_eq!((desk.engine_works(), desk.said()), (vec![], vec![]));
        desk.hears(&bob, bob.answer());
        assert!(matches!(desk.engine_works()[..], [RtcAction::AcceptAnswer(_)]));
        desk.reports(call, RtcEvent::Connected);
        desk.wait(secs(60));
        assert_eq!(desk.call_events(), [CallEvent::Reconnected]);
        assert_eq!(asked(&mut desk), 0);
    }
}

#[test]
fn a_restart_that_finds_no_path_is_tried_again() {
    let (mut desk, bob, call) = as_caller();
    desk.reports(call, RtcEvent::Failed);
    let mut restarts = 0;
    while desk.phase(call).is_some() {
        desk.forget();
        desk.hears(&bob, READY);
        let asked = desk.engine_works();
        if asked.contains(&RtcAction::MakeOffer { ice_restart: true }) {
            restarts += 1;
            desk.hears(&bob, bob.answer());
            desk.engine_works();
        }
        desk.wait(millis(500));
    }
    assert!((3..=9).contains(&restarts), "{restarts}");
}

#[test]
fn a_restart_takes_an_unanswered_offer_back() {
    let (mut desk, bob, call) = as_caller();
    desk.reports(call, RtcEvent::NegotiationNeeded);
    desk.engine_works();
    desk.reports(call, RtcEvent::Failed);
    desk.forget();
    desk.hears(&bob, READY);
    let restart = RtcAction::MakeOffer { ice_restart: true };
    assert_eq!(desk.engine_works(), [RtcAction::Rollback, restart]);
    assert_eq!(desk.said()[0].round, Some(2));
    // The answer to the first one comes late, and is nobody's.
    desk.frame(bob.answers_round(1));
    assert_eq!(desk.engine_works(), []);
    desk.frame(bob.answers_round(2));
    assert!(matches!(desk.engine_works()[..], [RtcAction::AcceptAnswer(_)]));
}

#[test]
fn a_caller_that_is_well_asks_back() {
    let (mut desk, bob, call) = as_caller();
    desk.hears(&bob, LOST);
    assert_eq!(desk.signals(), [LOST]);
    assert_eq!(desk.engine_works(), [], "it may be an old word");
    desk.hears(&bob, READY);
    assert_eq!((desk.signals(), desk.engine_works()), (vec![], vec![]));
    desk.hears(&bob, LOST);
    desk.forget();
    desk.hears(&bob, LOST);
    assert_eq!(desk.engine_works(), [RtcAction::MakeOffer { ice_restart: true }]);
    desk.hears(&bob, bob.answer());
    desk.engine_works();
    desk.wait(secs(60));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    assert_eq!(desk.call_events(), []);
}

#[test]
fn a_callee_answers_with_its_own_state_and_never_offers() {
    let (mut desk, bob, call) = as_callee();
    desk.hears(&bob, LOST);
    assert_eq!(desk.signals(), [READY]);
    desk.reports(call, RtcEvent::Failed);
    desk.forget();
    desk.hears(&bob, LOST);
    assert_eq!(desk.signals(), [LOST]);
    assert_eq!(desk.engine_works(), []);
}

#[test]
fn the_peers_restart_is_given_its_time() {
    let (mut desk, bob, call) = as_callee();
    desk.reports(call, RtcEvent::Failed);
    desk.frame(bob.renegotiates("anew"));
    assert!(matches!(desk.engine_works()[..], [RtcAction::AcceptOffer(_)]));
    desk.forget();
    desk.wait(secs(3));
    assert_eq!(asked(&mut desk), 0);
    desk.wait(secs(6));
    assert!(asked(&mut desk) > 0);
    desk.reports(call, RtcEvent::Connected);
    assert_eq!(desk.call_events(), [CallEvent::Reconnected]);
}

#[test]
fn without_a_link_nothing_piles_up_and_its_return_asks_at_once() {
    let (mut desk, _bob, call) = as_caller();
    desk.reports(call, RtcEvent::Failed);
    desk.link_lost();
    desk.forget();
    desk.wait(millis(500));
    desk.link_up();
    desk.greet("m-2");
    assert_eq!(asked(&mut desk), 1);
}

#[test]
fn other_addresses_are_a_reason_of_their_own() {
    let (mut desk, bob, call) = as_caller();
    desk.reports(call, RtcEvent::AddressesChanged);
    assert_eq!(asked(&mut desk), 1);
    desk.hears(&bob, READY);
    assert_eq!(desk.engine_works(), [RtcAction::MakeOffer { ice_restart: true }]);
    desk.hears(&bob, bob.answer());
    desk.engine_works();
    desk.forget();
    // An engine need not say that it is connected when it has never said that it was not.
    desk.wait(secs(60));
    assert_eq!((asked(&mut desk), desk.call_events()), (0, vec![]));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
}

#[test]
fn ice_servers_are_renewed_with_the_restart() {
    for caller in [true, false] {
        let (mut desk, bob, call) = if caller { as_caller() } else { as_callee() };
        let fresh = IceServer { urls: vec!["turn:new".to_owned()], ..IceServer::default() };
        desk.link_lost();
        desk.wait(secs(1));
        desk.link_up();
        let mut ready = Ready::new(cid("m-2"), UserId::new("me").unwrap());
        ready.ice_servers = vec![fresh.clone()];
        desk.frame(ServerFrame::Ready(ready));
        desk.reports(call, RtcEvent::Failed);
        if caller {
            desk.hears(&bob, READY);
        } else {
            desk.frame(bob.renegotiates("anew"));
        }
        let first = desk.engine_does_one();
        assert_eq!(first, Some(RtcAction::SetIceServers(vec![fresh])));
        assert_eq!(desk.engine_works().len(), 1);
    }
}

#[test]
fn a_peer_that_has_lost_both_has_a_while_to_come_back() {
    let (mut desk, mut bob, call) = as_caller();
    let gone = Notice {
        code: NoticeCode::UserDisconnected,
        user: bob.user.clone(),
        from: bob.cid.clone(),
        group: GroupName::new("lobby").unwrap(),
    };
    desk.reports(call, RtcEvent::Disconnected);
    desk.frame(ServerFrame::Notice(gone.clone()));
    desk.wait(millis(9_999));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    bob.cid = cid("c-bob-2");
    desk.hears(&bob, RtcSignal::None);
    desk.wait(secs(5));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    let gone = Notice { from: bob.cid.clone(), ..gone };
    desk.frame(ServerFrame::Notice(gone));
    desk.wait(secs(10));
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}

#[test]
fn a_connection_that_the_service_does_not_know_is_gone_after_a_while() {
    let (mut desk, _bob, call) = as_caller();
    desk.reports(call, RtcEvent::Failed);
    let sent = desk.sent();
    let Some(ClientFrame::Rtc { reference: Some(reference), .. }) = sent.first() else {
        panic!("{sent:?}");
    };
    desk.refuse(*reference, ErrorCode::UnknownConnection);
    desk.wait(millis(9_999));
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.wait(millis(1));
    assert_eq!(desk.end_of(call), remote(EndReason::PeerGone));
}

#[test]
fn a_search_for_a_call_that_is_over_is_told_so() {
    let (mut desk, bob, call) = as_caller();
    desk.hang_up(call);
    desk.forget();
    desk.hears(&bob, LOST);
    let said = desk.said();
    assert!(matches!(said[0].signal, RtcSignal::HungUp(_)));
    assert_eq!((said[0].call, &said[0].reason), (bob.key, &Some(HangupReason::Failed)));
    // One without a name might mean any call.
    desk.frame(bob.sends(&RtcContent::new(LOST)));
    assert_eq!(desk.said(), []);
}

#[test]
fn a_peer_that_knows_no_restart_is_not_asked() {
    let (mut desk, mut bob) = (Desk::up(), Peer::stock("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reports(call, RtcEvent::Disconnected);
    desk.wait(secs(60));
    assert_eq!(asked(&mut desk), 0);
    assert_eq!(desk.phase(call), Some(CallPhase::Established));
    desk.hears(&bob, LOST);
    assert_eq!(desk.engine_works(), []);
}

#[test]
fn a_restart_that_fails_in_the_engine_is_tried_again() {
    let (mut desk, bob, call) = as_caller();
    desk.reports(call, RtcEvent::Failed);
    desk.hears(&bob, READY);
    assert!(matches!(desk.engine_fails(), RtcAction::MakeOffer { .. }));
    desk.wait(secs(9));
    desk.hears(&bob, READY);
    assert_eq!(desk.engine_works(), [RtcAction::MakeOffer { ice_restart: true }]);
}
