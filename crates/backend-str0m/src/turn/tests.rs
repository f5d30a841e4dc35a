//! The client in time that only the test moves, with a server that is a few lines of the engine's writer.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use str0m::ice::{StunMessage, StunMessageBuilder};

use super::{
    Client, News,
    access::{key, sign},
};

const REALM: &str = "test";
const MINUTE: Duration = Duration::from_secs(60);

/// A client, and what it has sent.
struct World {
    now: Instant,
    client: Client,
    sent: Vec<Vec<u8>>,
}

fn relayed() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

fn peer(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from([198, 51, 100, 7]), port)
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let random = fastrand::Rng::with_seed(7);
        let client = Client::new(now, "user".to_owned(), "secret".to_owned(), random);
        let mut world = Self { now, client, sent: Vec::new() };
        world.collect();
        world
    }

    /// One that has an allocation for ten minutes.
    fn allocated() -> Self {
        let mut world = Self::new();
        world.turn_away(401, "first");
        world.grant(600);
        assert_eq!(world.client.poll_news(), Some(News::Allocated(relayed())));
        world
    }

    fn collect(&mut self) {
        self.sent.extend(std::iter::from_fn(|| self.client.poll_message()));
    }

    /// Lets time pass, and says what was sent meanwhile.
    fn pass(&mut self, time: Duration) -> Vec<Vec<u8>> {
        let end = self.now + time;
        while let Some(deadline) = self.client.deadline().filter(|deadline| *deadline <= end) {
            assert!(deadline >= self.now, "a deadline that is over is one that stays");
            self.now = deadline;
            self.client.pass_time(deadline);
            self.collect();
        }
        self.now = end;
        std::mem::take(&mut self.sent)
    }

    /// Lets time pass, and answers all that is asked.
    fn pass_answered(&mut self, time: Duration) -> Vec<Vec<u8>> {
        let end = self.now + time;
        let mut seen = Vec::new();
        while self.now < end {
            let asked = self.pass(Duration::from_secs(1));
            asked.iter().for_each(|request| self.answer(request, 600));
            seen.extend(asked);
        }
        seen
    }

    /// Grants what was asked last.
    fn grant(&mut self, lifetime: u32) {
        let request = self.sent.pop().unwrap();
        self.answer(&request, lifetime);
        self.collect();
    }

    fn answer(&mut self, request: &[u8], lifetime: u32) {
        let id = StunMessage::parse(request).unwrap().trans_id();
        let builder = StunMessageBuilder::new();
        let answer = match kind(request) {
            3 => builder.allocate().success().xor_relayed_address(relayed()).lifetime(lifetime),
            4 => builder.refresh().success().lifetime(lifetime),
            8 => builder.create_permission().success(),
            9 => builder.channel_bind().success(),
            other => panic!("nobody answers {other}"),
        };
        let answer = written(answer.build(id), Some("secret"));
        assert_eq!(self.client.take(self.now, &answer), None);
    }

    /// Turns away what was asked last.
    fn turn_away(&mut self, code: u16, nonce: &str) {
        let request = self.sent.pop().unwrap();
        let id = StunMessage::parse(&request).unwrap().trans_id();
        let builder = StunMessageBuilder::new();
        let answer = match kind(&request) {
            3 => builder.allocate().failure(),
            4 => builder.refresh().failure(),
            8 => builder.create_permission().failure(),
            9 => builder.channel_bind().failure(),
            other => panic!("nobody answers {other}"),
        };
        let answer = answer.error_code(code, "no").realm(REALM).nonce(nonce).build(id);
        assert_eq!(self.client.take(self.now, &written(answer, None)), None);
        self.collect();
    }

    /// Sends something, and gives what the server gets.
    fn send(&mut self, to: SocketAddr, contents: &[u8]) -> Option<Vec<u8>> {
        let mut wrapped = Vec::new();
        let leaves = self.client.wrap(self.now, to, contents, &mut wrapped);
        self.collect();
        leaves.then_some(wrapped)
    }
}

fn written(message: StunMessage<'_>, password: Option<&str>) -> Vec<u8> {
    let key = password.map(|password| key("user", REALM, password));
    let mut buffer = vec![0; 1500];
    let length = message.to_bytes(key.as_ref().map(|key| &key[..]), &mut buffer, sign).unwrap();
    buffer.truncate(length);
    buffer
}

fn kind(message: &[u8]) -> u16 {
    u16::from_be_bytes([message[0], message[1]])
}

