//! Writing a backup beside the running server.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use bailiwick_ledger::Hash;
use bailiwick_ledger::merkle::Frontier;
use serde::Serialize;
use zeroize::Zeroizing;

use super::format::{Log, Manifest, Writer};
use super::{Place, TransferError, refused};
use crate::app::SECRETS;
use crate::clock::Clock;
use crate::store::copy::{Snapshot, line, tables};
use crate::store::{Location, Store, StoreError, standing};

/// What was written.
#[derive(Debug, Serialize)]
pub struct BackedUp {
    /// The file.
    pub file: PathBuf,
    /// Of every byte before its last line.
    pub sha256: String,
    /// The log.
    pub log: String,
    /// Its leaves.
    pub size: u64,
    /// Their root.
    pub root: Hash,
    /// Rows of all tables.
    pub rows: u64,
    /// The secrets in it, by file.
    pub secrets: Vec<String>,
}

/// Writes everything that `place` keeps as it is now into the new file `path`, which only its owner can read.
///
/// # Errors
/// [`TransferError`]; there is no such file then.
pub async fn backup(
    place: &Place,
    path: &Path,
    with_secrets: bool,
    tell: impl Fn(&str),
) -> Result<BackedUp, TransferError> {
    let location = place.database()?;
    if let Location::File(file) = &location
        && !file.is_file()
    {
        return Err(refused(format!("there is no database in {}: name the data directory", file.display())));
    }
    if path.exists() {
        return Err(refused(format!("{} exists, and nothing is written over", path.display())));
    }
    let url = place.database_url.as_ref().map(|url| url.as_str());
    let store = Store::open_to_read(&location, url).await?;
    let written = write(place, &store, path, with_secrets, &tell).await;
    store.close().await;
    written
}

async fn write(
    place: &Place,
    store: &Store,
    path: &Path,
    with_secrets: bool,
    tell: &impl Fn(&str),
) -> Result<BackedUp, TransferError> {
    standing::check(store).await?;
    let snapshot = Snapshot::take(store).await?;
    let Some(log) = snapshot.log().await? else {
        return Err(refused("the database holds no log: no server has ever started on it"));
    };
    let root = Frontier::from_bytes(&log.frontier)
        .map_err(|err| StoreError::Corrupt(format!("the head of the tree: {err}")))?
        .root();
    let key = place.public_key(&log.id)?;
    let mut secrets = Vec::new();
    for file in SECRETS.iter().filter(|_| with_secrets) {
        let path = place.data_dir.join(file);
        secrets.push((
            *file,
            Zeroizing::new(std::fs::read_to_string(&path).map_err(TransferError::file(&path))?),
        ));
    }
    let names: Vec<String> = secrets.iter().map(|(file, _)| (*file).to_owned()).collect();
    let manifest = Manifest::new(
        Log { id: log.id.clone(), size: log.size, root, checkpoint: log.checkpoint, key },
        names.clone(),
        Clock::new().now_ms(),
    );

    let failed = || TransferError::file(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // For its owner alone, and gone where this ends early.
    let file = tempfile::Builder::new().prefix(".backup-").tempfile_in(folder).map_err(failed())?;
    let mut writer = Writer::new(BufWriter::new(file.as_file()), &manifest).map_err(failed())?;
    for (file, text) in &secrets {
        writer.secret(file, text.trim()).map_err(failed())?;
    }
    for table in tables()? {
        writer.table(table.name).map_err(failed())?;
        let mut last = None;
        let mut rows = 0_usize;
        loop {
            let page = snapshot.page(&table, last.as_ref()).await?;
            for row in &page {
                writer.row(&line(row)).map_err(failed())?;
            }
            rows = rows.saturating_add(page.len());
            match page.into_iter().next_back() {
                Some(row) => last = Some(row),
                None => break,
            }
        }
        tell(&format!("{}: {rows} rows", table.name));
    }
    let (counts, sha256) = writer.finish().map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    file.persist_noclobber(path).map_err(|error| failed()(error.error))?;
    std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed())?;
    Ok(BackedUp {
        file: path.to_owned(),
        sha256,
        log: log.id,
        size: log.size,
        root,
        rows: counts.values().map(|count| count.rows).sum(),
        secrets: names,
    })
}
