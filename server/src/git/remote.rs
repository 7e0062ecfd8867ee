//! Where commits come from: a repository on this machine is read where it is, another one is fetched into a mirror, a bare
//! repository in the data directory. The mirror holds nothing that could not be fetched again.
//!
//! Git's own configuration, its credential helpers and the environment are not looked at. For ssh the program `ssh` is
//! run, so that its configuration, agents and hardware keys work; it asks nobody anything. A fetch that takes too long or
//! brings too much is given up.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gix::open::Options;
use gix::protocol::transport::client::blocking_io::http;
use gix::{ObjectId, Repository, remote};

use super::settings::GitConfig;
use crate::outbound::Resolver;
use crate::providers::client::{Trust, read_ca_bundle, tls_config};

/// How long a fetch may take.
const LONGEST: Duration = Duration::from_secs(120);
/// How long one request of it may take.
const REQUEST: Duration = Duration::from_secs(60);
/// The most that the mirror may take of the disk.
const MOST_BYTES: u64 = 512 << 20;
/// Packs of a mirror, one for each fetch that brought something; with more it is begun anew.
const MOST_PACKS: usize = 200;
/// How often both are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Where approvals are.
const APPROVALS: &str = "refs/notes/approvals";

/// A repository as it was seen.
pub(super) struct Seen {
    pub(super) repository: Repository,
    /// The head of the branch.
    pub(super) head: ObjectId,
    /// The head of the approvals.
    pub(super) approvals: Option<ObjectId>,
}

/// What gix says, with its causes.
fn told(error: &gix::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(current) = cause {
        let more = current.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = current.source();
    }
    text
}

/// A repository on this machine.
pub(super) fn open(path: &Path, branch: &str) -> Result<Seen, String> {
    let repository = gix::open_opts(path, Options::isolated())
        .map_err(|error| format!("the repository {} cannot be read: {}", path.display(), told(&error)))?;
    let head = reference(&repository, &format!("refs/heads/{branch}"))?
        .ok_or_else(|| format!("the repository {} has no branch `{branch}`", path.display()))?;
    let approvals = reference(&repository, APPROVALS)?;
    Ok(Seen { repository, head, approvals })
}

fn reference(repository: &Repository, name: &str) -> Result<Option<ObjectId>, String> {
    let failed = |error: gix::Error| format!("`{name}` cannot be read: {}", told(&error));
    match repository.try_find_reference(name).map_err(failed)? {
        Some(mut reference) => Ok(Some(reference.peel_to_id().map_err(failed)?.detach())),
        None => Ok(None),
    }
}

/// A repository elsewhere, by way of `mirror`.
pub(super) fn fetch(config: &GitConfig, mirror: &Path) -> Result<Seen, String> {
    let repository = opened(config, mirror)?;
    let failed = |error: gix::Error| format!("{} cannot be fetched: {}", config.url, told(&error));
    let branch = format!("refs/heads/{}", config.branch);
    // Of both the latest fetch is kept, so that the next one brings only what is new.
    let specs = [format!("+{branch}:refs/follow/head"), format!("+{APPROVALS}:refs/follow/approvals")];
    let found = {
        let remote = repository
            .remote_at(config.url.as_str())
            .and_then(|remote| {
                remote.with_refspecs(specs.iter().map(String::as_str), remote::Direction::Fetch)
            })
            .map_err(failed)?
            .with_fetch_tags(remote::fetch::Tags::None);
        let mut connection = remote
            .connect(remote::Direction::Fetch)
            .map_err(failed)?
            .with_credentials(|action| credentials(config, &action));
        if config.url.starts_with("https:") {
            connection.set_transport_options(https(config)?);
        }
        let prepared = connection
            .prepare_fetch(gix::progress::Discard, remote::ref_map::Options::default())
            .map_err(failed)?;
        let watch = Watch::begin(mirror);
        let fetched = prepared.receive(gix::progress::Discard, &watch.enough);
        watch.end().map_err(|why| format!("{} cannot be fetched: {why}", config.url))?;
        let mappings = fetched.map_err(failed)?.ref_map.mappings;
        let of = |name: &str| {
            let mapping =
                mappings.iter().find(|one| one.remote.as_name().is_some_and(|found| found == name))?;
            mapping.remote.as_id().map(ToOwned::to_owned)
        };
        (of(&branch), of(APPROVALS))
    };
    let head = found.0.ok_or_else(|| format!("{} has no branch `{}`", config.url, config.branch))?;
    Ok(Seen { repository, head, approvals: found.1 })
}

/// The mirror, made where there is none.
fn opened(config: &GitConfig, mirror: &Path) -> Result<Repository, String> {
    let options = Options::isolated().config_overrides(overrides(config));
    let packs = std::fs::read_dir(mirror.join("objects/pack")).map_or(0, Iterator::count);
    if packs <= MOST_PACKS.saturating_mul(2)
        && let Ok(repository) = gix::open_opts(mirror, options.clone())
    {
        return Ok(repository);
    }
    let failed = |why: String| format!("the mirror {} cannot be made: {why}", mirror.display());
    match std::fs::remove_dir_all(mirror) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error.to_string())),
        _ => {}
    }
    gix::ThreadSafeRepository::init_opts(
        mirror,
        gix::create::Kind::Bare,
        gix::create::Options::default(),
        options,
    )
    .map(Into::into)
    .map_err(|error| failed(told(&error)))
}

