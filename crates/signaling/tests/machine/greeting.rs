//! A peer that comes back into the group under another connection id, while we too have another one.

use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, GroupName, Notice, NoticeCode, RtcContent, RtcSignal, ServerFrame,
    UserId,
};
use skapi_rtc_signaling::CallPhase;

use super::{
    harness::{Desk, cid},
    peer::Peer,
};

fn joins(desk: &mut Desk, user: &str, from: &str) {
    desk.frame(ServerFrame::Notice(Notice {
        code: NoticeCode::UserJoined,
        user: UserId::new(user).unwrap(),
        from: cid(from),
        group: GroupName::new("lobby").unwrap(),
    }));
}

/// Who was greeted, and with what.
fn greeted(desk: &mut Desk) -> Vec<(ConnectionId, RtcContent)> {
    let frames = desk.sent().into_iter();
    frames
        .filter_map(|frame| match frame {
            ClientFrame::Rtc { to, content, .. } => {
                Some((to, RtcContent::decode(&content).unwrap()))
            }
            _ => None,
        })
        .filter(|(_, content)| content.signal == RtcSignal::Hello)
        .collect()
}

#[test]
fn one_whose_connection_is_not_known_any_more_is_greeted_by_the_key_of_the_call() {
    let (mut desk, mut bob) = (Desk::up(), Peer::restarts("bob"));
    let call = bob.talks_as_callee(&mut desk);
    desk.reconnect("m-2");
    desk.forget();
    joins(&mut desk, "bob", "c-bob-2");
    let greeted = greeted(&mut desk);
    assert_eq!(greeted.len(), 1);
    let (to, content) = &greeted[0];
    assert_eq!((to, content.call, content.seq), (&cid("c-bob-2"), bob.key, None));
    assert!(content.capabilities.is_some());
    // It is the peer only once it has answered.
    assert_eq!(desk.session.call(call).unwrap().peer, bob.cid);
    bob.cid = cid("c-bob-2");
    desk.hears(&bob, RtcSignal::None);
    assert_eq!(desk.session.call(call).unwrap().peer, bob.cid);
}

#[test]
fn a_greeting_is_answered_to_where_it_came_from() {
    let (mut desk, mut bob) = (Desk::up(), Peer::restarts("bob"));
    let call = bob.talks_as_callee(&mut desk);
    bob.cid = cid("c-bob-2");
    desk.hears(&bob, RtcSignal::Hello);
    assert_eq!(desk.session.call(call).unwrap().peer, bob.cid);
    let sent = desk.sent();
    let [ClientFrame::Rtc { to, content, .. }] = &sent[..] else { panic!("{sent:?}") };
    let content = RtcContent::decode(content).unwrap();
    assert_eq!((to, &content.signal, content.call), (&bob.cid, &RtcSignal::None, bob.key));
}

#[test]
fn nobody_else_is_greeted() {
    let greets = |mut peer: Peer, lost: bool, user: &str, from: &str| {
        let mut desk = Desk::up();
        let call = peer.talks_as_callee(&mut desk);
        if lost {
            desk.reconnect("m-2");
        }
        desk.forget();
        joins(&mut desk, user, from);
        assert_eq!(desk.phase(call), Some(CallPhase::Established));
        !greeted(&mut desk).is_empty()
    };
    assert!(greets(Peer::restarts("bob"), true, "bob", "c-bob-2"));
    // A peer that is where it was, a stranger, a peer of ours that does not know the word, Skapi's client.
    assert!(!greets(Peer::restarts("bob"), false, "bob", "c-bob-2"));
    assert!(!greets(Peer::restarts("bob"), true, "eve", "c-eve"));
    assert!(!greets(Peer::ours("bob"), true, "bob", "c-bob-2"));
    assert!(!greets(Peer::stock("bob"), true, "bob", "c-bob-2"));
    // The connection that we know.
    assert!(!greets(Peer::restarts("bob"), true, "bob", "c-bob"));
}

#[test]
fn a_greeting_in_a_call_that_is_not_there_or_of_another_user_is_not_answered() {
    let (mut desk, mut bob) = (Desk::up(), Peer::restarts("bob"));
    desk.hears(&bob, RtcSignal::Hello);
    assert_eq!((desk.said(), desk.events()), (vec![], vec![]));
    let call = bob.talks_as_callee(&mut desk);
    let mut eve = Peer::restarts("eve");
    eve.key = bob.key;
    desk.hears(&eve, RtcSignal::Hello);
    assert_eq!(desk.said(), []);
    assert_eq!(desk.session.call(call).unwrap().peer, bob.cid);
}
