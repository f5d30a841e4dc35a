use super::*;
use crate::ChannelEvent::{BufferedAmountLow, Closed, Open};
use crate::{ChannelError, DataChannel as _};

/// An engine that does nothing by itself: a test plays its part.
#[derive(Default)]
struct Idle {
    calls: Mutex<usize>,
    no_empty_messages: bool,
}

impl ChannelEngine for Idle {
    type Unread = Option<Arc<()>>;

    fn has_work(&self, _channel: &Arc<BufferedChannel<Self>>) {
        *self.calls.lock().unwrap() += 1;
    }

    fn max_message_size(&self) -> usize {
        1000
    }

    fn empty_messages(&self) -> bool {
        !self.no_empty_messages
    }
}

type Channel = Arc<BufferedChannel<Idle>>;

fn open_channel() -> (Channel, ChannelHandle) {
    let (channel, handle) =
        BufferedChannel::new(Idle::default(), "test", ChannelInit::default(), 1024);
    channel.opened(Some(7));
    (channel, handle)
}

fn calls(channel: &Channel) -> usize {
    std::mem::take(&mut *channel.engine().calls.lock().unwrap())
}

/// The next message, as an engine takes it.
fn take(channel: &Channel) -> Message {
    match channel.next_work() {
        ChannelWork::Send(message) => {
            channel.handed_over(message.len());
            message
        }
        other => panic!("{other:?} instead of a message"),
    }
}

/// The events until there is none now.
async fn told(handle: &mut ChannelHandle) -> Vec<ChannelEvent> {
    let mut told = Vec::new();
    while let Some(event) = tokio::select! {
        biased;
        event = handle.events.recv() => event,
        () = std::future::ready(()) => None,
    } {
        told.push(event);
    }
    told
}

#[test]
fn nothing_is_sent_but_through_an_open_channel() {
    let (channel, handle) =
        BufferedChannel::new(Idle::default(), "test", ChannelInit::default(), 1024);
    let send = |message: Message| handle.channel.try_send(message);
    assert_eq!(send("early".into()), Err(ChannelError::NotOpen));
    channel.opened(None);
    assert_eq!(send(vec![0; 1000].into()), Ok(()));
    assert_eq!(send(vec![0; 1001].into()), Err(ChannelError::TooLarge { size: 1001, max: 1000 }));
    channel.set_closed();
    assert_eq!(send("late".into()), Err(ChannelError::Closed));
}

#[test]
fn an_engine_without_empty_messages_is_never_given_one() {
    let engine = Idle { no_empty_messages: true, ..Idle::default() };
    let (channel, handle) = BufferedChannel::new(engine, "test", ChannelInit::default(), 1024);
    channel.opened(None);
    assert_eq!(handle.channel.try_send("".into()), Err(ChannelError::Empty));
    assert_eq!(handle.channel.try_send("x".into()), Ok(()));
}

#[test]
fn the_engine_is_called_once_for_all_that_it_has_not_done_yet() {
    let (channel, handle) = open_channel();
    for text in ["one", "two"] {
        handle.channel.try_send(text.into()).unwrap();
    }
    assert_eq!(calls(&channel), 1);
    assert_eq!(take(&channel), "one".into());
    handle.channel.try_send("three".into()).unwrap();
    assert_eq!(calls(&channel), 0, "it is still at it");
    assert_eq!((take(&channel), take(&channel)), ("two".into(), "three".into()));
    assert_eq!(channel.next_work(), ChannelWork::Nothing);
    channel.settle(0);
    handle.channel.try_send("four".into()).unwrap();
    assert_eq!(calls(&channel), 1);
}

#[test]
fn what_is_given_back_comes_first_again() {
    let (channel, handle) = open_channel();
    for text in ["one", "two"] {
        handle.channel.try_send(text.into()).unwrap();
    }
    let ChannelWork::Send(message) = channel.next_work() else { panic!("there is a message") };
    channel.give_back(message);
    assert_eq!((take(&channel), take(&channel)), ("one".into(), "two".into()));
}

