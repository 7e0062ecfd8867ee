//! What the tests need besides cargo: a browser, Python and Node with the official SDKs, PostgreSQL, and the right to mount
//! a disk that they may fill.
//!
//! Each is taken from where the environment says, else from where it is installed, else, as root on a Debian-like
//! system, installed by apt. What cannot be had is named with what would make it run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::Receiver;
use std::thread::Scope;

use crate::context::Context;
use crate::{Result, cargo, postgres};

/// The official SDKs and the OpenID provider that the tests drive, pinned: a test that fails tells of us, not of a release of theirs.
const PYTHON_SDKS: [&str; 3] = ["anthropic==2.12.0", "botocore==1.44.5", "openai==3.54.0"];
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// With them what looks at the console's pages for what assistive technology stumbles over.
const NODE_SDKS: &str = r#"{ "private": true, "dependencies": { "@anthropic-ai/sdk": "1.12.0", "axe-core": "4.14.1", "oidc-provider": "9.13.3", "openai": "6.49.0" } }"#;

/// What drives a SCIM server through the standard.
const SCIM_TESTER: [&str; 4] =
    ["scim2-tester==0.2.8", "scim2-client[httpx]==0.7.4", "scim2-models==0.6.7", "httpx==0.28.1"];

/// The mail server that alerts are sent to.
const MAIL_SERVER: &str = "aiosmtpd==1.4.6";

/// The other detector that the tests ask, pinned for the same reason.
const PRESIDIO: &str = "presidio-analyzer==2.2.363";
/// What texts are made with that the two are compared on.
const PRESIDIO_TEXTS: [&str; 2] = ["presidio-evaluator==0.2.4", "faker==38.2.0"];

/// Something that could not be had.
pub(crate) struct Missing {
    /// What is missing, and what was tried.
    pub(crate) reason: String,
    /// What would make it run.
    pub(crate) fix: String,
}

/// The variables that a test looks at, with the values that this machine gives them.
pub(crate) type Variables = Vec<(&'static str, PathBuf)>;

/// A way to provide for some tests.
pub(crate) struct Tool {
    /// What needs it, as the table calls it.
    pub(crate) name: &'static str,
    /// Finds or installs it.
    pub(crate) provide: fn(&Context) -> std::result::Result<Variables, Missing>,
}

/// All of them.
pub(crate) const TOOLS: [Tool; 9] = [
    Tool { name: "browser (Chromium)", provide: chromium },
    Tool { name: "OpenAI, Anthropic and AWS SDKs for Python", provide: python },
    Tool { name: "OpenAI and Anthropic SDKs and OpenID provider for Node", provide: node },
    Tool { name: "scim2-tester", provide: scim_tester },
    Tool { name: "mail server (aiosmtpd)", provide: mail_server },
    Tool { name: "presidio-analyzer", provide: presidio },
    Tool { name: "Schemathesis", provide: schemathesis },
    Tool { name: "PostgreSQL", provide: postgresql },
    Tool { name: "disks to fill (mount)", provide: disks },
];

/// What [`TOOLS`] gave, in their order, as far as they are done.
pub(crate) struct Provided(Receiver<std::result::Result<Variables, Missing>>);

impl Provided {
    /// Waits for the next tool.
    pub(crate) fn next(&self) -> std::result::Result<Variables, Missing> {
        self.0.recv().unwrap_or_else(|_| {
            Err(Missing { reason: "fetching it ended early".to_owned(), fix: "run again".to_owned() })
        })
    }
}

/// Begins to provide all of them, one after another, on a thread of their own.
pub(crate) fn begin<'s, 'c: 's>(scope: &'s Scope<'s, '_>, context: &'c Context) -> Provided {
    let (sender, receiver) = std::sync::mpsc::channel();
    scope.spawn(move || {
        // Nobody listens any more once a step failed and no other is wanted.
        TOOLS.iter().all(|tool| sender.send((tool.provide)(context)).is_ok());
    });
    Provided(receiver)
}

fn chromium(_: &Context) -> std::result::Result<Variables, Missing> {
    const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    let found = preset("BAILIWICK_TEST_CHROMIUM").or_else(|| NAMES.iter().find_map(|name| find(name)));
    let path = match found {
        Some(path) => path,
        None => apt(&["chromium"]).and_then(|()| find("chromium").ok_or_else(|| missing("chromium")))?,
    };
    Ok(vec![("BAILIWICK_TEST_CHROMIUM", path)])
}

