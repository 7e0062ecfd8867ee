//! Names resolved once, each address judged.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::Service;

use super::guard::Guard;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The operating system's resolver behind the [`Guard`]. A name that leads to one address that is forbidden is refused
/// whole: whoever controls it tries something.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    inner: GaiResolver,
    guard: Guard,
}

impl Resolver {
    pub(crate) fn new(guard: Guard) -> Self {
        Self { inner: GaiResolver::new(), guard }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Fault>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Service::poll_ready(&mut self.inner, cx).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = Service::call(&mut self.inner, name);
        let guard = self.guard.clone();
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = resolving.await?.collect();
            for address in &addresses {
                guard.address(address.ip())?;
            }
            Ok(addresses.into_iter())
        })
    }
}

/// The same for who brings a client of its own: the fetching of repositories.
impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let mut resolver = self.clone();
        Box::pin(async move {
            let name: Name = name.as_str().parse()?;
            let addresses = Service::call(&mut resolver, name).await?;
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}
