//! A service that is started again without its key gives both ends of a call other connection ids, in virtual
//! time: what is said in the call arrives all the same.

#![allow(clippy::unwrap_used, reason = "a test: whatever fails ends it")]

use std::time::Duration;

use skapi_rtc_protocol::{ConnectionId, GroupName};
use skapi_rtc_signaling::{CallId, CallPhase, Config, EndReason, PlaceOptions, Side};
use skapi_rtc_testkit::sim::{NodeId, Options, World};

struct Story {
    world: World,
    alice: NodeId,
    bob: NodeId,
    at_alice: CallId,
    at_bob: CallId,
}

impl Story {
    /// Alice has called Bob, and both are where the group has them; another device of Bob's is there too.
    fn begin(seed: u64, group: Option<&str>) -> Self {
        // Nothing is taken up again here, as by a service without its key.
        let options = Options { resumes: false, trace: true, ..Options::default() };
        let mut world = World::new(seed, options);
        let [alice, bob, device] =
            ["alice", "bob", "bob"].map(|user| world.add(user, Config::default()));
        world.run_for(Duration::from_secs(3));
        for node in [alice, bob, device] {
            let group = group.map(|name| GroupName::new(name).unwrap());
            world.act(node, "joins", |s, now| s.join(now, group)).unwrap();
        }
        world.run_for(Duration::from_secs(1));
        let to = world.node(bob).cid.clone().unwrap();
        let at_alice = world
            .act(alice, "calls", |s, now| s.place_call(now, to, PlaceOptions::default()))
            .unwrap();
        world.run_for(Duration::from_secs(3));
        let at_bob = world.node(bob).session.calls().next().unwrap().call;
        world.act(bob, "accepts", |s, now| s.accept(now, at_bob)).unwrap();
        world.run_for(Duration::from_secs(5));
        let story = Self { world, alice, bob, at_alice, at_bob };
        assert_eq!(story.phase(alice, at_alice), Some(CallPhase::Established));
        story
    }

    fn phase(&self, node: NodeId, call: CallId) -> Option<CallPhase> {
        self.world.node(node).session.call(call).map(|info| info.phase)
    }

    fn cid(&self, node: NodeId) -> ConnectionId {
        self.world.node(node).cid.clone().unwrap()
    }

    /// Where each end believes the other.
    fn peers(&self) -> [ConnectionId; 2] {
        [(self.alice, self.at_alice), (self.bob, self.at_bob)]
            .map(|(node, call)| self.world.node(node).session.call(call).unwrap().peer)
    }

    fn check(&self) {
        let trace = self.world.trace.join("\n");
        assert!(self.world.violations.is_empty(), "{trace}\n{:?}", self.world.violations);
    }
}

#[test]
fn both_ends_find_each_other_in_their_group() {
    for seed in 0..100 {
        let mut story = Story::begin(seed, Some("lobby"));
        let before = [story.cid(story.alice), story.cid(story.bob)];
        story.world.restart_service();
        story.world.run_for(Duration::from_secs(10));
        let now = [story.cid(story.alice), story.cid(story.bob)];
        assert!(before.iter().all(|id| !now.contains(id)));
        let [at_alice, at_bob] = story.peers();
        let trace = || story.world.trace.join("\n");
        assert_eq!([&at_bob, &at_alice], [&now[0], &now[1]], "seed {seed}\n{}", trace());

        let (alice, at_alice) = (story.alice, story.at_alice);
        story.world.act(alice, "hangs up", |s, now| s.hang_up(now, at_alice)).unwrap();
        story.world.run_for(Duration::from_secs(1));
        let ends = story.world.node(story.bob).ends(story.at_bob);
        let [(_, end)] = &ends[..] else { panic!("seed {seed}: {ends:?}") };
        assert_eq!((&end.reason, end.by), (&EndReason::HungUp, Side::Remote));
        story.check();
    }
}

#[test]
fn without_a_group_the_call_goes_on_and_its_ends_do_not_find_each_other() {
    let mut story = Story::begin(1, None);
    story.world.restart_service();
    story.world.run_for(Duration::from_secs(60));
    assert_eq!(story.phase(story.alice, story.at_alice), Some(CallPhase::Established));
    assert_eq!(story.phase(story.bob, story.at_bob), Some(CallPhase::Established));
    assert_ne!(story.peers()[0], story.cid(story.bob));
    story.check();
}