fn python(context: &Context) -> std::result::Result<Variables, Missing> {
    if let Some(path) = preset("BAILIWICK_TEST_PYTHON") {
        return Ok(vec![("BAILIWICK_TEST_PYTHON", path)]);
    }
    Ok(vec![("BAILIWICK_TEST_PYTHON", environment(context, "python", &PYTHON_SDKS)?)])
}

fn presidio(context: &Context) -> std::result::Result<Variables, Missing> {
    let python = match preset("BAILIWICK_TEST_PRESIDIO") {
        Some(path) => path,
        None => environment(context, "presidio", &[PRESIDIO])?,
    };
    Ok(vec![("BAILIWICK_TEST_PRESIDIO", python)])
}

/// A Python with presidio-analyzer, its evaluator and Faker.
pub(crate) fn presidio_with_texts(context: &Context) -> std::result::Result<PathBuf, Missing> {
    let packages: Vec<&str> = std::iter::once(PRESIDIO).chain(PRESIDIO_TEXTS).collect();
    environment(context, "presidio-texts", &packages)
}

/// A Python of its own with these packages.
fn environment(context: &Context, name: &str, packages: &[&str]) -> std::result::Result<PathBuf, Missing> {
    if !usable_python() {
        apt(&["python3", "python3-venv"])?;
    }
    let folder = context.tools_dir().join(name);
    let python = folder.join("bin/python");
    provide(&folder, &packages.join(" "), |folder| {
        cargo::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
        let install = ["-m", "pip", "install", "--quiet"];
        cargo::output(Command::new(&python).args(install).args(packages)).map(drop)
    })?;
    Ok(python)
}

/// In an environment of its own: what it stands on is its own affair.
fn scim_tester(context: &Context) -> std::result::Result<Variables, Missing> {
    const PYTHON: &str = "BAILIWICK_TEST_SCIM_PYTHON";
    if let Some(path) = preset(PYTHON) {
        return Ok(vec![(PYTHON, path)]);
    }
    let python = environment(context, "scim", &SCIM_TESTER)?;
    Ok(vec![(PYTHON, python)])
}

/// In an environment of its own, as well.
fn mail_server(context: &Context) -> std::result::Result<Variables, Missing> {
    const PYTHON: &str = "BAILIWICK_TEST_SMTP_PYTHON";
    let python = match preset(PYTHON) {
        Some(path) => path,
        None => environment(context, "smtp", &[MAIL_SERVER])?,
    };
    Ok(vec![(PYTHON, python)])
}

/// In an environment of its own, too.
fn schemathesis(context: &Context) -> std::result::Result<Variables, Missing> {
    const VARIABLE: &str = "BAILIWICK_TEST_SCHEMATHESIS";
    if let Some(path) = preset(VARIABLE) {
        return Ok(vec![(VARIABLE, path)]);
    }
    let python = environment(context, "schemathesis", &[SCHEMATHESIS])?;
    Ok(vec![(VARIABLE, python.with_file_name("schemathesis"))])
}

fn node(context: &Context) -> std::result::Result<Variables, Missing> {
    let (node, npm) = match (preset("BAILIWICK_TEST_NODE").or_else(|| find("node")), find("npm")) {
        (Some(node), Some(npm)) => (node, npm),
        _ => {
            apt(&["nodejs", "npm"])?;
            let node = find("node").ok_or_else(|| missing("nodejs"))?;
            (node, find("npm").ok_or_else(|| missing("npm"))?)
        }
    };
    if let Some(modules) = preset("BAILIWICK_TEST_NODE_MODULES") {
        return Ok(vec![("BAILIWICK_TEST_NODE", node), ("BAILIWICK_TEST_NODE_MODULES", modules)]);
    }
    let folder = context.tools_dir().join("node");
    provide(&folder, NODE_SDKS, |folder| {
        let list = folder.join("package.json");
        std::fs::write(&list, NODE_SDKS).map_err(|e| format!("cannot write {}: {e}", list.display()))?;
        let quiet = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
        cargo::output(Command::new(npm).args(quiet).current_dir(folder)).map(drop)
    })?;
    let modules = folder.join("node_modules");
    Ok(vec![("BAILIWICK_TEST_NODE", node), ("BAILIWICK_TEST_NODE_MODULES", modules)])
}

