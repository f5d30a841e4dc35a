//! Deliveries: what the hub wants sent, encoded once, and to whom.

use bytes::Bytes;
use skapi_rtc_protocol::{
    ConnectionId, ErrorCode, GroupName, Notice, RequestRef, ServerFrame, UserId, encode_server,
};

/// One encoded frame for whoever is at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// To whom.
    pub to: Address,
    /// The frame as UTF-8 text; clones share it.
    pub frame: Bytes,
    /// Who wants to know whether anybody was reached.
    pub receipt: Option<Receipt>,
}

/// Where a delivery goes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// One connection.
    Connection(ConnectionId),
    /// Every connection of a user.
    User(UserId),
    /// Every connection in a group.
    Group {
        /// The group.
        name: GroupName,
        /// But for this one.
        except: Option<ConnectionId>,
    },
}

/// The sender of a frame asked for an answer that depends on the delivery's fate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Who gets the answer.
    pub sender: ConnectionId,
    /// The `ref` of its frame.
    pub reference: RequestRef,
}

impl Receipt {
    /// The answer, once it is known how many connections took the delivery.
    pub fn answer(self, reached: usize) -> Delivery {
        if reached > 0 {
            return Delivery::done(self.sender, self.reference);
        }
        Delivery::error(
            self.sender,
            ErrorCode::NotDelivered,
            "The addressed client does not read its messages; it did not get this one.",
            Some(self.reference),
        )
    }
}

impl Delivery {
    pub(crate) fn new(to: Address, frame: &ServerFrame) -> Self {
        Self { to, frame: encode_server(frame).into(), receipt: None }
    }

    /// The same, with an answer to the sender where it asked for one.
    pub(super) fn with_receipt(
        mut self,
        sender: &ConnectionId,
        reference: Option<RequestRef>,
    ) -> Self {
        self.receipt = reference.map(|reference| Receipt { sender: sender.clone(), reference });
        self
    }

    /// A notice to its group, but not to the connection that it is about.
    pub(super) fn notice(notice: Notice) -> Self {
        let to = Address::Group { name: notice.group.clone(), except: Some(notice.from.clone()) };
        Self::new(to, &ServerFrame::Notice(notice))
    }

    pub(crate) fn done(to: ConnectionId, reference: RequestRef) -> Self {
        Self::new(Address::Connection(to), &ServerFrame::Done { reference })
    }

    /// An error to the connection whose frame was refused.
    pub(crate) fn error(
        to: ConnectionId,
        code: ErrorCode,
        text: impl Into<String>,
        reference: Option<RequestRef>,
    ) -> Self {
        let frame = ServerFrame::Error { text: text.into(), code: Some(code), reference };
        Self::new(Address::Connection(to), &frame)
    }
}
