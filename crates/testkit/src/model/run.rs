//! One run: what a script says is done, and the rules are checked.

use std::{collections::BTreeMap, time::Duration};

use skapi_rtc_protocol::{CallKey, GroupName, Json, UserId};
use skapi_rtc_signaling::{BusyPolicy, CallId, CallInfo, CallPhase, Config, EndReason};

use super::{
    Deed, Script, Setting, Step,
    history::{Act, Did, History},
    reference::Reference,
};
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
    /// The page of Skapi's, if there is one; one that was closed is replaced.
    pub(super) page: Option<NodeId>,
    /// What users did about calls.
    pub(super) acts: Vec<Act>,
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
        let user = UserId::new("page").ok().filter(|_| script.setting.page);
        let page = user.map(|user| world.add_page(user, script.seed.is_multiple_of(2)));
        Self {
            script: script.clone(),
            world,
            nodes,
            page,
            acts: Vec::new(),
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
        self.check_mixed()?;
        self.everybody_hangs_up();
        self.page_hangs_up();
        self.world.run_for(QUIET);
        self.check_second_try()?;
        self.world.run_for(QUIET);
        self.check_each_step()?;
        self.check_ends()?;
        self.check_reference()?;
        self.check_posts()?;
        self.check_nothing_is_left()?;
        self.world.close_all();
        self.world.run_for(QUIET);
        self.check_service_is_empty()?;
        Ok(self.seen)
    }

    /// What became of each call is what was to be expected.
    fn check_reference(&mut self) -> Checked {
        let Setting { engines_fail, busy, .. } = self.script.setting;
        let rejects = busy == BusyPolicy::Reject;
        let history = History::new(&self.world, &self.acts, engines_fail, rejects);
        self.seen.crossed += history.crossed();
        Reference(&history).check()
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
        let slot = node % self.slots();
        if let Some(page) = self.page.filter(|_| slot == self.nodes.len()) {
            return self.act_page(page, deed);
        }
        let node = self.nodes[slot];
        match deed {
            Deed::Place(peer) => self.place(node, self.other(slot, peer)),
            Deed::PlaceBoth(peer) => {
                let peer = self.other(slot, peer);
                self.place(node, peer);
                if peer.is_page() {
                    self.page_calls(peer, node);
                } else {
                    self.place(peer, node);
                }
            }
            Deed::Accept(which) => {
                let ringing = |call: &CallInfo| call.phase == CallPhase::Ringing;
                if let Some(call) = self.some_call(node, which, ringing) {
                    self.note(node, call, Did::Accepted);
                    let _ = self.world.act(node, "accepts", |s, now| s.accept(now, call));
                }
            }
            Deed::Decline(which) => {
                let ringing = |call: &CallInfo| call.phase == CallPhase::Ringing;
                if let Some(call) = self.some_call(node, which, ringing) {
                    self.note(node, call, Did::Ended);
                    let reason = EndReason::Declined;
                    let _ = self.world.act(node, "declines", |s, now| s.decline(now, call, reason));
                }
            }
            Deed::HangUp(which) => {
                if let Some(call) = self.some_call(node, which, |_| true) {
                    self.hang_up(node, call);
                }
            }
            Deed::Change(which) => {
                let up = |call: &CallInfo| call.phase == CallPhase::Established;
                if let Some(call) = self.some_call(node, which, up) {
                    self.world.change(node, call);
                }
            }
            Deed::CutPath(which) => {
                self.world.cut_path(node, self.other(slot, which), silence(which));
            }
            Deed::Deafen(which) => {
                self.world.deafen(node, self.other(slot, which), silence(which));
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

    /// Everybody who lives: the machines, and the page.
    fn slots(&self) -> usize {
        self.nodes.len() + usize::from(self.page.is_some())
    }

    pub(super) fn other(&self, slot: usize, which: usize) -> NodeId {
        let others = self.slots() - 1;
        let slot = (slot + 1 + which % others) % self.slots();
        self.nodes.get(slot).copied().or(self.page).unwrap_or(self.nodes[0])
    }

    pub(super) fn note_placed(
        &mut self,
        node: NodeId,
        call: CallId,
        peer: NodeId,
        key: Option<CallKey>,
    ) {
        self.note(node, call, Did::Placed(peer, key));
    }

    pub(super) fn hang_up(&mut self, node: NodeId, call: CallId) {
        self.note(node, call, Did::Ended);
        let _ = self.world.act(node, "hangs up", |s, now| s.hang_up(now, call));
    }

    fn note(&mut self, node: NodeId, call: CallId, did: Did) {
        self.acts.push(Act { at: self.world.now(), node, call, did });
    }

    fn post(&mut self, node: NodeId, peer: NodeId) {
        let number = self.posts.len() as u64;
        let (to, content) = (self.user_of(peer), Json::from(number.to_string().as_str()));
        let posted = self.world.act(node, "posts", |s, now| s.post_to_user(now, to, content));
        if posted.is_ok() && !peer.is_page() {
            self.posts.insert(number, (node, peer));
        }
    }

    fn user_of(&self, node: NodeId) -> UserId {
        let page = node.is_page().then(|| self.world.page(node).user.clone());
        page.unwrap_or_else(|| self.world.node(node).user.clone())
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
                self.hang_up(node, call.call);
            }
            let pause = self.world.rng.u64(0..300);
            self.world.run_for(Duration::from_millis(pause));
        }
    }
}

/// How long a path is gone.
pub(super) fn silence(which: usize) -> Duration {
    Duration::from_secs([1, 5, 12, 30][which / 64 % 4])
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
