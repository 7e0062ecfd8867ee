//! A certificate of our own, for providers that ask for mutual TLS.

use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sha2::{Digest as _, Sha256};

/// A certificate chain with its key. Its `Debug` form shows neither.
#[derive(Clone)]
pub struct ClientIdentity(Arc<Parts>);

struct Parts {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    digest: [u8; 32],
}

impl std::fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientIdentity(…)")
    }
}

impl ClientIdentity {
    /// Of PEM texts: the chain, our own certificate first, and its private key.
    ///
    /// # Errors
    /// In words, without any part of either.
    pub fn of_pem(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| String::from("its client certificate is no PEM"))?;
        if chain.is_empty() {
            return Err(String::from("its client certificate's file holds none"));
        }
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| String::from("the key of its client certificate is no PEM with a private key"))?;
        Self::new(chain, key)
    }

    /// Of a chain, our own certificate first, and its private key.
    ///
    /// # Errors
    /// In words, where they do not fit each other.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, String> {
        let mut digest = Sha256::new();
        for certificate in &chain {
            digest.update(certificate.as_ref());
        }
        digest.update(key.secret_der());
        let made = Self(Arc::new(Parts { chain, key, digest: digest.finalize().into() }));
        // Whether they fit each other is found out here and not by the first request.
        super::client::tls_config(super::Trust::default(), Some(&made))
            .map_err(|error| format!("its client certificate and key cannot be used: {error}"))?;
        Ok(made)
    }

    /// Of two files.
    ///
    /// # Errors
    /// In words, with the file's name.
    pub fn read(
        chain: &Path,
        key: &Path,
        read: impl Fn(&Path) -> Result<String, String>,
    ) -> Result<Self, String> {
        let text = |path: &Path| {
            read(path)
                .map_err(|why| format!("its client certificate {} cannot be read: {why}", path.display()))
        };
        Self::of_pem(text(chain)?.as_bytes(), text(key)?.as_bytes())
    }

    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.0.chain.clone()
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.0.key.clone_key()
    }

    /// By which one is told from another.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.0.digest
    }
}
