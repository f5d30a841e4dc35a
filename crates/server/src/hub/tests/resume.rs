//! Connections that outlive their socket.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const WINDOW: Duration = Duration::from_secs(30);

/// A hub, its clock, and what each socket has been given since the last time.
struct Scene {
    hub: Hub,
    now: Instant,
    given: Vec<(String, String)>,
}

impl Scene {
    fn new() -> Self {
        Self::with(ResumeLimits::default())
    }

    fn with(resume: ResumeLimits) -> Self {
        let hub = Hub::new(HubLimits { resume, ..HubLimits::default() });
        Self { hub, now: Instant::now(), given: Vec::new() }
    }

    fn resumable(&mut self, connection: &str) {
        self.hub.connect_resumable(cid(connection), user_of(connection)).unwrap();
        self.frame(connection, join(Some("G"), None));
        self.given.clear();
    }

    fn stock(&mut self, connection: &str) {
        self.hub.connect(cid(connection), user_of(connection)).unwrap();
        self.frame(connection, join(Some("G"), None));
        self.given.clear();
    }

    fn frame(&mut self, connection: &str, frame: ClientFrame) {
        let deliveries = self.hub.handle_frame(&cid(connection), frame);
        self.deliver(deliveries);
    }

    fn rtc(&mut self, from: &str, to: &str, content: &str) {
        self.frame(from, rtc(to, content, Some(1)));
    }

    fn lose(&mut self, connection: &str) {
        let deliveries = self.hub.lose(self.now, &cid(connection));
        self.deliver(deliveries);
    }

    fn resume(&mut self, connection: &str, received: u64) -> Resumption {
        let life = self.hub.life(&cid(connection)).unwrap_or_default();
        let mut resumption =
            self.hub.resume(&cid(connection), &user_of(connection), life, received).unwrap();
        self.deliver(std::mem::take(&mut resumption.deliveries));
        resumption
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let deliveries = self.hub.handle_timeout(self.now);
        self.deliver(deliveries);
    }

    fn deliver(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let reached = self.carry_out(&delivery);
            if let Some(receipt) = delivery.receipt {
                self.carry_out(&receipt.answer(reached));
            }
        }
    }

    fn carry_out(&mut self, delivery: &Delivery) -> usize {
        let given = &mut self.given;
        self.hub.deliver(delivery, |cid, frame| {
            given.push((cid.as_str().to_owned(), text(frame)));
            true
        })
    }

    fn heard(&mut self) -> Vec<String> {
        let given = std::mem::take(&mut self.given);
        given.into_iter().map(|(to, frame)| format!("{to}: {frame}")).collect()
    }

    fn members(&self) -> Vec<String> {
        let query = UsersQuery { group: group("G"), user: None, page: PageRequest::default() };
        let list = self.hub.users(&query).unwrap().list;
        list.into_iter().map(|entry| entry.cid.as_str().to_owned()).collect()
    }
}

fn text(frame: &Bytes) -> String {
    shown(&decode_server(std::str::from_utf8(frame).unwrap(), &Limits::default()).unwrap())
}

fn texts(missed: &[Bytes]) -> Vec<String> {
    missed.iter().map(text).collect()
}

fn resumed(received: u64, complete: bool) -> Resumed {
    Resumed { received, complete }
}

