//! Each rule of who gets what.

use super::*;

#[test]
fn a_join_is_told_to_the_others_and_not_to_who_joins() {
    let mut room = Room::new();
    room.member("alice1", "G");
    room.member("carol1", "H");
    room.connect("bob1");
    room.frame("bob1", join(Some("G"), Some(7)));
    assert_eq!(room.heard(), ["alice1: USER_JOINED bob1 G", "bob1: done 7"]);
}

#[test]
fn joining_the_group_one_is_in_is_fine_and_no_news() {
    let mut room = Room::new();
    room.member("alice1", "G");
    room.member("bob1", "G");
    room.frame("bob1", join(Some("G"), Some(1)));
    assert_eq!(room.heard(), ["bob1: done 1"]);
    room.frame("bob1", join(Some("G"), None));
    assert!(room.heard().is_empty());
}

#[test]
fn a_switch_is_told_to_the_old_group_and_to_the_new_one() {
    let mut room = Room::new();
    room.member("alice1", "G");
    room.member("carol1", "H");
    room.member("bob1", "G");
    room.join("bob1", Some("H"));
    assert_eq!(room.heard(), ["alice1: USER_LEFT bob1 G", "carol1: USER_JOINED bob1 H"]);
}

#[test]
fn leaving_is_told_once() {
    let mut room = Room::new();
    room.member("alice1", "G");
    room.member("bob1", "G");
    room.join("bob1", None);
    assert_eq!(room.heard(), ["alice1: USER_LEFT bob1 G"]);
    room.frame("bob1", join(None, Some(2)));
    assert_eq!(room.heard(), ["bob1: done 2"]);
}

#[test]
fn a_lost_connection_is_told_to_its_group() {
    let mut room = Room::new();
    room.member("alice1", "G");
    room.member("bob1", "G");
    room.connect("carol1");
    room.disconnect("bob1");
    assert_eq!(room.heard(), ["alice1: USER_DISCONNECTED bob1 G"]);
    room.disconnect("bob1");
    room.disconnect("carol1");
    assert!(room.heard().is_empty());
    assert_eq!(room.hub.connection_count(), 1);
}

#[test]
fn a_group_ends_with_its_last_connection() {
    let mut room = Room::new();
    room.member("alice1", "G");
    assert_eq!(room.hub.group_count(), 1);
    room.disconnect("alice1");
    assert_eq!(room.hub.group_count(), 0);
    room.member("alice1", "G");
    room.join("alice1", Some("H"));
    assert_eq!(room.hub.group_count(), 1);
}

#[test]
fn a_post_goes_to_the_whole_group_its_sender_included() {
    let mut room = Room::new();
    room.member("alice1", "G");
    room.member("bob1", "G");
    room.member("bob2", "H");
    room.frame("alice1", broadcast("G", "100% <ok>", Some(3)));
    assert_eq!(
        room.heard(),
        [
            r#"alice1: "100% <ok>" of alice alice1 in G"#,
            "alice1: done 3",
            r#"bob1: "100% <ok>" of alice alice1 in G"#,
        ]
    );
}

#[test]
fn a_post_is_encoded_once_for_all() {
    let mut room = Room::new();
    room.member("alice1", "G");
    room.member("bob1", "G");
    let deliveries = room.hub.handle_frame(&cid("alice1"), broadcast("G", "hi", None));
    assert_eq!(deliveries.len(), 1);
    assert_eq!(room.hub.recipients(&deliveries[0].to).count(), 2);
}

#[test]
fn a_post_to_a_group_one_is_not_in_is_refused_aloud() {
    let mut room = Room::new();
    room.member("alice1", "G");
    room.member("bob1", "H");
    room.frame("bob1", broadcast("G", "hi", None));
    assert_eq!(room.heard(), ["bob1: NOT_IN_GROUP None"]);
    room.frame("bob1", broadcast("G", "hi", Some(4)));
    assert_eq!(room.heard(), ["bob1: NOT_IN_GROUP Some(4)"]);
    room.connect("carol1");
    room.frame("carol1", broadcast("G", "hi", None));
    assert_eq!(room.heard(), ["carol1: NOT_IN_GROUP None"]);
}

#[test]
fn a_private_post_goes_to_every_connection_of_the_user() {
    let mut room = Room::new();
    room.member("alice1", "G");
    room.member("bob1", "G");
    room.connect("bob2");
    room.frame("alice1", private("bob", "psst", Some(5)));
    assert_eq!(
        room.heard(),
        [
            "alice1: done 5",
            r#"bob1: private "psst" of alice alice1"#,
            r#"bob2: private "psst" of alice alice1"#,
        ]
    );
}