fn overrides(config: &GitConfig) -> Vec<String> {
    let mut ssh = String::from(
        "ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=10 -o ServerAliveInterval=10 \
         -o ServerAliveCountMax=3",
    );
    if let Some(key) = &config.ssh_key {
        ssh.push_str(&format!(" -o IdentitiesOnly=yes -i {}", quoted(&key.display().to_string())));
    }
    if let Some(hosts) = &config.known_hosts {
        ssh.push_str(&format!(" -o {}", quoted(&format!("UserKnownHostsFile=\"{}\"", hosts.display()))));
    }
    vec![
        format!("core.sshCommand={ssh}"),
        String::from("ssh.variant=ssh"),
        String::from("core.logAllRefUpdates=false"),
        // Nobody's name is written anywhere, but gix asks for one.
        String::from("user.name=bailiwick"),
        String::from("user.email=bailiwick@localhost"),
    ]
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The token goes to the host that the configuration names, and to no other.
fn credentials(
    config: &GitConfig,
    action: &gix::credentials::helper::Action,
) -> gix::Result<Option<gix::credentials::protocol::Outcome>> {
    let gix::credentials::helper::Action::Get(asked) = action else { return Ok(None) };
    let refused = |why| Err(gix::error::message(why).unauthenticated_error());
    let Some(file) = &config.token_file else {
        return refused(
            "it asks for a token: write one into a file and name that in `policy.git.token_file`",
        );
    };
    let host = |url: gix::Url| (url.scheme.clone(), url.host().map(str::to_owned), url.port);
    let asking = asked.url.as_deref().and_then(|url| gix::url::parse(url).ok()).map(host);
    if asking != gix::url::parse(config.url.as_str()).ok().map(host) {
        return refused("another host than the configured one asks for the token");
    }
    let Ok(token) = std::fs::read_to_string(file) else {
        return refused("the file of `policy.git.token_file` cannot be read");
    };
    let identity = gix::sec::identity::Account {
        username: config.username.clone(),
        password: token.trim().to_owned(),
        oauth_refresh_token: None,
    };
    let context = gix::credentials::protocol::Context::default();
    Ok(Some(gix::credentials::protocol::Outcome { identity, next: context.into() }))
}

/// TLS as towards providers, no redirects, and an end.
fn https(config: &GitConfig) -> Result<Box<dyn Any>, String> {
    let trust = match &config.ca_bundle {
        None => Trust::PublicRoots,
        Some(path) => {
            let failed = |why: String| format!("policy.git.ca_bundle {}: {why}", path.display());
            let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
            Trust::PublicRootsAnd(read_ca_bundle(&pem).map_err(|error| failed(error.to_string()))?)
        }
    };
    let tls = tls_config(trust, None).map_err(|error| error.to_string())?;
    let host = config.url.parse::<::http::Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    config.way.guard.host(host.as_deref().unwrap_or_default()).map_err(|error| error.to_string())?;
    let way = config.way.clone();
    let backend = http::reqwest::Options {
        configure_client: Some(Box::new(move |builder| {
            let builder = match &way.proxy {
                Some(proxy) => builder.proxy(proxy.for_reqwest()),
                None => builder.no_proxy(),
            };
            Ok(builder
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(Arc::new(Resolver::new(way.names.clone(), way.guard.clone())))
                .timeout(REQUEST)
                .https_only(true))
        })),
        configure_request: None,
    };
    let options = http::Options {
        follow_redirects: http::options::FollowRedirects::None,
        backend: Some(Arc::new(Mutex::new(backend))),
        ..http::Options::default()
    };
    Ok(Box::new(options))
}

/// Ends a fetch that takes too long or brings too much.
struct Watch {
    enough: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    why: Arc<Mutex<Option<String>>>,
}

impl Watch {
    fn begin(mirror: &Path) -> Self {
        let watch = Self { enough: Arc::default(), over: Arc::default(), why: Arc::default() };
        let (enough, over, why) =
            (Arc::clone(&watch.enough), Arc::clone(&watch.over), Arc::clone(&watch.why));
        let packs = mirror.join("objects/pack");
        std::thread::spawn(move || {
            let began = Instant::now();
            while !over.load(Ordering::Relaxed) {
                let reason = if began.elapsed() > LONGEST {
                    Some(format!("it takes longer than {} seconds", LONGEST.as_secs()))
                } else if bytes(&packs) > MOST_BYTES {
                    Some(format!(
                        "it has more than {MOST_BYTES} bytes: keep the policy in a repository of its own"
                    ))
                } else {
                    None
                };
                if let (Some(reason), Ok(mut why)) = (reason, why.lock()) {
                    *why = Some(reason);
                    enough.store(true, Ordering::Relaxed);
                    return;
                }
                std::thread::sleep(LOOK);
            }
        });
        watch
    }

    fn end(self) -> Result<(), String> {
        self.over.store(true, Ordering::Relaxed);
        let why = self.why.lock().ok().and_then(|mut why| why.take());
        why.map_or(Ok(()), Err)
    }
}

fn bytes(folder: &PathBuf) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}
