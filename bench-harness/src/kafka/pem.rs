//! Throw-away certificates for tests: one authority, and certificates that it signs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A certificate authority whose files live in one folder.
pub struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// The PEM files of one certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key, PKCS #8.
    pub key: PathBuf,
    /// Key and certificate in one file, the form of Kafka's PEM key stores.
    pub both: PathBuf,
}

impl Authority {
    /// Makes an authority and writes `ca.pem` into `folder`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "gateway test authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        fs::write(folder.join("ca.pem"), issuer.pem())?;
        Ok(Self { folder: folder.to_owned(), issuer })
    }

    /// The authority's certificate, PEM.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Issues a certificate for `name` (its common name) that is valid for `hosts` (names or addresses).
    ///
    /// # Errors
    /// A host is neither a name nor an address, or the folder cannot be written.
    pub fn issue(&self, name: &str, hosts: &[&str]) -> Result<Certificate> {
        let mut params =
            CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let files = Certificate::in_folder(&self.folder, name);
        fs::write(&files.certificate, certificate.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        fs::write(&files.both, key.serialize_pem() + &certificate.pem())?;
        Ok(files)
    }
}

impl Certificate {
    /// The files of the certificate that an authority has issued into `folder` for `name`.
    pub(super) fn in_folder(folder: &Path, name: &str) -> Self {
        let file = |kind: &str| folder.join(format!("{name}.{kind}"));
        Self { certificate: file("pem"), key: file("key"), both: file("both.pem") }
    }
}
