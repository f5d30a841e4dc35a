//! The same server over TCP or TLS: each stream is a client of its own.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    sync::oneshot,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// A way to a server, on a thread of its own. It ends when this is dropped, and its streams with it.
#[derive(Debug)]
pub struct TurnFront {
    url: String,
    root: Option<Vec<u8>>,
    streams: Arc<AtomicUsize>,
    _alive: oneshot::Sender<()>,
}

impl TurnFront {
    /// `turn:` over TCP.
    ///
    /// # Errors
    /// Fails when the system gives no socket or thread.
    pub fn tcp(server: SocketAddr) -> io::Result<Self> {
        let (address, streams, alive) = start(server, None)?;
        let url = format!("turn:{address}?transport=tcp");
        Ok(Self { url, root: None, streams, _alive: alive })
    }

    /// `turns:`, with a certificate for `localhost` that nobody knows.
    ///
    /// # Errors
    /// Fails when the system gives no socket or thread.
    pub fn tls(server: SocketAddr) -> io::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let made = made.map_err(io::Error::other)?;
        let root = made.cert.der().to_vec();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                let chain = vec![CertificateDer::from(root.clone())];
                config.with_no_client_auth().with_single_cert(chain, key)
            })
            .map_err(io::Error::other)?;
        let (address, streams, alive) = start(server, Some(TlsAcceptor::from(Arc::new(config))))?;
        let url = format!("turns:localhost:{}", address.port());
        Ok(Self { url, root: Some(root), streams, _alive: alive })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The certificate that a client has to trust, of one with TLS.
    pub fn root(&self) -> Option<Vec<u8>> {
        self.root.clone()
    }

    /// Streams that there have been, after their handshake.
    pub fn streams(&self) -> usize {
        self.streams.load(Ordering::SeqCst)
    }
}

type Started = (SocketAddr, Arc<AtomicUsize>, oneshot::Sender<()>);

fn start(server: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<Started> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let listener = {
        let _entered = runtime.enter();
        TcpListener::from_std(listener)?
    };
    let address = listener.local_addr()?;
    let streams = Arc::<AtomicUsize>::default();
    let counted = streams.clone();
    let (alive, ended) = oneshot::channel();
    thread::Builder::new().name("turn-front".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = accept(listener, server, tls, counted) => {}
                _ = ended => {}
            }
        });
    })?;
    Ok((address, streams, alive))
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    tls: Option<TlsAcceptor>,
    counted: Arc<AtomicUsize>,
) {
    let mut clients = JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { return };
        let (tls, counted) = (tls.clone(), counted.clone());
        clients.spawn(async move {
            // A client that goes is no matter.
            let _ = serve(stream, server, tls, &counted).await;
        });
    }
}

async fn serve(
    stream: TcpStream,
    server: SocketAddr,
    tls: Option<TlsAcceptor>,
    counted: &AtomicUsize,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => {
            counted.fetch_add(1, Ordering::SeqCst);
            carry(stream, server).await
        }
        Some(tls) => {
            let stream = tls.accept(stream).await?;
            counted.fetch_add(1, Ordering::SeqCst);
            carry(stream, server).await
        }
    }
}

async fn carry(stream: impl AsyncRead + AsyncWrite, server: SocketAddr) -> io::Result<()> {
    let socket = super::state::socket()?;
    socket.connect(server).await?;
    let (mut reader, mut writer) = split(stream);
    let inwards = async {
        loop {
            let message = read(&mut reader).await?;
            socket.send(&message).await?;
        }
    };
    let outwards = async {
        let mut buffer = vec![0; 65_536];
        loop {
            let length = socket.recv(&mut buffer).await?;
            buffer[length..length.next_multiple_of(4)].fill(0);
            writer.write_all(&buffer[..length.next_multiple_of(4)]).await?;
            writer.flush().await?;
        }
    };
    tokio::select! {
        end = inwards => end,
        end = outwards => end,
    }
}

/// One message with its padding, which a server over UDP ignores.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    stream.read_exact(&mut message).await?;
    let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
    let whole = match message[0] {
        0..=3 => 20 + length,
        0x40..=0x4f => 4 + length.next_multiple_of(4),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    message.resize(whole, 0);
    stream.read_exact(&mut message[4..]).await?;
    Ok(message)
}
