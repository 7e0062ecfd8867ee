//! Out of a backup.
//!
//! A log goes on only where everything that was signed of it is there. Whoever holds a later checkpoint than the backup's
//! log could prove that this one forked; so a restore asks for the last checkpoint that anyone holds, and where the
//! backup is older than that, the log ends. What is left goes on with a new one, whose first record names the old one,
//! what is missing of it, and why.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use bailiwick_ledger::{Draft, Hash, Kind, LogId};
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::evidence::{beside, held};
use super::format::{Item, Manifest, Reader};
use super::migrate::compare;
use super::{Place, TransferError, refused};
use crate::app::{SECRETS, create_data_dir, lock_data_dir, recover, write_private};
use crate::audit::whole::{self, Held};
use crate::audit::{Audit, AuditConfig, Entry, load_or_create_key, sequencer};
use crate::clock::Clock;
use crate::gateway::record::{Salts, section};
use crate::store::copy::{Count, PAGE, Part, Row, Table, Target, tables};
use crate::store::standing::Standing;
use crate::store::{Location, Store, settings};

/// What is to be restored, and what is known of the log.
#[derive(Debug)]
pub struct RestoreRequest {
    /// The backup.
    pub file: PathBuf,
    /// Where to: a data directory, and an empty database or none yet.
    pub place: Place,
    /// The name of the server that will go on.
    pub replica: String,
    /// Files with checkpoints that somebody holds.
    pub checkpoints: Vec<PathBuf>,
    /// Whether the operator states that nothing was signed after the backup.
    pub newest: bool,
    /// Why it is accepted that a part of the log is lost.
    pub accept_loss: Option<String>,
}

/// What was restored.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// The log that goes on.
    pub log: String,
    /// Leaves in the backup's log.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// When the backup was made, Unix milliseconds.
    pub created_ms: i64,
    /// The log that ended with the backup, where a new one begins.
    pub ended_log: Option<String>,
    /// Rows of all tables that were restored.
    pub rows: u64,
    /// Where the database is, without a password.
    pub to: String,
}

/// What a whole backup holds.
struct Contents {
    manifest: Manifest,
    secrets: HashMap<String, Zeroizing<String>>,
    counts: BTreeMap<String, Count>,
}

/// Restores a backup.
///
/// # Errors
/// [`TransferError`]. Nothing that was there is changed, and a database that was begun is not served.
pub async fn restore(request: &RestoreRequest, tell: impl Fn(&str)) -> Result<Restored, TransferError> {
    let place = &request.place;
    let location = place.database()?;
    if let Location::File(file) = &location
        && file.exists()
    {
        return Err(refused(format!(
            "{} exists, and nothing is written over: move it away with the files beside it, or name another data \
             directory",
            file.display()
        )));
    }
    tell("reading all of the backup");
    let contents = read_all(&request.file)?;
    create_data_dir(&place.data_dir)?;
    let _lock = lock_data_dir(&place.data_dir)?;
    let mut evidence = beside(place)?;
    for path in &request.checkpoints {
        evidence.push(held(path)?);
    }
    let breaks = judge(&contents.manifest, &evidence, request)?;
    secrets(place, &contents, breaks.is_some())?;
    // Which replica ran here counts no more: numbers above the backup's are given anew.
    let _ = std::fs::remove_file(place.data_dir.join("replica"));

    let store = place.open().await?;
    let restored = Box::pin(fill(request, &contents, &evidence, breaks, &store, &tell)).await;
    store.close().await;
    if let (Err(_), Location::File(file)) = (&restored, &location) {
        // It was not there before, and nobody may serve it.
        for end in ["", "-wal", "-shm"] {
            let mut name = file.clone().into_os_string();
            name.push(end);
            let _ = std::fs::remove_file(name);
        }
    }
    let (rows, log) = restored?;
    let Manifest { log: old, created_ms, .. } = contents.manifest;
    let ended_log = (log != old.id).then_some(old.id);
    Ok(Restored {
        log,
        size: old.size,
        root: old.root,
        created_ms,
        ended_log,
        rows,
        to: location.to_string(),
    })
}

/// Reads the backup to its end, so that it is known to be whole before anything is written.
fn read_all(path: &Path) -> Result<Contents, TransferError> {
    let (mut reader, manifest) = Reader::open(path)?;
    if manifest.schema != bailiwick_migrations::names() {
        return Err(refused(format!(
            "{} was made by version {} with another schema: restore it with that version, then start this one on it",
            path.display(),
            manifest.version
        )));
    }
    let mut secrets = HashMap::new();
    let counts = loop {
        match reader.next()? {
            Item::Secret(file, text) => {
                secrets.insert(file, text);
            }
            Item::Table(_) | Item::Row(_) => {}
            Item::End(counts) => break counts,
        }
    };
    let known = tables()?;
    if known.len() != counts.len() || known.iter().any(|table| !counts.contains_key(table.name)) {
        return Err(refused(format!("{} does not hold the tables of this version", path.display())));
    }
    Ok(Contents { manifest, secrets, counts })
}