#[test]
fn who_comes_back_in_time_has_missed_nothing_and_nobody_has_noticed() {
    let mut scene = Scene::new();
    scene.resumable("a");
    scene.stock("b");
    scene.rtc("b", "a", "1");
    assert_eq!(scene.heard(), ["a: rtc \"1\" of b b", "b: done 1"]);
    scene.lose("a");
    scene.rtc("b", "a", "2");
    assert_eq!(scene.heard(), ["b: done 1"], "it is kept, so it will be delivered");
    scene.pass(WINDOW - Duration::from_millis(1));
    assert_eq!((scene.heard(), scene.members()), (vec![], vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(scene.hub.parked_count(), 1);

    // Its own notice of joining it does not get, but b's: that, the first post, and then what it missed.
    let resumption = scene.resume("a", 2);
    assert_eq!(resumption.resumed, resumed(1, true));
    assert_eq!(texts(&resumption.missed), ["rtc \"2\" of b b"]);
    assert_eq!((scene.hub.parked_count(), scene.hub.next_deadline()), (0, None));
    scene.pass(WINDOW);
    scene.rtc("b", "a", "3");
    assert_eq!(scene.heard(), ["a: rtc \"3\" of b b", "b: done 1"]);
}

#[test]
fn what_the_client_had_not_received_is_sent_again() {
    let mut scene = Scene::new();
    scene.resumable("a");
    scene.stock("b");
    for content in ["1", "2", "3"] {
        scene.rtc("b", "a", content);
    }
    // The old socket is not known to be lost.
    let resumption = scene.resume("a", 2);
    assert_eq!(texts(&resumption.missed), ["rtc \"2\" of b b", "rtc \"3\" of b b"]);
    // And once more: what was sent again may be lost again.
    assert_eq!(texts(&scene.resume("a", 3).missed), ["rtc \"3\" of b b"]);
    scene.frame("a", ClientFrame::KeepAlive { received: Some(4) });
    let again = scene.resume("a", 3);
    assert_eq!(again.resumed, resumed(0, false), "said to have arrived, so it was forgotten");
}

#[test]
fn frames_of_the_client_are_counted_whatever_became_of_them() {
    let mut scene = Scene::new();
    scene.resumable("a"); // one frame: the join
    scene.frame("a", ClientFrame::KeepAlive { received: Some(0) });
    scene.rtc("a", "nobody", "1");
    let told = Some((ErrorCode::BadFrame, "no".to_owned()));
    assert!(scene.hub.refuse_frame(&cid("a"), told, None).is_some());
    assert!(scene.hub.refuse_frame(&cid("a"), None, None).is_none());
    assert_eq!(scene.resume("a", 0).resumed, resumed(4, true));
}

#[test]
fn the_window_ends_and_the_group_is_told() {
    let mut scene = Scene::new();
    scene.resumable("a");
    scene.stock("b");
    scene.lose("a");
    scene.pass(WINDOW / 2);
    scene.lose("a"); // known already; the window does not begin again
    scene.pass(WINDOW / 2);
    assert_eq!(scene.heard(), ["b: USER_DISCONNECTED a G"]);
    scene.rtc("b", "a", "2");
    assert_eq!(scene.heard(), ["b: UNKNOWN_CONNECTION Some(1)"]);
    assert_eq!(scene.members(), ["b"]);

    let resumption = scene.resume("a", 5);
    assert_eq!((resumption.resumed, resumption.missed), (resumed(0, false), vec![]));
    scene.rtc("b", "a", "3");
    assert_eq!(scene.heard(), ["a: rtc \"3\" of b b", "b: done 1"]);
}

#[test]
fn who_cannot_be_resumed_is_gone_at_once() {
    let mut scene = Scene::new();
    scene.stock("a");
    scene.stock("b");
    scene.lose("a");
    assert_eq!(scene.heard(), ["b: USER_DISCONNECTED a G"]);
    // A secret is never given for such a connection; its id is not to be had all the same.
    assert_eq!(
        scene.hub.resume(&cid("b"), &user_of("b"), 1, 0).unwrap_err(),
        ConnectError::IdTaken
    );
    let mut scene = Scene::with(ResumeLimits { window: Duration::ZERO, ..ResumeLimits::default() });
    scene.resumable("a");
    scene.lose("a");
    assert_eq!(scene.members(), [] as [String; 0]);
}

#[test]
fn a_connection_is_its_users_alone() {
    let mut scene = Scene::new();
    scene.resumable("a");
    let error = scene.hub.resume(&cid("a"), &user_of("b"), 1, 0).unwrap_err();
    assert_eq!(error, ConnectError::IdTaken);
    scene.lose("a");
    assert_eq!(
        scene.hub.resume(&cid("a"), &user_of("b"), 1, 0).unwrap_err(),
        ConnectError::IdTaken
    );
    assert_eq!(scene.resume("a", 0).resumed, resumed(1, true));
}

#[test]
fn a_goodbye_needs_no_window() {
    let mut scene = Scene::new();
    scene.resumable("a");
    scene.stock("b");
    let deliveries = scene.hub.disconnect(&cid("a"));
    scene.deliver(deliveries);
    assert_eq!(scene.heard(), ["b: USER_DISCONNECTED a G"]);
    assert_eq!((scene.hub.parked_count(), scene.hub.next_deadline()), (0, None));
}

#[test]
fn too_much_for_an_open_socket_is_forgotten_and_nothing_else_happens() {
    let mut scene = Scene::with(ResumeLimits { frames: 2, ..ResumeLimits::default() });
    scene.resumable("a");
    scene.stock("b"); // a notice: the first frame
    for content in ["2", "3", "4"] {
        scene.rtc("b", "a", content);
    }
    scene.heard();
    scene.lose("a");
    assert_eq!(texts(&scene.resume("a", 2).missed), ["rtc \"3\" of b b", "rtc \"4\" of b b"]);
    let lossy = scene.resume("a", 1);
    assert_eq!((lossy.resumed, lossy.missed.len()), (resumed(0, false), 0));
    assert_eq!(scene.heard(), ["b: USER_DISCONNECTED a G"]);
    assert_eq!(scene.members(), ["b"], "it joins again");
}

#[test]
fn too_much_in_the_window_ends_it_and_the_sender_is_told() {
    let mut scene = Scene::with(ResumeLimits { frames: 2, ..ResumeLimits::default() });
    scene.resumable("a");
    scene.stock("b");
    scene.lose("a");
    for content in ["1", "2"] {
        scene.rtc("b", "a", content);
        assert_eq!(scene.heard(), ["b: done 1"]);
    }
    scene.rtc("b", "a", "3");
    assert_eq!(scene.heard(), ["b: NOT_DELIVERED Some(1)"]);
    assert_eq!(scene.hub.next_deadline(), Some(scene.now));
    assert_eq!(scene.hub.parked_count(), 1);
    scene.pass(Duration::ZERO);
    assert_eq!(scene.heard(), ["b: USER_DISCONNECTED a G"]);
    assert_eq!(scene.resume("a", 0).resumed, resumed(0, false));
}

#[test]
fn something_lost_in_the_window_is_not_called_complete_before_the_window_is_ended() {
    let mut scene = Scene::with(ResumeLimits { frames: 1, ..ResumeLimits::default() });
    scene.resumable("a");
    scene.stock("b");
    scene.lose("a");
    for content in ["1", "2"] {
        scene.rtc("b", "a", content);
    }
    assert_eq!(scene.resume("a", 1).resumed, resumed(0, false));
    assert_eq!(scene.hub.next_deadline(), None);
}

/// A client whose greeting got lost does not know that a new life has begun, and has counted in the old one.
#[test]
fn what_was_received_in_an_earlier_life_counts_for_nothing() {
    let mut scene = Scene::new();
    scene.resumable("a");
    scene.stock("b");
    let (id, user) = (cid("a"), user_of("a"));
    let before = scene.hub.life(&id).unwrap();
    scene.hub = Hub::new(HubLimits::default()).lives_from(70);
    scene.stock("b");
    let unheard = scene.hub.resume(&id, &user, before, 2).unwrap();
    assert_eq!((unheard.resumed, scene.hub.life(&id)), (resumed(0, false), Some(71)));
    for content in ["1", "2", "3"] {
        scene.rtc("b", "a", content);
    }
    let again = scene.hub.resume(&id, &user, before, 2).unwrap();
    assert_eq!((again.resumed, again.missed.len()), (resumed(0, false), 0));
    assert_eq!(scene.hub.life(&id), Some(72));
}

#[test]
fn parked_connections_count_for_the_limits() {
    let resume = ResumeLimits::default();
    let limits = HubLimits { max_connections_per_user: 1, resume, ..HubLimits::default() };
    let mut hub = Hub::new(limits);
    hub.connect_resumable(cid("a1"), user_of("a1")).unwrap();
    hub.lose(Instant::now(), &cid("a1"));
    let error = hub.connect(cid("a2"), user_of("a2")).unwrap_err();
    assert!(matches!(error, ConnectError::TooManyOfUser { .. }));
    assert!(hub.resume(&cid("a1"), &user_of("a1"), 1, 0).unwrap().resumed.complete);
}

#[derive(Debug, Clone)]
enum Op {
    /// A post to the client.
    Send,
    /// So many of the frames that are on their way arrive.
    Arrive(usize),
    Acknowledge,
    /// What is on its way is lost, and the service learns of it or not.
    Cut {
        noticed: bool,
    },
    Pass(u64),
    Back,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => Just(Op::Send),
        4 => (0..4_usize).prop_map(Op::Arrive),
        2 => Just(Op::Acknowledge),
        2 => any::<bool>().prop_map(|noticed| Op::Cut { noticed }),
        1 => (0..40_u64).prop_map(Op::Pass),
        3 => Just(Op::Back),
    ]
}

proptest! {
    /// One client that is cut off again and again: whatever it gets, it gets once and in order, and only a
    /// resumption that says so leaves something out.
    #[test]
    fn nothing_is_lost_or_doubled_unless_it_is_said(
        ops in proptest::collection::vec(op(), 1..120),
        frames in 1..12_usize,
    ) {
        let mut scene = Scene::with(ResumeLimits { frames, ..ResumeLimits::default() });
        scene.resumable("a");
        scene.stock("b");
        scene.given.clear();
        // The client has had the notice about b.
        let (mut received, mut posted, mut expected) = (1_u64, 0_u32, 0_u32);
        let mut wire: Vec<String> = Vec::new();
        let mut attached = true;
        for op in ops {
            match op {
                Op::Send => {
                    scene.rtc("b", "a", &posted.to_string());
                    posted += 1;
                }
                Op::Arrive(n) => {
                    for frame in wire.drain(..n.min(wire.len())) {
                        prop_assert_eq!(frame, format!("rtc \"{expected}\" of b b"));
                        expected += 1;
                        received += 1;
                    }
                }
                Op::Acknowledge if attached => {
                    scene.frame("a", ClientFrame::KeepAlive { received: Some(received) });
                }
                Op::Cut { noticed } => {
                    wire.clear();
                    attached = false;
                    if noticed {
                        scene.lose("a");
                    }
                }
                Op::Pass(secs) => scene.pass(Duration::from_secs(secs)),
                Op::Back if !attached => {
                    attached = true;
                    let present = scene.members().contains(&"a".to_owned());
                    let unread = posted - expected;
                    let Resumption { resumed, missed, .. } = scene.resume("a", received);
                    prop_assert!(present || !resumed.complete);
                    if resumed.complete {
                        prop_assert_eq!(missed.len(), unread as usize);
                        wire = texts(&missed);
                    } else {
                        prop_assert!(!present || unread as usize > frames, "no reason to lose {unread}");
                        prop_assert!(missed.is_empty());
                        (received, expected) = (0, posted);
                        scene.frame("a", join(Some("G"), None));
                    }
                }
                Op::Acknowledge | Op::Back => {}
            }
            let given = std::mem::take(&mut scene.given);
            if attached {
                let own = given.into_iter().filter(|(to, _)| to == "a").map(|(_, frame)| frame);
                wire.extend(own);
            }
        }
    }
}

fn link_of(to: &str, state: &str, of: &str) -> String {
    format!("{to}: link of {of} {state}")
}

#[test]
fn peers_are_told_what_becomes_of_a_link_if_they_know_the_frame() {
    let mut scene = Scene::new();
    for connection in ["a", "b", "c"] {
        scene.resumable(connection);
    }
    scene.stock("s");
    scene.rtc("a", "b", "1");
    scene.rtc("s", "a", "2");
    scene.heard();
    scene.lose("a");
    assert_eq!(scene.heard(), [link_of("b", "lost", "a")]);
    // Who speaks to it only now has not heard of it.
    scene.rtc("c", "a", "3");
    assert_eq!(scene.heard(), ["c: done 1".to_owned(), link_of("c", "lost", "a")]);
    scene.rtc("c", "a", "4");
    assert_eq!(scene.heard(), ["c: done 1"]);
    scene.resume("a", 0);
    assert_eq!(scene.heard(), [link_of("b", "back", "a"), link_of("c", "back", "a")]);
    scene.lose("a");
    scene.heard();
    scene.pass(WINDOW);
    let heard = scene.heard();
    assert!(heard.contains(&link_of("b", "gone", "a")), "{heard:?}");
    assert!(!heard.contains(&link_of("s", "gone", "a")), "{heard:?}");
}

#[test]
fn a_connection_that_comes_back_with_something_lost_is_not_gone_to_its_peers() {
    let mut scene = Scene::new();
    scene.resumable("a");
    scene.resumable("b");
    scene.rtc("a", "b", "1");
    scene.lose("a");
    scene.heard();
    assert!(!scene.resume("a", 99).resumed.complete);
    assert_eq!(scene.heard(), ["b: USER_DISCONNECTED a G".to_owned(), link_of("b", "back", "a")]);
    scene.lose("a");
    assert_eq!(scene.heard(), [link_of("b", "lost", "a")]);
}
