//! The calls of a session: placed, rung for, answered, ended.

use std::{cell::RefCell, rc::Rc};

use js_sys::{Function, Object, Promise};
use skapi_rtc::{
    Call, CallEnd, CallError, CallEvent, CallOptions, EndReason, IncomingCall, OutgoingCall, Side,
    UserId,
};
use tokio::sync::{mpsc, oneshot};
use wasm_bindgen::{JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};

use crate::{
    fault::{self, INVALID_PARAMETER, fault},
    media::Media,
    object::{get, object},
    page_call::{PageCall, call_page, describe},
    params,
};

/// The calls that go on, and the page's realtime callback, which is told when one is over.
pub(crate) struct Calls {
    callback: Function,
    going_on: RefCell<Vec<Rc<PageCall>>>,
}

/// What the page does with a call that rings.
enum Answer {
    Accept { call: Rc<PageCall>, options: CallOptions, done: oneshot::Sender<Result<(), JsValue>> },
    Decline { busy: bool },
}

impl Calls {
    pub(crate) fn new(callback: Function) -> Rc<Self> {
        Rc::new(Self { callback, going_on: RefCell::default() })
    }

    /// Hangs up the calls with a connection, or all.
    pub(crate) fn hang_up(&self, cid: Option<&str>) {
        for call in &*self.going_on.borrow() {
            if cid.is_none_or(|cid| call.cid == cid) {
                call.hang_up();
            }
        }
    }

    /// A call was placed: `RTCConnector`.
    pub(crate) fn placed(self: &Rc<Self>, outgoing: OutgoingCall, call: Rc<PageCall>) -> JsValue {
        let (calls, at_page) = (self.clone(), call.clone());
        self.going_on.borrow_mut().push(call.clone());
        let (up, is_up) = oneshot::channel();
        spawn_local(async move {
            let outcome = calls.carry_out(outgoing, &at_page, up).await;
            let user = None;
            calls.over(&at_page, &outcome, user);
        });
        let hangup = call.hangup_function();
        let connection = future_to_promise(async move {
            match is_up.await {
                Ok(Ok(())) => Ok(call.resolved()),
                Ok(Err(error)) => Err(error),
                Err(_) => Err(fault("INVALID_REQUEST", "the session is closed")),
            }
        });
        mark_handled(&connection);
        object! { "hangup": hangup, "connection": connection }.into()
    }

    async fn carry_out(
        &self,
        outgoing: OutgoingCall,
        call: &Rc<PageCall>,
        up: oneshot::Sender<Result<(), JsValue>>,
    ) -> CallEnd {
        let answered = async {
            if outgoing.ringing().await {
                call.tell_plain("ringing");
            }
            // Whether it is over instead, the call itself says below.
            if outgoing.accepted().await.is_ok() {
                call.tell_plain("accepted");
            }
        };
        tokio::select! {
            () = answered => {}
            () = call.wished_over() => {
                let end = outgoing.cancel().await;
                let _ = up.send(Err(fault::of_call(&CallError::Ended(end.clone()))));
                return end;
            }
        }
        self.talk(outgoing.into_future(), call, up).await
    }

    /// Waits until a call is up, and then until it is over.
    async fn talk(
        &self,
        connecting: impl Future<Output = Result<Call, CallError>>,
        call: &Rc<PageCall>,
        up: oneshot::Sender<Result<(), JsValue>>,
    ) -> CallEnd {
        let connected = tokio::select! {
            connected = connecting => connected,
            // Dropping what connects hangs up.
            () = call.wished_over() => Err(CallError::Ended(own_end())),
        };
        let connected = match connected {
            Ok(connected) => connected,
            Err(error) => {
                let _ = up.send(Err(fault::of_call(&error)));
                return match error {
                    CallError::Ended(end) => end,
                    other => failed(&other),
                };
            }
        };
        let _ = up.send(Ok(()));
        // The page has the browser's channels; ours are only taken from the call, which holds few.
        let drained = connected.clone();
        spawn_local(async move { while drained.next_channel().await.is_some() {} });
        let mut events = connected.events();
        let interruptions = async {
            while let Some(event) = events.next().await {
                match event {
                    CallEvent::Reconnecting => call.tell_plain("reconnecting"),
                    CallEvent::Reconnected => call.tell_plain("reconnected"),
                    _ => {}
                }
            }
            connected.ended().await
        };
        tokio::select! {
            end = interruptions => end,
            () = call.wished_over() => connected.hangup().await,
        }
    }