fn postgresql(_: &Context) -> std::result::Result<Variables, Missing> {
    Ok(vec![(postgres::BIN, postgres::programs()?)])
}

/// Whether a test may mount what it fills, or what fails under it, is known only by trying.
fn disks(_: &Context) -> std::result::Result<Variables, Missing> {
    if find("mkfs.ext4").is_none() {
        apt(&["e2fsprogs"])?;
    }
    if find("mount").is_none() {
        apt(&["mount"])?;
    }
    let folder = std::env::temp_dir().join(format!("bailiwick-disks-{}", std::process::id()));
    let tried = mount_in(&folder);
    let _ = std::fs::remove_dir_all(&folder);
    let fix = "run as root where file systems may be mounted; a container needs `--privileged`";
    tried.map(|()| Variables::new()).map_err(|reason| Missing { reason, fix: fix.to_owned() })
}

/// Mounts each kind of file system that a test does, in the way that it does, and lets one fail.
fn mount_in(folder: &Path) -> Result<()> {
    let (at, image) = (folder.join("disk"), folder.join("image"));
    std::fs::create_dir_all(&at).map_err(|e| format!("cannot create {}: {e}", at.display()))?;
    let made = std::fs::File::create(&image).and_then(|file| file.set_len(16 * 1024 * 1024));
    made.map_err(|e| format!("cannot write {}: {e}", image.display()))?;
    cargo::output(Command::new("mkfs.ext4").arg("-q").arg(&image))?;
    let mount = |words: &[&str]| cargo::output(Command::new("mount").args(words).arg(&at)).map(drop);
    let unmount = || cargo::output(Command::new("umount").arg(&at)).map(drop);
    mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"])?;
    unmount()?;
    mount(&["-o", "loop", &image.to_string_lossy()])?;
    let failed = mount(&["-o", "remount,abort"]);
    unmount().and(failed)
}

/// Installs into `folder` unless exactly this list was installed there before.
fn provide(
    folder: &Path,
    wanted: &str,
    install: impl FnOnce(&Path) -> Result<()>,
) -> std::result::Result<(), Missing> {
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let done = std::fs::create_dir_all(folder)
        .map_err(|e| format!("cannot create {}: {e}", folder.display()))
        .and_then(|()| install(folder))
        .and_then(|()| std::fs::write(&stamp, wanted).map_err(|e| format!("{}: {e}", stamp.display())));
    done.map_err(|reason| Missing { reason, fix: "run again with the package registry in reach".to_owned() })
}

/// Whether `python3` can make virtual environments.
fn usable_python() -> bool {
    cargo::output(Command::new("python3").args(["-c", "import venv, ensurepip"])).is_ok()
}

/// What the environment names, if it is there.
pub(crate) fn preset(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.exists())
}

/// A program on the search path, or where administrators' programs are.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(extra).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn missing(package: &str) -> Missing {
    Missing { reason: format!("{package} is not installed"), fix: format!("apt-get install {package}") }
}

/// Installs packages where that is ours to do: as root, with apt.
pub(crate) fn apt(packages: &[&str]) -> std::result::Result<(), Missing> {
    static UPDATED: OnceLock<Result<()>> = OnceLock::new();
    let list = packages.join(" ");
    let fix = format!("apt-get install {list}");
    let refuse = |reason: String| Missing { reason, fix: fix.clone() };
    let root = cargo::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !root || find("apt-get").is_none() {
        return Err(refuse(format!(
            "{list}: not installed, and only root on a Debian-like system can do it here"
        )));
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments)
            .args(packages_of(arguments, packages));
        cargo::output(&mut command).map(drop)
    };
    UPDATED.get_or_init(|| apt(&["update"])).clone().map_err(&refuse)?;
    apt(&["install", "-y", "--no-install-recommends"]).map_err(refuse)
}

/// `apt-get update` takes no packages, `install` does.
fn packages_of<'a>(arguments: &[&str], packages: &'a [&'a str]) -> &'a [&'a str] {
    if arguments.contains(&"install") { packages } else { &[] }
}
