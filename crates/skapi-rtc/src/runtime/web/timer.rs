//! Waiting in a page, also in one that is hidden.
//!
//! A browser lets the timers of a hidden page fire once a second, and after some minutes once a minute: too
//! seldom for a service that expects a sign of life. The timers of a worker go on, so all that wait longer
//! than a moment wait in one worker that the whole page shares; where a page may not start one (its content
//! security policy can say so), its own timers have to do.

use std::{
    cell::RefCell,
    collections::HashMap,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use gloo_events::EventListener;
use gloo_timers::future::TimeoutFuture;
use js_sys::{Array, JsString};
use wasm_bindgen::JsCast;
use web_sys::{Blob, BlobPropertyBag, Event, MessageEvent, Url, Worker};
use web_time::Instant;

/// What waits no longer than this is left to the page.
const SHORT: Duration = Duration::from_millis(250);
/// The longest time that `setTimeout` can show, in milliseconds.
const LONGEST: u32 = i32::MAX as u32;

/// Gets `[id, milliseconds]` and gives `id` back when the time is over; without milliseconds, forgets.
const WORKER: &str = "const timers = new Map();
onmessage = ({ data: [id, time] }) => {
  clearTimeout(timers.get(id));
  timers.delete(id);
  if (time !== undefined) {
    timers.set(id, setTimeout(() => { timers.delete(id); postMessage(id); }, time));
  }
};";

/// A wait that has begun.
pub(crate) struct Timer(Kind);

enum Kind {
    Page(TimeoutFuture),
    Worker { id: u32, until: Instant },
    Done,
}

impl Timer {
    /// Begins to wait. Nothing waits longer than 24 days.
    pub(crate) fn after(time: Duration) -> Self {
        let id = if time > SHORT {
            POOL.with(|pool| pool.borrow_mut().start(millis(time)))
        } else {
            None
        };
        Self(match id.zip(Instant::now().checked_add(time)) {
            Some((id, until)) => Kind::Worker { id, until },
            None => Kind::Page(TimeoutFuture::new(millis(time))),
        })
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.0 {
                Kind::Page(timeout) => {
                    std::task::ready!(Pin::new(timeout).poll(cx));
                    self.0 = Kind::Done;
                    return Poll::Ready(());
                }
                Kind::Worker { id, until } => {
                    std::task::ready!(POOL.with(|pool| pool.borrow_mut().poll(*id, cx)));
                    // A little early, or the worker is gone: the page waits for the rest.
                    let rest = until.saturating_duration_since(Instant::now());
                    self.0 = Kind::Page(TimeoutFuture::new(millis(rest)));
                    if rest.is_zero() {
                        self.0 = Kind::Done;
                        return Poll::Ready(());
                    }
                }
                Kind::Done => return Poll::Ready(()),
            }
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Kind::Worker { id, .. } = self.0 {
            POOL.with(|pool| pool.borrow_mut().forget(id));
        }
    }
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// The worker, and who waits for it.
#[derive(Default)]
struct Pool {
    worker: Option<Started>,
    refused: bool,
    last: u32,
    /// `None` while nobody has asked, which wakes nobody.
    waiting: HashMap<u32, Option<Waker>>,
}

struct Started {
    worker: Worker,
    _listeners: [EventListener; 2],
}

impl Pool {
    /// Starts a timer, unless there is no worker.
    fn start(&mut self, ms: u32) -> Option<u32> {
        if self.worker.is_none() && !self.refused {
            self.worker = start_worker();
            self.refused = self.worker.is_none();
        }
        self.last = self.last.wrapping_add(1);
        let id = self.last;
        let started = self.worker.as_ref()?;
        started.worker.post_message(&Array::of2(&id.into(), &ms.into())).ok()?;
        self.waiting.insert(id, None);
        Some(id)
    }

    fn poll(&mut self, id: u32, cx: &Context<'_>) -> Poll<()> {
        match self.waiting.get_mut(&id) {
            Some(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    fn forget(&mut self, id: u32) {
        if self.waiting.remove(&id).is_some()
            && let Some(started) = &self.worker
        {
            // A worker that takes no message any more has nothing to forget.
            let _ = started.worker.post_message(&Array::of1(&id.into()));
        }
    }
}

fn start_worker() -> Option<Started> {
    let script = Array::of1(&JsString::from(WORKER));
    let options = BlobPropertyBag::new();
    options.set_type("text/javascript");
    let blob = Blob::new_with_str_sequence_and_options(&script, &options).ok()?;
    // Not revoked: some browsers fetch it only later.
    let worker = Worker::new(&Url::create_object_url_with_blob(&blob).ok()?).ok()?;
    let listeners = [
        EventListener::new(&worker, "message", on_time),
        EventListener::new(&worker, "error", |_| on_refusal()),
    ];
    Some(Started { worker, _listeners: listeners })
}

fn on_time(event: &Event) {
    let id = event.dyn_ref::<MessageEvent>().and_then(|message| message.data().as_f64());
    let id = id.map(|id| id as u32);
    let waker = id.and_then(|id| POOL.with(|pool| pool.borrow_mut().waiting.remove(&id)));
    // Outside the borrow: whoever is woken may ask for the next timer.
    if let Some(waker) = waker.flatten() {
        waker.wake();
    }
}

/// The page may not start the worker, and learns it only now: whoever waits is sent to the page's timers.
fn on_refusal() {
    let waiting = POOL.with(|pool| {
        let mut pool = pool.borrow_mut();
        pool.refused = true;
        pool.worker = None;
        std::mem::take(&mut pool.waiting)
    });
    waiting.into_values().flatten().for_each(Waker::wake);
}

/// Rounded up, since early is worse than late.
fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(LONGEST).min(LONGEST)
}