fn kinds(messages: &[Vec<u8>]) -> Vec<u16> {
    messages.iter().map(|message| kind(message)).collect()
}

#[test]
fn an_allocation_is_asked_for_and_its_credentials_given_when_wanted() {
    let mut world = World::new();
    let first = StunMessage::parse(&world.sent[0]).unwrap();
    assert!(first.is_allocate_request() && first.username().is_none());
    world.turn_away(401, "first");
    let second = world.sent[0].clone();
    let second = StunMessage::parse(&second).unwrap();
    assert_eq!((second.username(), second.nonce()), (Some("user"), Some("first")));
    assert!(second.verify(&key("user", REALM, "secret"), sign));
    assert!(world.client.is_asking());
    world.grant(600);
    assert_eq!(world.client.relayed(), Some(relayed()));
}

#[test]
fn wrong_credentials_are_not_tried_twice_and_a_nonce_not_for_ever() {
    let mut world = World::new();
    world.turn_away(401, "first");
    world.turn_away(401, "second");
    assert!(world.client.is_over() && world.sent.is_empty());
    assert_eq!(world.client.poll_news(), Some(News::Over));

    let mut world = World::new();
    world.turn_away(401, "first");
    world.turn_away(438, "second");
    world.turn_away(438, "third");
    assert!(world.client.is_asking());
    world.turn_away(438, "fourth");
    assert!(world.client.is_over());
    assert_eq!(world.client.deadline(), None);
}

#[test]
fn a_server_that_is_silent_is_given_up() {
    let mut world = World::new();
    assert_eq!(kinds(&world.pass(Duration::from_secs(3))), [3; 4]);
    assert!(world.client.is_asking());
    assert_eq!(kinds(&world.pass(Duration::from_secs(1))), [0; 0]);
    assert!(world.client.is_over());
    assert!(world.send(peer(1), b"x").is_none());
}

#[test]
fn an_answer_that_the_server_did_not_sign_is_none() {
    let mut world = World::new();
    world.turn_away(401, "first");
    let request = world.sent[0].clone();
    let id = StunMessage::parse(&request).unwrap().trans_id();
    for password in [None, Some("other")] {
        let builder = StunMessageBuilder::new().allocate().success();
        let answer = builder.xor_relayed_address(relayed()).lifetime(600).build(id);
        world.client.take(world.now, &written(answer, password));
        assert!(world.client.is_asking(), "signed with {password:?}");
    }
    world.grant(600);
    assert_eq!(world.client.relayed(), Some(relayed()));
}

#[test]
fn an_allocation_is_renewed_at_half_time_and_over_when_it_cannot_be() {
    let mut world = World::allocated();
    assert_eq!(kinds(&world.pass(5 * MINUTE - Duration::from_secs(1))), [0; 0]);
    assert_eq!(kinds(&world.pass(Duration::from_secs(1))), [4]);
    // No answer: it goes on asking, not too often, for as long as there is an allocation.
    let asked = world.pass(5 * MINUTE - Duration::from_secs(1));
    assert!((20..50).contains(&asked.len()), "{}", asked.len());
    assert_eq!(world.client.relayed(), Some(relayed()));
    world.pass(Duration::from_secs(1));
    assert!(world.client.is_over());
    assert_eq!(world.client.poll_news(), Some(News::Over));

    let mut world = World::allocated();
    world.sent = world.pass(5 * MINUTE);
    world.grant(600);
    assert_eq!(kinds(&world.pass(5 * MINUTE - Duration::from_secs(1))), [0; 0]);
    world.sent = world.pass(Duration::from_secs(1));
    world.turn_away(437, "gone");
    assert!(world.client.is_over());
}

#[test]
fn a_server_can_be_asked_whether_it_still_knows() {
    let mut world = World::allocated();
    for _ in 0..2 {
        world.client.check(world.now);
        world.collect();
        assert_eq!(kinds(&world.sent), [4]);
    }
    assert!(world.client.is_asking());
    world.grant(600);
    assert!(!world.client.is_asking() && !world.client.is_over());
    world.client.check(world.now);
    world.collect();
    world.turn_away(437, "none");
    assert_eq!(world.client.poll_news(), Some(News::Over));
}

