//! One run: what a script says is done, and the rules are checked.

use std::{collections::BTreeMap, time::Duration};

use skapi_rtc_protocol::{GroupName, Json};
use skapi_rtc_signaling::{CallId, CallInfo, CallPhase, Config, EndReason, PlaceOptions};

use super::{Deed, Script, Setting, Step};
use crate::sim::{HubService, NodeId, Options, World};

/// Long enough for everything that takes its time: ringing, searching, sending again, giving up.
const QUIET: Duration = Duration::from_secs(300);

/// How much happened in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Calls, counted at each end.
    pub calls: usize,
    /// Those that were up.
    pub up: usize,
    /// Calls that both sides ended at the same time.
    pub crossed: usize,
    /// Posts that arrived.
    pub posts: usize,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.up += other.up;
        self.crossed += other.crossed;
        self.posts += other.posts;
    }
}

/// A script in its world.
pub(super) struct Run {
    pub(super) script: Script,
    pub(super) world: World,
    /// The machines that live; one that was killed is replaced.
    pub(super) nodes: Vec<NodeId>,
    pub(super) placed: Vec<(NodeId, CallId)>,
    /// By whom and to whom each post was, by its number.
    pub(super) posts: BTreeMap<u64, (NodeId, NodeId)>,
    pub(super) seen: Seen,
    group: Option<GroupName>,
}

pub(super) type Checked = Result<(), String>;

impl Run {
    pub(super) fn new(script: &Script, trace: bool) -> Self {
        let Setting { engines_fail, contents_get_lost, resumes, .. } = script.setting;
        let options = Options {
            failing_ops: if engines_fail { 0.05 } else { 0.0 },
            lost_contents: if contents_get_lost { 0.1 } else { 0.0 },
            resumes,
            trace,
            ..Options::default()
        };
        let service = HubService::new(hub_limits(resumes));
        let mut world = World::with(u64::from(script.seed), options, service);
        let nodes = (0..script.setting.nodes)
            .map(|number| world.add(&format!("user{number}"), config(script.setting)))
            .collect();
        Self {
            script: script.clone(),
            world,
            nodes,
            placed: Vec::new(),
            posts: BTreeMap::new(),
            seen: Seen::default(),
            group: GroupName::new("lobby").ok(),
        }
    }

    pub(super) fn into_trace(self) -> Vec<String> {
        self.world.trace
    }

    pub(super) fn go(&mut self) -> Result<Seen, String> {
        self.world.run_for(Duration::from_secs(3));
        for node in self.nodes.clone() {
            self.join(node);
        }
        for step in self.script.steps.clone() {
            self.world.run_for(step.pause);
            self.check_each_step()?;
            self.act(step);
        }
        self.world.run_for(QUIET);
        self.check_each_step()?;
        self.check_both_ends_stand_alike()?;
        self.everybody_hangs_up();
        self.world.run_for(QUIET);
        self.check_each_step()?;
        self.check_ends()?;
        self.check_posts()?;
        self.check_nothing_is_left()?;
        self.world.close_all();
        self.world.run_for(QUIET);
        self.check_service_is_empty()?;
        Ok(self.seen)
    }

    /// Whether the script has such a deed.
    pub(super) fn does(&self, what: impl Fn(Deed) -> bool) -> bool {
        self.script.steps.iter().any(|step| what(step.deed))
    }

    fn join(&mut self, node: NodeId) {
        let group = self.group.clone();
        // Refused only by a session that is closed, which none is.
        let _ = self.world.act(node, "joins", |session, now| session.join(now, group));
    }