/// Whether the log can go on; where it must not, what the first record of the new one says.
fn judge(
    manifest: &Manifest,
    evidence: &[Held],
    request: &RestoreRequest,
) -> Result<Option<Value>, TransferError> {
    let log = &manifest.log;
    let mut last = None;
    for held in evidence {
        let signed = held.signed.verify(&log.key).map_err(|error| {
            refused(format!("{} is not one of the log {} that the backup holds: {error}", held.which, log.id))
        })?;
        if last.is_none_or(|(_, size)| size < signed.size) {
            last = Some((held, signed.size));
        }
    }
    let above = last.filter(|(_, size)| *size > log.size);
    match (&request.accept_loss, above, last) {
        (Some(reason), above, last) => {
            if above.is_none() && (last.is_some() || request.newest) {
                return Err(refused(
                    "nothing that was signed is missing from the backup, so its log can go on: leave `--accept-loss` out",
                ));
            }
            if reason.trim().is_empty() {
                return Err(refused("`--accept-loss` needs a reason: it is recorded"));
            }
            Ok(Some(json!({
                "reason": reason,
                "backup_created_ms": manifest.created_ms,
                "ended_log": log.id, "size": log.size, "root": log.root, "checkpoint": log.checkpoint,
                "last_known_checkpoint": above.map(|(held, _)| held.signed.to_string()),
            })))
        }
        (None, Some((held, size)), _) => Err(refused(format!(
            "this backup is too old: {} signs {size} leaves, and the backup's log has {}. Whoever holds that checkpoint \
             could prove that a log which goes on from here is a fork. Restore a newer backup; or, where there is none, \
             `--accept-loss REASON` ends this log and begins a new one, whose first record says so",
            held.which, log.size
        ))),
        (None, None, None) if !request.newest => Err(refused(
            "nobody can tell yet whether this backup is the newest state of its log. Give the last checkpoint that anyone \
             holds (`--checkpoint FILE`: the old data directory's `checkpoint`, an auditor's export, a receipt); or state \
             with `--newest` that nothing was signed after the backup, as where the server was stopped before it; or, \
             where that is not so, end this log with `--accept-loss REASON`",
        )),
        (None, None, _) => Ok(None),
    }
}

/// Puts the secrets in their place; one that is there already must be the same.
fn secrets(place: &Place, contents: &Contents, new_log: bool) -> Result<(), TransferError> {
    let mut missing = Vec::new();
    for file in SECRETS {
        let path = place.data_dir.join(file);
        match (path.exists(), contents.secrets.get(file)) {
            (true, Some(text)) => {
                let there =
                    Zeroizing::new(std::fs::read_to_string(&path).map_err(TransferError::file(&path))?);
                if there.trim() != text.trim() {
                    return Err(refused(format!(
                        "{} is another one than the backup's, and nothing is written over: name another data directory",
                        path.display()
                    )));
                }
            }
            (false, Some(text)) => write_private(&path, text.trim()).map_err(TransferError::file(&path))?,
            (true, None) => {}
            (false, None) => missing.push(file),
        }
    }
    if !missing.is_empty() && !new_log {
        return Err(refused(format!(
            "the backup does not hold {}, and {} does not either: put them there from where they are kept, for their \
             owner alone",
            missing.join(", "),
            place.data_dir.display()
        )));
    }
    if !new_log && place.public_key(&contents.manifest.log.id)? != contents.manifest.log.key {
        return Err(refused(format!(
            "{} is not the key of the backup's log: put that one there",
            place.data_dir.join("log.key").display()
        )));
    }
    Ok(())
}

async fn fill(
    request: &RestoreRequest,
    contents: &Contents,
    evidence: &[Held],
    breaks: Option<Value>,
    store: &Store,
    tell: &impl Fn(&str),
) -> Result<(u64, String), TransferError> {
    let old = &contents.manifest.log;
    let unfinished =
        Standing::Unfinished { command: String::from("restore"), from: String::from("a backup") };
    let clock = Clock::new();
    let target = Target::begin(store, unfinished, clock.now_ms()).await?;
    let rows = rows(request, breaks.is_some(), target, tell).await?;
    tell("comparing what has arrived, and hashing the log anew");
    let (log, what) = match breaks {
        None => {
            let (tables, counts): (Vec<Table>, Vec<Count>) = tables()?
                .into_iter()
                .filter_map(|table| contents.counts.get(table.name).cloned().map(|count| (table, count)))
                .unzip();
            compare(store, &tables, &counts).await?;
            let whole = whole::verify(store, &old.key, evidence).await?;
            if (whole.size, whole.root) != (old.size, old.root) {
                return Err(refused("the log is not the one that the backup's manifest names"));
            }
            // What other servers had written and not put in order yet.
            sequencer::catch_up(store, &old.id).await?;
            let last = evidence.iter().map(|held| held.signed.unverified()).max_by_key(|held| held.size);
            let what = json!({
                "backup_created_ms": contents.manifest.created_ms, "size": old.size, "root": old.root,
                "last_known_checkpoint_size": last.map(|last| last.size),
                "stated_newest": request.newest,
            });
            (old.id.clone(), ("restored", what))
        }
        Some(broken) => {
            let random = crate::keys::secret::random::<8>().map_err(|error| refused(error.to_string()))?;
            let log = format!("bailiwick/{}", hex::encode(random));
            settings::put(store, "log_id", log.clone().into(), clock.now_ms()).await?;
            set_aside(&request.place)?;
            (log, ("log_begun_anew", broken))
        }
    };
    record(request, store, &clock, &log, what).await?;
    Target::resume(store).finish().await?;
    Ok((rows, log))
}

