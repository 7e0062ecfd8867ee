//! Names resolved once, each address judged.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower::{Service, ServiceExt as _};

use super::guard::Guard;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What a test answers a name with.
#[cfg(test)]
type Told = std::sync::Arc<dyn Fn(&str) -> Vec<std::net::IpAddr> + Send + Sync>;

/// Who is asked for the addresses of a name.
#[derive(Clone, Default)]
pub(crate) enum Names {
    /// The operating system.
    #[default]
    System,
    /// A test, which answers otherwise each time.
    #[cfg(test)]
    Told(Told),
}

impl Names {
    async fn addresses(self, name: Name) -> Result<Vec<SocketAddr>, Fault> {
        match self {
            Self::System => Ok(GaiResolver::new().oneshot(name).await?.collect()),
            #[cfg(test)]
            Self::Told(told) => Ok(told(name.as_str()).into_iter().map(|ip| (ip, 0).into()).collect()),
        }
    }
}

/// The operating system's resolver behind the [`Guard`]. A name that leads to one address that is forbidden is refused
/// whole: whoever controls it tries something.
#[derive(Clone)]
pub(crate) struct Resolver {
    names: Names,
    guard: Guard,
}

impl Resolver {
    pub(crate) fn new(names: Names, guard: Guard) -> Self {
        Self { names, guard }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Fault>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.names.clone().addresses(name);
        let guard = self.guard.clone();
        Box::pin(async move {
            let addresses = resolving.await?;
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