#[test]
fn who_is_sent_to_stays_permitted_and_others_do_not() {
    let mut world = World::allocated();
    world.client.permit(world.now, "203.0.113.9".parse().unwrap());
    world.collect();
    assert_eq!(kinds(&world.sent), [8]);
    world.grant(600);
    assert_eq!(kinds(&world.pass(4 * MINUTE)), [0; 0], "nothing was sent there");
    let mut world = World::allocated();
    for _ in 0..30 {
        assert!(world.send(peer(1), &[0; 8]).is_some());
        world.pass_answered(MINUTE);
    }
    let sent = world.pass_answered(10 * MINUTE);
    assert!(kinds(&sent).iter().filter(|kind| **kind == 8).count() <= 1, "{:?}", kinds(&sent));
    assert_eq!(world.client.relayed(), Some(relayed()), "the allocation stays");
}

#[test]
fn what_is_encrypted_gets_a_channel_and_goes_on_without_one_until_then() {
    let mut world = World::allocated();
    let check = world.send(peer(1), &[0; 8]).unwrap();
    assert_eq!(kind(&check), 0x16);
    assert_eq!(kinds(&world.sent), [8], "a permission, and no channel for a check");
    world.grant(600);
    let first = world.send(peer(1), &[23; 8]).unwrap();
    assert_eq!((kind(&first), kinds(&world.sent)), (0x16, vec![9]));
    world.grant(600);
    let second = world.send(peer(1), &[23; 8]).unwrap();
    assert_eq!(second, [&[0x40, 0, 0, 8][..], &[23; 8]].concat());
    let number = world.client.take(world.now, &second);
    assert_eq!(number, Some((peer(1), &[23; 8][..])));
    assert_eq!(world.client.take(world.now, &[0x40, 1, 0, 0]), None, "a channel of nobody");
}

#[test]
fn nothing_goes_to_or_comes_from_whom_nobody_permitted() {
    let mut world = World::allocated();
    assert!(world.send("[2001:db8::1]:9".parse().unwrap(), &[0; 8]).is_none());
    let indication = StunMessageBuilder::new().data().indication();
    let indication = indication.xor_peer_address(peer(1)).data(&[23; 8]);
    let indication = written(indication.build(str0m::ice::TransId::new()), None);
    assert_eq!(world.client.take(world.now, &indication), None);
    world.send(peer(2), &[0; 8]).unwrap();
    assert_eq!(world.client.take(world.now, &indication), Some((peer(1), &[23; 8][..])));
    world.turn_away(403, "no");
    assert_eq!(world.client.take(world.now, &indication), None);
    assert!(world.send(peer(2), &[0; 8]).is_none());
    assert!(world.sent.is_empty(), "it is not asked for again at once");
}

#[test]
fn a_stale_nonce_is_replaced_for_whatever_was_asked() {
    let mut world = World::allocated();
    world.send(peer(1), &[23; 8]).unwrap();
    assert_eq!(kinds(&world.sent), [8, 9]);
    for expected in [9, 8] {
        world.turn_away(438, "newer");
        let again = world.sent.pop().unwrap();
        assert_eq!(kind(&again), expected);
        assert_eq!(StunMessage::parse(&again).unwrap().nonce(), Some("newer"));
        world.answer(&again, 600);
    }
    assert_eq!(kind(&world.send(peer(1), &[23; 8]).unwrap()), 0x4000);
}

#[test]
fn giving_it_back_is_one_message_and_the_last() {
    let mut world = World::allocated();
    world.send(peer(1), &[0; 8]).unwrap();
    world.sent.clear();
    world.client.release();
    world.collect();
    assert_eq!(kinds(&world.sent), [4]);
    assert_eq!(StunMessage::parse(&world.sent[0]).unwrap().lifetime(), Some(0));
    assert_eq!((world.client.deadline(), world.client.poll_news()), (None, None));
    world.client.release();
    world.collect();
    assert_eq!(world.sent.len(), 1);

    let mut unknown = World::new();
    unknown.sent.clear();
    unknown.client.release();
    unknown.collect();
    assert!(unknown.sent.is_empty(), "the server knows nothing of us yet");
}

#[test]
fn lifetimes_that_make_no_sense_are_bounded() {
    let mut world = World::new();
    world.turn_away(401, "first");
    world.grant(0);
    assert!(world.client.is_over());
    let mut world = World::new();
    world.turn_away(401, "first");
    world.grant(u32::MAX);
    assert_eq!(kinds(&world.pass(5 * MINUTE)), [4], "at least every five minutes");
    let mut world = World::new();
    world.turn_away(401, "first");
    world.grant(1);
    assert_eq!(kinds(&world.pass(Duration::from_millis(499))), [0; 0]);
    assert_eq!(kinds(&world.pass(Duration::from_millis(1))), [4]);
}