/// Writes the rows; without the log where that ends.
async fn rows(
    request: &RestoreRequest,
    new_log: bool,
    mut target: Target<'_>,
    tell: &impl Fn(&str),
) -> Result<u64, TransferError> {
    let tables = tables()?;
    let (mut reader, _) = Reader::open(&request.file)?;
    let mut open: Option<&Table> = None;
    let (mut page, mut total, mut of_table): (Vec<Row>, u64, u64) = (Vec::new(), 0, 0);
    loop {
        let item = reader.next()?;
        if let Item::Row(mut row) = item {
            let Some(table) = open else { continue };
            if !new_log || opening(table, &mut row) {
                page.push(row);
                of_table = of_table.saturating_add(1);
            }
            if u64::try_from(page.len()).is_ok_and(|rows| rows >= PAGE) {
                target.add(table, &std::mem::take(&mut page)).await?;
            }
            continue;
        }
        if let Some(table) = open.take() {
            target.add(table, &std::mem::take(&mut page)).await?;
            target.end().await?;
            tell(&format!("{}: {of_table} rows", table.name));
            total = total.saturating_add(std::mem::take(&mut of_table));
        }
        match item {
            Item::Table(name) => open = tables.iter().find(|table| table.name == name),
            Item::End(_) => return Ok(total),
            Item::Secret(..) | Item::Row(_) => {}
        }
    }
}

/// What of a row belongs to a log that begins anew; `false` where nothing does.
fn opening(table: &Table, row: &mut Row) -> bool {
    let at = |name: &str| table.columns.iter().position(|column| column.name == name);
    if table.part == Part::Log {
        return false;
    }
    if table.name == "settings" {
        let key = at("key").and_then(|place| row.get(place)).and_then(Value::as_str);
        // Each is of the log that ended, or of the secrets of its servers.
        return !key.is_some_and(|key| {
            key == "log_id" || key == "policy_recorded" || key.starts_with("fingerprint/")
        });
    }
    if table.name == "budget_spend" {
        // Who held the rest is gone, with the records that would tell what became of it.
        let settled = at("settled_nano").and_then(|place| row.get(place).cloned()).unwrap_or_default();
        for (name, value) in [("granted_nano", settled), ("short_nano", 0.into())] {
            if let Some(cell) = at(name).and_then(|place| row.get_mut(place)) {
                *cell = value;
            }
        }
    }
    true
}

/// The checkpoint of the log that ended stays beside the key, under its own name.
fn set_aside(place: &Place) -> Result<(), TransferError> {
    let path = place.checkpoint();
    if !path.exists() {
        return Ok(());
    }
    for number in 1_u32.. {
        let aside = place.data_dir.join(format!("checkpoint.ended-{number}"));
        if !aside.exists() {
            return std::fs::rename(&path, &aside).map_err(TransferError::file(&path));
        }
    }
    Ok(())
}

/// Opens the log as a server would and writes the record of what was done; what other servers left open is booked.
async fn record(
    request: &RestoreRequest,
    store: &Store,
    clock: &Clock,
    log: &str,
    (act, what): (&str, Value),
) -> Result<(), TransferError> {
    let place = &request.place;
    let id = LogId::new(log).map_err(|err| refused(format!("the log's id `{log}`: {err}")))?;
    let audit = Audit::open(
        store.clone(),
        AuditConfig {
            log: id,
            replica: request.replica.clone(),
            key: load_or_create_key(&place.data_dir.join("log.key"))?,
            checkpoint_file: Some(place.checkpoint()),
            held: Vec::new(),
            duty: None,
            spool: None,
        },
        clock.clone(),
    )
    .await?;
    let failed = |error: String| refused(format!("the restore could not be recorded: {error}"));
    let act = section("act", &json!({ "act": act, "what": what }), &mut Salts::new(1))
        .map_err(|error| failed(error.to_string()))?;
    let draft = Draft::new(Kind::Admin, clock.now_ms()).scope("/").id("principal", "system").section(act);
    audit.append(Entry::new(draft)).await?;
    recover::book_others(&audit, store, clock).await.map_err(|error| failed(error.to_string()))?;
    audit.close().await?;
    Ok(())
}
