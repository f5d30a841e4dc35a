//! Pages of Skapi's in a world: their sockets, and what goes to them and comes from them.

use std::time::Duration;

use skapi_rtc_protocol::{
    ClientFrame, ConnectionId, GroupName, Limits, RtcContent, ServerFrame, UserId, decode_server,
    encode_client,
};
use skapi_rtc_signaling::{CallId, RtcEvent};

use super::{
    Endpoint, NodeId, Page, World,
    engine::{FakeEngine, Surroundings},
    fabric::PcId,
    options::pick,
    service::Delivery,
    world::Due,
};

/// The number of the first page; machines have those below.
const FIRST: usize = 1000;
/// How long skapi-js waits before it connects again, which it tries once.
const RECONNECT: Duration = Duration::from_secs(3);

/// Something of a page's that is due.
#[derive(Debug)]
pub(super) enum PageDue {
    Opens(NodeId),
    Frame { page: NodeId, socket: u64, text: String },
}

impl NodeId {
    /// Whether it is a page of Skapi's, and not one of our machines.
    pub fn is_page(self) -> bool {
        self.0 >= FIRST
    }
}

impl World {
    /// Opens a page of Skapi's, and lets it connect.
    pub fn add_page(&mut self, user: UserId, takes_advice: bool) -> NodeId {
        let page = NodeId(FIRST + self.pages.len());
        self.pages.push(Page::new(page, user, takes_advice));
        self.plan_page(PageDue::Opens(page), Duration::ZERO);
        page
    }

    /// A page.
    pub fn page(&self, page: NodeId) -> &Page {
        &self.pages[page.0 - FIRST]
    }

    /// The connection that a machine or page has now.
    pub fn cid_of(&self, node: NodeId) -> Option<ConnectionId> {
        if node.is_page() { self.page(node).cid.clone() } else { self.node(node).cid.clone() }
    }

    /// The user of a page calls.
    pub fn page_calls(&mut self, page: NodeId, to: ConnectionId) {
        self.note(|| format!("page: user calls {}", to.as_str()));
        self.with_page(page, |page, around| page.call(to, around));
    }

    /// The user of a page picks up.
    pub fn page_picks_up(&mut self, page: NodeId, from: &ConnectionId) {
        self.note(|| format!("page: user picks up {}", from.as_str()));
        self.with_page(page, |page, around| page.pick_up(from, around));
    }

    /// The user of a page rejects a call.
    pub fn page_rejects(&mut self, page: NodeId, from: &ConnectionId) {
        self.note(|| format!("page: user rejects {}", from.as_str()));
        self.with_page(page, |page, around| page.reject(from, around));
    }

    /// The user of a page hangs up, or the page runs `closeRTC`.
    pub fn page_closes(&mut self, page: NodeId, with: &ConnectionId) {
        self.note(|| format!("page: user closes {}", with.as_str()));
        self.with_page(page, |page, around| page.close(with, around));
    }

    /// The user of a page adds a track.
    pub fn page_changes(&mut self, page: NodeId, with: &ConnectionId) {
        self.with_page(page, |page, around| page.change(with, around));
    }

    /// A page's socket is cut.
    pub fn cut_page(&mut self, page: NodeId) {
        self.note(|| "page: its socket is cut".to_owned());
        let noticed = pick(&mut self.rng, &self.options.frame_delay);
        let it = &mut self.pages[page.0 - FIRST];
        let socket = it.socket;
        match it.cid.take() {
            Some(cid) => {
                self.schedule.after(noticed, Due::LossNoticed { cid, socket });
                self.plan_page(PageDue::Opens(page), RECONNECT);
            }
            None => it.gave_up = true,
        }
    }

    /// A page is closed, and says nothing. Another one of the same user is opened.
    pub fn close_page(&mut self, page: NodeId) -> NodeId {
        let (user, takes_advice) = (self.page(page).user.clone(), self.page(page).takes_advice);
        self.cut_page(page);
        let it = &mut self.pages[page.0 - FIRST];
        it.gave_up = true;
        let pcs = it.vanish();
        self.lose_engines(pcs);
        self.add_page(user, takes_advice)
    }

    /// Whether a call's engine is linked with a page's.
    pub fn is_with_page(&self, node: NodeId, call: CallId) -> bool {
        let pc = self.node(node).engines.get(&call).and_then(FakeEngine::pc);
        let peer = pc.and_then(|pc| self.fabric.linked_to(pc));
        peer.is_some_and(NodeId::is_page)
    }

