//! What the browser says of a call, as Skapi's client hands it on: `RTCEvent`.
//!
//! The tables have, for each event of the browser, the fields that the page gets and where they come from.

use js_sys::Object;
use wasm_bindgen::JsValue;

use crate::object::{get, object, set, timestamp};

/// Where a field comes from.
#[derive(Clone, Copy)]
enum Source {
    /// A property of the browser's event.
    Event(&'static str),
    /// A property of a property of it.
    Within(&'static str, &'static str),
    /// A property of what the event is about.
    Target(&'static str),
    /// The time now, in words.
    Clock,
}
use Source::{Clock, Event, Target, Within};

pub(crate) struct Report {
    /// The event's name, the browser's and the page's.
    pub(crate) name: &'static str,
    fields: &'static [(&'static str, Source)],
}

const GATHERING: (&str, Source) = ("gatheringState", Target("iceGatheringState"));
const ICE: (&str, Source) = ("connectionState", Target("iceConnectionState"));
const SIGNALING: (&str, Source) = ("signalingState", Target("signalingState"));
const TIMESTAMP: (&str, Source) = ("timestamp", Clock);
const TIME_STAMP: (&str, Source) = ("timeStamp", Event("timeStamp"));

/// Events of an `RTCPeerConnection`, but for candidates.
pub(crate) const CONNECTION: &[Report] = &[
    Report {
        name: "track",
        fields: &[TIME_STAMP, ("streams", Event("streams")), ("track", Event("track"))],
    },
    Report {
        name: "icecandidateerror",
        fields: &[
            TIMESTAMP,
            ("errorCode", Event("errorCode")),
            ("errorText", Event("errorText")),
            ("url", Event("url")),
            ("hostCandidate", Event("hostCandidate")),
            GATHERING,
            ICE,
        ],
    },
    Report {
        name: "iceconnectionstatechange",
        fields: &[TIMESTAMP, ("state", Target("iceConnectionState")), GATHERING, SIGNALING],
    },
    Report {
        name: "icegatheringstatechange",
        fields: &[TIMESTAMP, ("state", Target("iceGatheringState")), ICE, SIGNALING],
    },
    Report {
        name: "signalingstatechange",
        fields: &[TIMESTAMP, ("state", Target("signalingState")), ICE, GATHERING],
    },
    Report { name: "negotiationneeded", fields: &[TIMESTAMP, SIGNALING, ICE, GATHERING] },
    STATE_CHANGE,
];

/// Also told when we close a connection ourselves, of which the browser says nothing.
pub(crate) const STATE_CHANGE: Report = Report {
    name: "connectionstatechange",
    fields: &[
        TIMESTAMP,
        ("state", Target("connectionState")),
        ("iceState", Target("iceConnectionState")),
        SIGNALING,
    ],
};

const CANDIDATE: Report = Report {
    name: "icecandidate",
    fields: &[
        TIMESTAMP,
        ("candidate", Within("candidate", "candidate")),
        ("sdpMid", Within("candidate", "sdpMid")),
        ("sdpMLineIndex", Within("candidate", "sdpMLineIndex")),
        ("usernameFragment", Within("candidate", "usernameFragment")),
        ("protocol", Within("candidate", "protocol")),
        GATHERING,
        ICE,
    ],
};
const NO_MORE_CANDIDATES: Report = Report { name: "icecandidateend", fields: &[TIMESTAMP] };

const READY: (&str, Source) = ("readyState", Target("readyState"));
const LABEL: (&str, Source) = ("label", Target("label"));
const ID: (&str, Source) = ("id", Target("id"));

/// Events of an `RTCDataChannel`, but for its end.
pub(crate) const CHANNEL: &[Report] = &[
    Report {
        name: "open",
        fields: &[
            TIME_STAMP,
            READY,
            LABEL,
            ID,
            ("ordered", Target("ordered")),
            ("maxRetransmits", Target("maxRetransmits")),
            ("protocol", Target("protocol")),
        ],
    },
    Report {
        name: "message",
        fields: &[
            TIME_STAMP,
            ("data", Event("data")),
            ("lastEventId", Event("lastEventId")),
            ("origin", Event("origin")),
            READY,
            ("bufferedAmount", Target("bufferedAmount")),
        ],
    },
    Report {
        name: "error",
        fields: &[
            TIME_STAMP,
            ("error", Within("error", "message")),
            ("errorCode", Within("error", "errorDetail")),
            READY,
            LABEL,
        ],
    },
    Report {
        name: "bufferedamountlow",
        fields: &[
            TIME_STAMP,
            ("bufferedAmount", Target("bufferedAmount")),
            ("bufferedAmountLowThreshold", Target("bufferedAmountLowThreshold")),
        ],
    },
];

/// The end of an `RTCDataChannel`.
pub(crate) const CHANNEL_CLOSE: Report =
    Report { name: "close", fields: &[TIME_STAMP, READY, LABEL, ID] };

/// The report of a local candidate, or of the last one.
pub(crate) fn candidate(event: &JsValue) -> &'static Report {
    if get(event, "candidate").is_truthy() { &CANDIDATE } else { &NO_MORE_CANDIDATES }
}

impl Report {
    /// The object that the page gets. Without an event of the browser its fields are missing.
    pub(crate) fn of(&self, target: &JsValue, event: &JsValue) -> Object {
        let report = object! { "type": self.name, "target": target };
        for (name, from) in self.fields {
            let value = match from {
                Event(property) => get(event, property),
                Within(outer, property) => get(&get(event, outer), property),
                Target(property) => get(target, property),
                Clock => timestamp(),
            };
            set(&report, name, value);
        }
        report
    }
}
