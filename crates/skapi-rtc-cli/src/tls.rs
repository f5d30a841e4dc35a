//! The service's certificate.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use skapi_rtc_server::Tls;

use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct TlsArgs {
    /// PEM file with the certificate, and the chain that leads to it: serve HTTPS and secure WebSocket.
    /// SIGHUP reads it and the key again
    #[arg(long, value_name = "FILE", env = "SKAPI_RTC_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the certificate's private key
    #[arg(long, value_name = "FILE", env = "SKAPI_RTC_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// For development: serve HTTPS and secure WebSocket with a new certificate that nobody trusts
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    tls_self_signed: bool,
}

impl TlsArgs {
    /// The certificate, if there is to be one.
    pub(crate) fn read(&self, listen: SocketAddr) -> Result<Option<Tls>, Failure> {
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Tls::from_files(certificate, key),
            _ if self.tls_self_signed => {
                let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
                let listen = listen.ip().to_string();
                let listen = (!own.contains(&listen)).then_some(listen);
                Tls::self_signed(own.into_iter().chain(listen))
            }
            _ => return Ok(None),
        };
        tls.map(Some).map_err(|error| Failure::new(Exit::File, error))
    }
}
