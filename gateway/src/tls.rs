//! TLS settings of a listener, read once at start: rustls with aws-lc-rs, TLS 1.2 and 1.3.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::config::{DownstreamTls, UpstreamTls};

/// A certificate, key or authority file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read or is not PEM.
    #[error("{}: {error}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        error: rustls::pki_types::pem::Error,
    },
    /// The file holds no certificate.
    #[error("{}: no certificate in this file", file.display())]
    Empty {
        /// Which file.
        file: PathBuf,
    },
    /// rustls refuses the combination.
    #[error("{}: {error}", file.display())]
    Refused {
        /// The certificate or authority file.
        file: PathBuf,
        /// What is wrong.
        error: String,
    },
}

/// Settings towards clients. With `client_ca` every client must present a certificate that it signed.
///
/// # Errors
///
/// When a file is unusable, or key and certificate do not belong together.
pub fn server(tls: &DownstreamTls) -> Result<Arc<ServerConfig>, TlsError> {
    let refused = |error: &dyn std::fmt::Display| TlsError::Refused {
        file: tls.certificate.clone(),
        error: error.to_string(),
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&error))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(file)?), provider())
                .build()
                .map_err(|error| TlsError::Refused { file: file.clone(), error: error.to_string() })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder
        .with_single_cert(certificates(&tls.certificate)?, key(&tls.key)?)
        .map_err(|error| refused(&error))?;
    Ok(Arc::new(config))
}

/// Settings towards the upstream, whose certificate must be signed by `ca` and name the host connected to.
///
/// # Errors
///
/// When a file is unusable, or key and certificate do not belong together.
pub fn client(tls: &UpstreamTls) -> Result<Arc<ClientConfig>, TlsError> {
    let refused =
        |error: &dyn std::fmt::Display| TlsError::Refused { file: tls.ca.clone(), error: error.to_string() };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&error))?
        .with_root_certificates(roots(&tls.ca)?);
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            builder.with_client_auth_cert(certificates(&identity.certificate)?, key(&identity.key)?).map_err(
                |error| TlsError::Refused { file: identity.certificate.clone(), error: error.to_string() },
            )?
        }
    };
    Ok(Arc::new(config))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn roots(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::Refused { file: file.to_owned(), error: error.to_string() })?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |error| TlsError::File { file: file.to_owned(), error };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { file: file.to_owned() });
    }
    Ok(certificates)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| TlsError::File { file: file.to_owned(), error })
}