    /// Somebody calls: the event for the page, `rtc:incoming`.
    pub(crate) fn rings(self: &Rc<Self>, incoming: IncomingCall) -> Object {
        let (cid, user) = (params::page_cid(incoming.peer()), incoming.user().clone());
        let event = object! {
            "type": "rtc:incoming",
            "sender": user.as_str(),
            "sender_cid": &*cid,
            "sender_rid": JsValue::NULL,
            "code": JsValue::NULL,
        };
        // One answer counts; what comes while it is being carried out has nobody to reach.
        let (answer, answers) = mpsc::channel(1);
        let talking = Rc::new(RefCell::new(None::<Rc<PageCall>>));
        let connect = {
            let (answer, cid, talking) = (answer.clone(), cid.clone(), talking.clone());
            move |params: JsValue, callback: JsValue| {
                let (answer, cid, talking) = (answer.clone(), cid.clone(), talking.clone());
                future_to_promise(
                    async move { accept(answer, cid, talking, params, callback).await },
                )
            }
        };
        let hangup = move |why: JsValue| match &*talking.borrow() {
            Some(call) => call.hang_up(),
            None => {
                let busy = why.as_string().is_some_and(|why| why == "busy");
                drop(answer.try_send(Answer::Decline { busy }));
            }
        };
        let connect = Closure::<dyn Fn(JsValue, JsValue) -> Promise>::new(connect);
        crate::object::set(&event, "connectRTC", connect.into_js_value());
        let hangup = Closure::<dyn Fn(JsValue)>::new(hangup);
        crate::object::set(&event, "hangup", hangup.into_js_value());
        let calls = self.clone();
        spawn_local(async move { calls.ring(incoming, cid, user, answers).await });
        event
    }

    async fn ring(
        &self,
        incoming: IncomingCall,
        cid: String,
        user: UserId,
        mut answers: mpsc::Receiver<Answer>,
    ) {
        let answer = tokio::select! {
            end = incoming.cancelled() => Err(end),
            answer = answers.recv() => Ok(answer),
        };
        // From here on nothing can be answered any more.
        answers.close();
        match answer {
            Ok(Some(Answer::Accept { call, options, done })) => {
                self.going_on.borrow_mut().push(call.clone());
                let end = self.talk(incoming.connect_rtc(options), &call, done).await;
                self.over(&call, &end, Some(user));
            }
            Ok(Some(Answer::Decline { busy: true })) => {
                let end = incoming.decline_busy().await;
                self.tell_closed(&cid, &end, Some(user));
            }
            Ok(Some(Answer::Decline { busy: false }) | None) => {
                let end = incoming.decline().await;
                self.tell_closed(&cid, &end, Some(user));
            }
            Err(end) => self.tell_closed(&cid, &end, Some(user)),
        }
    }

    fn over(&self, call: &Rc<PageCall>, end: &CallEnd, user: Option<UserId>) {
        self.going_on.borrow_mut().retain(|known| !Rc::ptr_eq(known, call));
        call.end(end);
        self.tell_closed(&call.cid, end, user);
    }

    fn tell_closed(&self, cid: &str, end: &CallEnd, user: Option<UserId>) {
        let user = user.as_ref().map_or(JsValue::NULL, |user| user.as_str().into());
        let event = object! {
            "type": "rtc:closed",
            "message": object! { "hungup": &user },
            "sender": &user,
            "sender_cid": cid,
            "sender_rid": JsValue::NULL,
            "code": JsValue::NULL,
        };
        describe(&event, end);
        call_page(&self.callback, &event);
    }
}

/// `connectRTC` of a call that rings: `RTCResolved`, or `null` when it does not ring any more.
async fn accept(
    answer: mpsc::Sender<Answer>,
    cid: String,
    talking: Rc<RefCell<Option<Rc<PageCall>>>>,
    params: JsValue,
    callback: JsValue,
) -> Result<JsValue, JsValue> {
    if answer.is_closed() {
        return Ok(JsValue::NULL);
    }
    let callback = function(callback)?;
    let options = params::call_options(&params)?;
    let media = Media::of(&get(&params, "media")).await?;
    let call = PageCall::new(cid, callback, media.clone(), get(&params, "ice"));
    let options = options.on_connection(call.hook());
    let (done, is_done) = oneshot::channel();
    let accepted = Answer::Accept { call: call.clone(), options, done };
    if answer.try_send(accepted).is_err() {
        // The caller gave up while the user was being asked for the camera.
        if let Some(media) = media {
            media.stop();
        }
        return Ok(JsValue::NULL);
    }
    *talking.borrow_mut() = Some(call.clone());
    match is_done.await {
        Ok(Ok(())) => Ok(call.resolved()),
        Ok(Err(error)) => Err(error),
        // It was over before it was answered.
        Err(_) => Ok(JsValue::NULL),
    }
}

/// A callback of the page.
pub(crate) fn function(callback: JsValue) -> Result<Function, JsValue> {
    use wasm_bindgen::JsCast as _;
    callback.dyn_into().map_err(|_| fault(INVALID_PARAMETER, "Callback is required."))
}

/// A page need not look at a promise that may fail.
fn mark_handled(promise: &Promise) {
    let watched = JsFuture::from(promise.clone());
    spawn_local(async move {
        let _ = watched.await;
    });
}

fn own_end() -> CallEnd {
    CallEnd { reason: EndReason::HungUp, by: Side::Local }
}

fn failed(error: &CallError) -> CallEnd {
    CallEnd { reason: EndReason::EngineFailed(error.to_string()), by: Side::Local }
}