#[tokio::test]
async fn room_comes_back_with_what_the_engine_lets_go_of() {
    let (channel, mut handle) = open_channel();
    for _ in 0..2 {
        handle.channel.try_send(vec![0; 200].into()).unwrap();
    }
    assert_eq!(handle.channel.try_send(vec![0; 200].into()), Err(ChannelError::Full));
    assert_eq!(channel.buffered_amount(), 400);
    take(&channel);
    take(&channel);
    assert!(!channel.settle(300));
    assert_eq!(channel.buffered_amount(), 300);
    assert!(!channel.settle_oldest());
    handle.channel.try_send(vec![0; 200].into()).unwrap();
    take(&channel);
    assert!(channel.settle(0));
    assert_eq!(channel.buffered_amount(), 0);
    assert_eq!(told(&mut handle).await, [Open, BufferedAmountLow]);
}

#[tokio::test]
async fn a_low_amount_is_told_again_only_after_it_was_read() {
    let (channel, mut handle) = open_channel();
    let rise_and_fall = || {
        channel.try_send("x".into()).unwrap();
        take(&channel);
        channel.settle(0);
    };
    rise_and_fall();
    rise_and_fall();
    assert_eq!(told(&mut handle).await, [Open, BufferedAmountLow]);
    rise_and_fall();
    assert_eq!(told(&mut handle).await, [BufferedAmountLow]);
}

#[tokio::test]
async fn it_closes_behind_what_was_sent() {
    let (channel, mut handle) = open_channel();
    handle.channel.try_send("last".into()).unwrap();
    handle.channel.close().await;
    handle.channel.close().await;
    assert_eq!(channel.state(), ChannelState::Closing);
    assert_eq!(calls(&channel), 1);
    assert_eq!(take(&channel), "last".into());
    assert_eq!(channel.next_work(), ChannelWork::Nothing, "the engine still holds it");
    assert!(channel.settle_oldest());
    assert_eq!(channel.next_work(), ChannelWork::Close);
    channel.set_closed();
    channel.set_closed();
    assert_eq!(told(&mut handle).await, [Open, BufferedAmountLow, Closed]);
}

#[tokio::test]
async fn one_that_never_opened_is_closed_at_once() {
    let (channel, mut handle) =
        BufferedChannel::new(Idle::default(), "test", ChannelInit::default(), 1024);
    handle.channel.close().await;
    assert_eq!((calls(&channel), channel.next_work()), (1, ChannelWork::Close));
    channel.opened(Some(1));
    assert_eq!(channel.state(), ChannelState::Closed);
    assert_eq!(told(&mut handle).await, [Closed]);
}

#[tokio::test]
async fn whoever_waits_for_room_learns_of_the_end() {
    let (channel, handle) = open_channel();
    handle.channel.try_send(vec![0; 700].into()).unwrap();
    let waiting = handle.channel.send(vec![0; 700].into());
    let (sent, ()) = tokio::join!(biased; waiting, async { channel.set_closed() });
    assert_eq!(sent, Err(ChannelError::Closed));
    assert_eq!(channel.buffered_amount(), 0);
}

#[tokio::test]
async fn a_message_is_unread_until_it_is_read_or_never_will_be() {
    let (channel, mut handle) = open_channel();
    let unread = Arc::new(());
    for _ in 0..3 {
        channel.received("hello".into(), Some(unread.clone()));
    }
    assert_eq!(handle.events.recv().await, Some(Open));
    assert_eq!(Arc::strong_count(&unread), 4);
    assert_eq!(handle.events.recv().await, Some(ChannelEvent::Message("hello".into())));
    assert_eq!(Arc::strong_count(&unread), 3);
    drop(handle);
    assert_eq!(Arc::strong_count(&unread), 1);
    channel.received("nobody reads".into(), Some(unread.clone()));
    assert_eq!(Arc::strong_count(&unread), 1);
    let stats = channel.stats();
    assert_eq!((stats.messages_received, stats.bytes_received), (4, 27));
}