#[test]
fn a_post_to_who_is_offline_is_an_error_for_who_asked() {
    let mut room = Room::new();
    room.connect("alice1");
    room.frame("alice1", private("bob", "psst", None));
    assert!(room.heard().is_empty());
    room.frame("alice1", private("bob", "psst", Some(6)));
    assert_eq!(room.heard(), ["alice1: USER_OFFLINE Some(6)"]);
}

#[test]
fn a_signal_goes_to_one_connection_and_names_the_sender_by_its_socket() {
    let mut room = Room::new();
    room.connect("alice1");
    room.connect("bob1");
    room.connect("bob2");
    room.frame("alice1", rtc("bob2", "offer", None));
    assert_eq!(room.heard(), [r#"bob2: rtc "offer" of alice alice1"#]);
    room.frame("alice1", rtc("bob2", "offer", Some(8)));
    assert_eq!(room.heard(), ["alice1: done 8", r#"bob2: rtc "offer" of alice alice1"#]);
}

#[test]
fn a_signal_to_a_dead_connection_is_an_error_for_who_asked() {
    let mut room = Room::new();
    room.connect("alice1");
    room.frame("alice1", rtc("bob1", "hungup", None));
    assert!(room.heard().is_empty());
    room.frame("alice1", rtc("bob1", "hungup", Some(9)));
    assert_eq!(room.heard(), ["alice1: UNKNOWN_CONNECTION Some(9)"]);
}

#[test]
fn what_nobody_took_is_answered_as_not_delivered() {
    let receipt = Receipt { sender: cid("alice1"), reference: 3 };
    let delivery = receipt.answer(0);
    assert_eq!(delivery.to, Address::Connection(cid("alice1")));
    let text = std::str::from_utf8(&delivery.frame).unwrap();
    assert!(text.contains("NOT_DELIVERED"), "{text}");
}

#[test]
fn an_unknown_action_is_an_error_with_the_ref_it_carried() {
    let mut room = Room::new();
    room.connect("alice1");
    for (frame, answer) in [
        (r#"{"action":"dance"}"#, "alice1: UNKNOWN_ACTION None"),
        (r#"{"action":"dance","ref":3}"#, "alice1: UNKNOWN_ACTION Some(3)"),
        (r#"{"action":"dance","ref":"x"}"#, "alice1: UNKNOWN_ACTION None"),
    ] {
        let frame =
            ClientFrame::Unknown { action: "dance".to_owned(), frame: Json::new(frame).unwrap() };
        room.frame("alice1", frame);
        assert_eq!(room.heard(), [answer]);
    }
}

#[test]
fn keep_alive_and_frames_of_nobody_do_nothing() {
    let mut room = Room::new();
    room.connect("alice1");
    room.frame("alice1", ClientFrame::KeepAlive { received: None });
    room.frame("ghost1", join(Some("G"), Some(1)));
    assert!(room.heard().is_empty());
    assert_eq!(room.hub.group_count(), 0);
}

#[test]
fn connections_are_limited_in_all_and_for_each_user() {
    let mut room = Room::with(HubLimits {
        max_connections: 3,
        max_connections_per_user: 2,
        ..HubLimits::default()
    });
    room.connect("alice1");
    room.connect("alice2");
    let user = user_of("alice");
    assert_eq!(room.try_connect("alice3"), Err(ConnectError::TooManyOfUser { user, max: 2 }));
    assert_eq!(room.hub.connect(cid("alice1"), user_of("bob")), Err(ConnectError::IdTaken));
    room.connect("bob1");
    assert_eq!(room.try_connect("carol1"), Err(ConnectError::ServiceFull { max: 3 }));
    room.disconnect("alice1");
    room.connect("alice3");
}

#[test]
fn groups_are_limited_in_number_and_size_and_a_refusal_changes_nothing() {
    let mut room =
        Room::with(HubLimits { max_groups: 2, max_group_size: 2, ..HubLimits::default() });
    room.member("alice1", "G");
    room.member("bob1", "G");
    room.member("carol1", "H");
    room.frame("carol1", join(Some("G"), Some(1)));
    assert_eq!(room.heard(), ["carol1: GROUP_FULL Some(1)"]);
    room.frame("carol1", broadcast("H", "still here", None));
    assert_eq!(room.heard().len(), 1);

    room.frame("alice1", join(Some("I"), None));
    assert_eq!(room.heard(), ["alice1: TOO_MANY_GROUPS None"]);
    // Who leaves a group empty makes room for another.
    room.frame("carol1", join(Some("I"), Some(2)));
    assert_eq!(room.heard(), ["carol1: done 2"]);
}
