use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, split},
    net::{TcpListener, UdpSocket},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::*;

const SOON: Duration = Duration::from_secs(20);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A server that sends every message back, and counts its clients. It ends its streams with this.
struct Echo {
    address: SocketAddr,
    clients: Arc<AtomicUsize>,
    _streams: JoinSet<()>,
}

impl Echo {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((HERE, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let clients = Arc::<AtomicUsize>::default();
        let (counted, mut streams) = (clients.clone(), JoinSet::new());
        streams.spawn(async move {
            let mut streams = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let tls = tls.clone();
                streams.spawn(async move {
                    match tls {
                        None => echo(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                echo(stream).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, clients, _streams: streams }
    }

    fn clients(&self) -> usize {
        self.clients.load(Ordering::SeqCst)
    }
}

async fn echo(stream: impl AsyncRead + AsyncWrite) {
    let (mut reader, mut writer) = split(stream);
    let (mut message, mut bytes) = (Vec::new(), Vec::new());
    while framing::read(&mut reader, &mut message).await.is_ok() {
        bytes.clear();
        framing::write(&message, &mut bytes);
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

fn server(url: String) -> Vec<IceServer> {
    let (username, credential) = (Some("user".to_owned()), Some("secret".to_owned()));
    vec![IceServer { urls: vec![url], username, credential }]
}

/// Where the engine is to send what is for this server.
fn way(bridge: &TurnBridge, url: String) -> SocketAddr {
    let carried = bridge.carry(server(url), || vec![HERE]).unwrap();
    let [url] = &carried[0].urls[..] else { panic!("{carried:?}") };
    let url: IceUrl = url.parse().unwrap();
    assert_eq!((url.scheme, url.transport), (IceScheme::Turn, IceTransport::Udp));
    url.authority().parse().unwrap()
}

fn channel_data(text: &str) -> Vec<u8> {
    let mut message = vec![0x40, 0, 0, text.len() as u8];
    message.extend(text.bytes());
    message
}

/// Sends until there is an answer, as a client of TURN does: until then it cannot know whether there is a server.
async fn ask(socket: &UdpSocket, to: SocketAddr, text: &str) {
    let message = channel_data(text);
    let mut buffer = [0; 2048];
    let answered = async {
        loop {
            socket.send_to(&message, to).await.unwrap();
            let again = timeout(Duration::from_millis(200), socket.recv_from(&mut buffer)).await;
            if let Ok(Ok((length, from))) = again {
                assert_eq!(from, to);
                return buffer[..length].to_vec();
            }
        }
    };
    assert_eq!(timeout(SOON, answered).await.unwrap(), message);
}

async fn client() -> UdpSocket {
    UdpSocket::bind((HERE, 0)).await.unwrap()
}

#[tokio::test]
async fn each_socket_of_the_engine_has_a_stream_of_its_own() {
    let (server, bridge) = (Echo::start(None).await, TurnBridge::new(&TurnTrust::default()));
    let way = way(&bridge, format!("turn:{}?transport=tcp", server.address));
    let (one, other) = (client().await, client().await);
    assert_eq!(server.clients(), 0, "nobody has asked for it");
    for round in 0..20 {
        ask(&one, way, &format!("one {round}")).await;
        ask(&other, way, &format!("other {round}")).await;
    }
    assert_eq!(server.clients(), 2);
    bridge.close().await;
}

#[tokio::test]
async fn tls_is_spoken_with_whom_is_trusted() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let root = key.cert.der().to_vec();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(root.clone())], private)
        .unwrap();
    let server = Echo::start(Some(TlsAcceptor::from(Arc::new(config)))).await;
    let url = format!("turns:localhost:{}", server.address.port());

    let (trusting, client_of_it) = (TurnBridge::new(&TurnTrust::new(vec![root])), client().await);
    ask(&client_of_it, way(&trusting, url.clone()), "hello").await;

    let (wary, client_of_it) = (TurnBridge::new(&TurnTrust::default()), client().await);
    let to = way(&wary, url);
    let before = server.clients();
    client_of_it.send_to(&channel_data("hello"), to).await.unwrap();
    timeout(SOON, async {
        while server.clients() == before {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let mut buffer = [0; 16];
    let unheard = timeout(Duration::from_millis(500), client_of_it.recv_from(&mut buffer));
    assert!(unheard.await.is_err(), "somebody who is not trusted was spoken with");
}

#[tokio::test]
async fn a_server_that_was_gone_is_connected_to_anew() {
    let (server, bridge) = (Echo::start(None).await, TurnBridge::new(&TurnTrust::default()));
    let address = server.address;
    let way = way(&bridge, format!("turn:{address}?transport=tcp"));
    let client = client().await;
    ask(&client, way, "before").await;
    drop(server);
    let again = timeout(SOON, async {
        loop {
            if let Ok(listener) = TcpListener::bind(address).await {
                return listener;
            }
            tokio::task::yield_now().await;
        }
    });
    let listener = again.await.unwrap();
    let serving = tokio::spawn(async move {
        let mut streams = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            streams.spawn(echo(stream));
        }
    });
    ask(&client, way, "after").await;
    serving.abort();
}

#[tokio::test]
async fn strangers_are_not_carried() {
    let (server, bridge) = (Echo::start(None).await, TurnBridge::new(&TurnTrust::default()));
    let way = way(&bridge, format!("turn:{}?transport=tcp", server.address));
    let stranger = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    stranger.send_to(&channel_data("let me in"), way).await.unwrap();
    ask(&client().await, way, "hello").await;
    assert_eq!(server.clients(), 1);
}

#[tokio::test]
async fn what_a_server_cannot_read_is_left_out() {
    let (server, bridge) = (Echo::start(None).await, TurnBridge::new(&TurnTrust::default()));
    let way = way(&bridge, format!("turn:{}?transport=tcp", server.address));
    let client = client().await;
    for nonsense in [&b""[..], b"\xff", b"\x40\x00\x00\xffshort", &[0; 1500]] {
        client.send_to(nonsense, way).await.unwrap();
    }
    ask(&client, way, "hello").await;
    assert_eq!(server.clients(), 1);
}

#[tokio::test]
async fn only_what_needs_a_stream_is_carried_and_keeps_its_way() {
    let bridge = TurnBridge::new(&TurnTrust::default());
    let others = ["stun:a.test", "stuns:a.test", "turn:a.test", "turns:a.test?transport=udp", "?"];
    for url in others {
        let servers = server(url.to_owned());
        assert_eq!(bridge.carry(servers.clone(), || vec![HERE]).unwrap(), servers);
    }
    let tls = way(&bridge, "turns:a.test".to_owned());
    assert_ne!(way(&bridge, "turn:a.test?transport=tcp".to_owned()), tls);
    assert_eq!(way(&bridge, "turns:a.test".to_owned()), tls);
    let other: IpAddr = "127.0.0.2".parse().unwrap();
    let moved = bridge.carry(server("turns:a.test".to_owned()), || vec![other]).unwrap();
    assert!(moved[0].urls[0].starts_with("turn:127.0.0.2:"), "{moved:?}");
    assert_eq!(moved[0].credential.as_deref(), Some("secret"));
    for number in 0..100 {
        way(&bridge, format!("turns:{number}.test"));
    }
    assert_eq!(bridge.ways().len(), MAX_WAYS);
    bridge.close().await;
    assert!(bridge.ways().is_empty());
    UdpSocket::bind(tls).await.unwrap();
}

#[tokio::test]
async fn an_engine_without_addresses_is_told() {
    let bridge = TurnBridge::new(&TurnTrust::default());
    bridge.carry(server("turns:a.test".to_owned()), Vec::new).unwrap_err();
    bridge.carry(server("turn:a.test".to_owned()), Vec::new).unwrap();
}