    /// From here on nothing goes wrong any more.
    pub fn be_kind(&mut self) {
        self.options.failing_ops = 0.0;
        self.options.lost_contents = 0.0;
    }

    pub(super) fn find_page(&self, cid: &ConnectionId) -> Option<NodeId> {
        let at = self.pages.iter().position(|page| page.cid.as_ref() == Some(cid))?;
        Some(NodeId(FIRST + at))
    }

    pub(super) fn all_pages(&self) -> Vec<NodeId> {
        (FIRST..FIRST + self.pages.len()).map(NodeId).collect()
    }

    pub(super) fn page_leaves(&mut self, page: NodeId) {
        let it = &mut self.pages[page.0 - FIRST];
        it.gave_up = true;
        if let Some(cid) = it.cid.take() {
            self.schedule.after(*self.options.frame_delay.end(), Due::Goodbye(cid));
        }
    }

    pub(super) fn transmit_to_page(
        &mut self,
        page: NodeId,
        Delivery { from, to, frame }: Delivery,
    ) {
        let socket = self.page(page).socket;
        let due = |text| Due::Page(PageDue::Frame { page, socket, text });
        self.transmit_to(from, to, &frame, due);
    }

    pub(super) fn on_page(&mut self, due: PageDue) {
        match due {
            PageDue::Opens(page) => self.open_page(page),
            PageDue::Frame { page, socket, text } => {
                if self.page(page).cid.is_none() || self.page(page).socket != socket {
                    return;
                }
                self.note(|| format!("page <- {text}"));
                if let Ok(ServerFrame::Rtc { content, user, from }) =
                    decode_server(&text, &Limits::default())
                {
                    let mut wrong = None;
                    self.with_page(page, |page, around| {
                        wrong = page.on_rtc(&content, &user, &from, around).err();
                    });
                    let wrong =
                        wrong.map(|what| format!("said to a page of Skapi's: {what}: {text}"));
                    self.violations.extend(wrong);
                }
            }
        }
    }

    pub(super) fn on_page_report(&mut self, page: NodeId, pc: PcId, event: RtcEvent) {
        if !self.page(page).gave_up || self.page(page).cid.is_some() || self.page(page).socket > 0 {
            self.note(|| format!("page <- {event:?}"));
            self.with_page(page, |page, around| page.on_report(pc, event, around));
        }
    }

    fn open_page(&mut self, page: NodeId) {
        if self.page(page).gave_up {
            return;
        }
        self.sockets += 1;
        let (now, socket) = (self.now(), self.sockets);
        let user = self.page(page).user.clone();
        let (cid, greeting) = self.service.connect(now, user, socket, None);
        let it = &mut self.pages[page.0 - FIRST];
        (it.cid, it.socket) = (Some(cid), socket);
        self.deliver(greeting);
        if let Ok(group) = GroupName::new("lobby") {
            let join = ClientFrame::JoinRoom { group: Some(group), token: None, reference: None };
            self.page_sends(page, Endpoint::Service, &join);
        }
    }

    fn with_page(&mut self, page: NodeId, act: impl FnOnce(&mut Page, &mut Surroundings<'_>)) {
        let mut reports = Vec::new();
        let mut around = Surroundings {
            now: self.schedule.now(),
            slowest_change: &mut self.slowest_change,
            fabric: &mut self.fabric,
            rng: &mut self.rng,
            options: &self.options,
            reports: &mut reports,
            violations: &mut self.violations,
        };
        act(&mut self.pages[page.0 - FIRST], &mut around);
        for report in reports {
            self.report_after(report.after, report.owner, report.event);
        }
        for (to, signal) in std::mem::take(&mut self.pages[page.0 - FIRST].out) {
            let content = RtcContent::new(signal).encode();
            let frame = ClientFrame::Rtc { to: to.clone(), content, token: None, reference: None };
            self.page_sends(page, Endpoint::Client(to), &frame);
        }
    }

    /// A socket that is gone swallows what is sent.
    fn page_sends(&mut self, page: NodeId, to: Endpoint, frame: &ClientFrame) {
        let Some(from) = self.page(page).cid.clone() else { return };
        self.note(|| format!("page -> {}", encode_client(frame)));
        let socket = self.page(page).socket;
        self.send_up(from, socket, to, frame);
    }

    fn plan_page(&mut self, due: PageDue, after: Duration) {
        let delay = after + pick(&mut self.rng, &self.options.frame_delay);
        self.schedule.after(delay, Due::Page(due));
    }
}