    fn act(&mut self, Step { node, deed, .. }: Step) {
        let slot = node % self.nodes.len();
        let node = self.nodes[slot];
        match deed {
            Deed::Place(peer) => self.place(node, self.other(slot, peer)),
            Deed::PlaceBoth(peer) => {
                let peer = self.other(slot, peer);
                self.place(node, peer);
                self.place(peer, node);
            }
            Deed::Accept(which) => {
                let ringing = |call: &CallInfo| call.phase == CallPhase::Ringing;
                if let Some(call) = self.some_call(node, which, ringing) {
                    let _ = self.world.act(node, "accepts", |s, now| s.accept(now, call));
                }
            }
            Deed::Decline(which) => {
                let ringing = |call: &CallInfo| call.phase == CallPhase::Ringing;
                if let Some(call) = self.some_call(node, which, ringing) {
                    let reason = EndReason::Declined;
                    let _ = self.world.act(node, "declines", |s, now| s.decline(now, call, reason));
                }
            }
            Deed::HangUp(which) => {
                if let Some(call) = self.some_call(node, which, |_| true) {
                    let _ = self.world.act(node, "hangs up", |s, now| s.hang_up(now, call));
                }
            }
            Deed::Change(which) => {
                let up = |call: &CallInfo| call.phase == CallPhase::Established;
                if let Some(call) = self.some_call(node, which, up) {
                    self.world.change(node, call);
                }
            }
            Deed::CutPath(which) => {
                let time = Duration::from_secs([1, 5, 12, 30][which / 64 % 4]);
                self.world.cut_path(node, self.other(slot, which), time);
            }
            Deed::Post(peer) => self.post(node, self.other(slot, peer)),
            Deed::Cut => self.world.cut(node),
            Deed::CutBehind(secs) => {
                let noticed = Duration::from_secs(secs as u64 % 20);
                self.world.cut_noticed_after(node, noticed);
            }
            Deed::Kill => {
                self.world.kill(node);
                let user = self.world.node(node).user.clone();
                let again = self.world.add(user.as_str(), config(self.script.setting));
                self.nodes[slot] = again;
                self.join(again);
            }
            Deed::Restart => self.world.restart_service(),
        }
    }

    fn other(&self, slot: usize, which: usize) -> NodeId {
        let others = self.nodes.len() - 1;
        self.nodes[(slot + 1 + which % others) % self.nodes.len()]
    }

    fn place(&mut self, node: NodeId, peer: NodeId) {
        let Some(to) = self.world.node(peer).cid.clone() else {
            return;
        };
        let placed = self.world.act(node, "places a call", |session, now| {
            session.place_call(now, to, PlaceOptions::default())
        });
        if let Ok(call) = placed {
            self.placed.push((node, call));
        }
    }

    fn post(&mut self, node: NodeId, peer: NodeId) {
        let number = self.posts.len() as u64;
        let (to, content) =
            (self.world.node(peer).user.clone(), Json::from(number.to_string().as_str()));
        let posted = self.world.act(node, "posts", |s, now| s.post_to_user(now, to, content));
        if posted.is_ok() {
            self.posts.insert(number, (node, peer));
        }
    }

    fn some_call(
        &self,
        node: NodeId,
        which: usize,
        wanted: impl Fn(&CallInfo) -> bool,
    ) -> Option<CallId> {
        let calls: Vec<_> = self.world.node(node).session.calls().filter(wanted).collect();
        Some(calls.get(which.checked_rem(calls.len())?)?.call)
    }

    fn everybody_hangs_up(&mut self) {
        for node in self.nodes.clone() {
            let calls: Vec<_> = self.world.node(node).session.calls().collect();
            for call in calls {
                let _ = self.world.act(node, "hangs up", |s, now| s.hang_up(now, call.call));
            }
            let pause = self.world.rng.u64(0..300);
            self.world.run_for(Duration::from_millis(pause));
        }
    }
}

fn config(setting: Setting) -> Config {
    Config::default().busy(setting.busy)
}

fn hub_limits(resumes: bool) -> skapi_rtc_server::HubLimits {
    let mut limits = skapi_rtc_server::HubLimits::default();
    if !resumes {
        limits.resume.window = Duration::ZERO;
    }
    limits
}
