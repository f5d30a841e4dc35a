//! A pair of connections of str0m itself, behind the driver that its documentation shows: one task and
//! one socket a connection, a packet a system call.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId},
    net::{Protocol, Receive},
};
use tokio::{
    net::UdpSocket,
    sync::{mpsc, oneshot},
};

use crate::soon;

/// As much as calls may have under way.
const SEND_BUFFER: usize = 1024 * 1024;
/// How many messages wait in the driver before it takes no more of them.
const WAITING: usize = 64;

enum Command {
    Offer(oneshot::Sender<SdpOffer>),
    AcceptOffer(SdpOffer, oneshot::Sender<SdpAnswer>),
    AcceptAnswer(SdpAnswer),
    Gather,
    Candidate(Candidate),
    Send(Vec<u8>),
    Close,
}

enum News {
    Candidate(Candidate),
    Open,
    Message,
}

struct End {
    commands: mpsc::Sender<Command>,
    news: mpsc::UnboundedReceiver<News>,
}

impl End {
    async fn new(echoes: bool) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let rtc = Rtc::builder()
            .clear_codecs()
            .set_sctp_max_buffered_amount(SEND_BUFFER)
            .build(Instant::now());
        let (commands, reader) = mpsc::channel(WAITING);
        let (events, news) = mpsc::unbounded_channel();
        let driver = Driver {
            address: socket.local_addr().unwrap(),
            socket,
            rtc,
            events,
            echoes,
            pending: None,
            channel: None,
            queue: VecDeque::new(),
        };
        tokio::spawn(driver.run(reader));
        Self { commands, news }
    }

    async fn tell(&self, command: Command) {
        assert!(self.commands.send(command).await.is_ok(), "the driver has ended");
    }

    async fn message(&mut self) {
        while !matches!(self.news.recv().await.unwrap(), News::Message) {}
    }
}

pub(crate) struct Pair {
    left: End,
    right: End,
}

impl Pair {
    pub(crate) async fn connect() -> (Self, Duration) {
        Self::connect_with(false).await
    }

    async fn connect_with(echoes: bool) -> (Self, Duration) {
        let (mut left, mut right) = (End::new(false).await, End::new(echoes).await);
        let start = Instant::now();
        let (sender, offer) = oneshot::channel();
        left.tell(Command::Offer(sender)).await;
        left.tell(Command::Gather).await;
        let (sender, answer) = oneshot::channel();
        right.tell(Command::AcceptOffer(offer.await.unwrap(), sender)).await;
        right.tell(Command::Gather).await;
        left.tell(Command::AcceptAnswer(answer.await.unwrap())).await;
        let mut open = (false, false);
        while open != (true, true) {
            tokio::select! {
                news = left.news.recv() => match news.unwrap() {
                    News::Candidate(candidate) => right.tell(Command::Candidate(candidate)).await,
                    News::Open => open.0 = true,
                    News::Message => {}
                },
                news = right.news.recv() => match news.unwrap() {
                    News::Candidate(candidate) => left.tell(Command::Candidate(candidate)).await,
                    News::Open => open.1 = true,
                    News::Message => {}
                },
            }
        }
        (Self { left, right }, start.elapsed())
    }

    /// Over a pair of its own, whose far end echoes in its driver: nothing is quicker.
    pub(crate) async fn echo(&mut self, times: usize) -> Vec<Duration> {
        let (mut pair, _) = Self::connect_with(true).await;
        let mut measured = Vec::with_capacity(times);
        for _ in 0..times {
            let start = Instant::now();
            pair.left.tell(Command::Send(vec![1; 64])).await;
            soon("echo", pair.left.message()).await;
            measured.push(start.elapsed());
        }
        pair.close().await;
        measured
    }

    pub(crate) async fn transfer(&mut self, size: usize, count: usize) -> Duration {
        let start = Instant::now();
        let payload = vec![7; size];
        let (left, right) = (&self.left, &mut self.right);
        let send = async {
            for _ in 0..count {
                left.tell(Command::Send(payload.clone())).await;
            }
        };
        let receive = async {
            for _ in 0..count {
                right.message().await;
            }
        };
        soon("transfer", async { tokio::join!(send, receive) }).await;
        start.elapsed()
    }

    pub(crate) async fn close(self) {
        let _ = self.left.commands.send(Command::Close).await;
        let _ = self.right.commands.send(Command::Close).await;
    }
}

struct Driver {
    address: SocketAddr,
    socket: UdpSocket,
    rtc: Rtc,
    events: mpsc::UnboundedSender<News>,
    echoes: bool,
    pending: Option<SdpPendingOffer>,
    channel: Option<ChannelId>,
    queue: VecDeque<Vec<u8>>,
}

impl Driver {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut buffer = vec![0; 2048];
        while let Some(until) = self.drain().await {
            tokio::select! {
                biased;
                packet = self.socket.recv_from(&mut buffer) => {
                    if let Ok((size, source)) = packet {
                        self.receive(&buffer[..size], source);
                    }
                }
                command = commands.recv(), if self.queue.len() < WAITING => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                () = tokio::time::sleep_until(until.into()) => {
                    self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
                }
            }
        }
    }

    fn receive(&mut self, packet: &[u8], source: SocketAddr) {
        if let Ok(contents) = packet.try_into() {
            let (proto, destination) = (Protocol::Udp, self.address);
            let receive = Receive { proto, source, destination, contents };
            self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
        }
    }

    /// Sends what there is to send; until when there is nothing more to do, if it goes on.
    async fn drain(&mut self) -> Option<Instant> {
        loop {
            let until = self.poll().await?;
            let (Some(channel), Some(message)) = (self.channel, self.queue.front()) else {
                return Some(until);
            };
            let written = self.rtc.channel(channel).map(|mut it| it.write(true, message).unwrap());
            if written == Some(false) {
                return Some(until);
            }
            self.queue.pop_front();
        }
    }

    async fn poll(&mut self) -> Option<Instant> {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(until) => return self.rtc.is_alive().then_some(until),
                Output::Transmit(packet) => {
                    let _ = self.socket.send_to(&packet.contents, packet.destination).await;
                }
                Output::Event(Event::ChannelOpen(channel, _)) => {
                    self.channel = Some(channel);
                    let _ = self.events.send(News::Open);
                }
                Output::Event(Event::ChannelData(data)) if self.echoes => {
                    self.queue.push_back(data.data);
                }
                Output::Event(Event::ChannelData(_)) => {
                    let _ = self.events.send(News::Message);
                }
                Output::Event(_) => {}
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Offer(reply) => {
                let mut changes = self.rtc.sdp_api();
                let config = ChannelConfig { label: "x".to_owned(), ..ChannelConfig::default() };
                changes.add_channel_with_config(config);
                let (offer, pending) = changes.apply().unwrap();
                self.pending = Some(pending);
                let _ = reply.send(offer);
            }
            Command::AcceptOffer(offer, reply) => {
                let _ = reply.send(self.rtc.sdp_api().accept_offer(offer).unwrap());
            }
            Command::AcceptAnswer(answer) => {
                let pending = self.pending.take().unwrap();
                self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
            }
            Command::Gather => {
                let candidate = Candidate::host(self.address, "udp").unwrap();
                let candidate = self.rtc.add_local_candidate(candidate).unwrap().clone();
                let _ = self.events.send(News::Candidate(candidate));
            }
            Command::Candidate(candidate) => self.rtc.add_remote_candidate(candidate),
            Command::Send(message) => self.queue.push_back(message),
            Command::Close => {
                let _ = self.rtc.close();
            }
        }
    }
}
