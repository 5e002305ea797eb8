//! TLS 1.3 with both keys proved. No authority, no names, no clock: a peer is its key.

use std::{io, sync::Arc};

use parking_lot::Mutex;
use rustls::{
    CertificateError, ClientConfig, ConnectionCommon, DigitallySignedStruct, DistinguishedName,
    Error, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
    sign::SingleCertAndKey,
};

use crate::{Identity, NodeId};

/// What paired peers speak.
pub(crate) const ALPN: &[u8] = b"blit/1";
/// What whoever holds an invitation speaks.
pub(crate) const ALPN_PAIR: &[u8] = b"blit-pair/1";

/// What a lane that is a socket of its own speaks.
pub(crate) const ALPN_LANE: &[u8] = b"blit-lane/1";

/// What both ends of a connection can name, and nobody between them (RFC 9266).
pub(crate) const EXPORTER_LABEL: &[u8] = b"EXPORTER-blit-channel-v1";

/// What both ends of a control connection derive the keys of their lanes from.
pub(crate) const LANES_EXPORTER_LABEL: &[u8] = b"EXPORTER-blit-lanes-v1";

const SCHEMES: [SignatureScheme; 1] = [SignatureScheme::ED25519];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What a client speaks to the machine `expected`. `seen` gets the key that was shown instead.
pub(crate) fn client_config(
    identity: &Identity,
    alpn: &[u8],
    expected: NodeId,
    seen: Arc<Mutex<Option<NodeId>>>,
) -> Result<ClientConfig, Error> {
    let verifier = OnlyThisServer { expected, seen };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified.clone())));
    config.alpn_protocols = vec![alpn.to_vec()];
    // A revoked peer is out at once, and nothing can be played again.
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

/// What a daemon speaks to anybody who proves a key. Who may do what is decided for each call.
pub(crate) fn server_config(identity: &Identity) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyClient))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified.clone())));
    config.alpn_protocols = vec![ALPN.to_vec(), ALPN_LANE.to_vec(), ALPN_PAIR.to_vec()];
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// What both ends of the connection can name under `label`, and nobody between them.
pub(crate) fn exported<Data>(
    connection: &ConnectionCommon<Data>,
    label: &[u8],
) -> io::Result<[u8; 32]> {
    connection
        .export_keying_material([0; 32], label, None)
        .map_err(io::Error::other)
}

/// The server must hold this key.
#[derive(Debug)]
struct OnlyThisServer {
    expected: NodeId,
    seen: Arc<Mutex<Option<NodeId>>>,
}

impl ServerCertVerifier for OnlyThisServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let id = NodeId::of_certificate(end_entity)?;
        if id == self.expected {
            return Ok(ServerCertVerified::assertion());
        }
        *self.seen.lock() = Some(id);
        Err(CertificateError::ApplicationVerificationFailure.into())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        holds_the_key(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

/// The client must hold the key that it shows, whichever it is.
#[derive(Debug)]
struct AnyClient;

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        NodeId::of_certificate(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        holds_the_key(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

/// Whether whoever shows the certificate holds its key.
fn holds_the_key(
    message: &[u8],
    cert: &CertificateDer<'_>,
    dss: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    verify_tls13_signature(message, cert, dss, &algorithms)
}

fn only_tls13() -> Error {
    Error::General("only TLS 1.3 is spoken".to_owned())
}
