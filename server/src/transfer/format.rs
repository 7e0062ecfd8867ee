//! What a backup is: JSON Lines.
//!
//! The first line is the manifest. Then come the secrets, if they are in it, and each table: a line with its name, and a
//! line for each row. The last line has the number of rows and a digest for each table, and the SHA-256 of every byte
//! before it. That tells damage. It does not tell malice: whoever can write the file can write its digest too. The log
//! inside proves itself against the checkpoints that others hold; the rest does not.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

use bailiwick_ledger::{Hash, PublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{TransferError, refused};
use crate::store::copy::{Count, Row, Tally};

/// What `type` says in the manifest.
const TYPE: &str = "bailiwick-backup";
const VERSION: u64 = 1;
/// The longest line, in bytes.
const MAX_LINE: u64 = 256 * 1024 * 1024;

/// The first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    #[serde(rename = "type")]
    kind: String,
    v: u64,
    /// The version that wrote it.
    pub(super) version: String,
    /// Unix milliseconds.
    pub(super) created_ms: i64,
    /// The migrations that its schema is made of.
    pub(super) schema: Vec<String>,
    pub(super) log: Log,
    /// The secrets in it, by file.
    pub(super) secrets: Vec<String>,
}

/// The log in a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub(super) id: String,
    pub(super) size: u64,
    pub(super) root: Hash,
    /// The last one that was signed.
    pub(super) checkpoint: Option<String>,
    pub(super) key: PublicKey,
}

impl Manifest {
    pub(super) fn new(log: Log, secrets: Vec<String>, created_ms: i64) -> Self {
        Self {
            kind: TYPE.to_owned(),
            v: VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            created_ms,
            schema: bailiwick_migrations::names(),
            log,
            secrets,
        }
    }
}

/// Any line but the first and the rows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Marker {
    Secret { secret: String, text: String },
    Table { table: String },
    End { counts: BTreeMap<String, Count>, sha256: String },
}

/// Writes one.
pub(super) struct Writer<W: Write> {
    to: W,
    hash: Sha256,
    counts: BTreeMap<String, Count>,
    open: Option<(String, Tally)>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W, manifest: &Manifest) -> std::io::Result<Self> {
        let mut writer = Self { to, hash: Sha256::new(), counts: BTreeMap::new(), open: None };
        writer.line(&serde_json::to_string(manifest)?)?;
        Ok(writer)
    }

    pub(super) fn secret(&mut self, file: &str, text: &str) -> std::io::Result<()> {
        let marker = Marker::Secret { secret: file.to_owned(), text: text.to_owned() };
        let line = Zeroizing::new(serde_json::to_string(&marker)?);
        self.line(&line)
    }

    pub(super) fn table(&mut self, table: &str) -> std::io::Result<()> {
        self.end_table();
        self.line(&serde_json::to_string(&Marker::Table { table: table.to_owned() })?)?;
        self.open = Some((table.to_owned(), Tally::default()));
        Ok(())
    }

    /// A row of the table that was begun last, in its written form.
    pub(super) fn row(&mut self, line: &str) -> std::io::Result<()> {
        if let Some((_, tally)) = &mut self.open {
            tally.add(line);
        }
        self.line(line)
    }

    /// The last line; the digest in it.
    pub(super) fn finish(mut self) -> std::io::Result<(BTreeMap<String, Count>, String)> {
        self.end_table();
        let sha256 = hex::encode(self.hash.finalize());
        let end = Marker::End { counts: self.counts.clone(), sha256: sha256.clone() };
        writeln!(self.to, "{}", serde_json::to_string(&end)?)?;
        self.to.flush()?;
        Ok((self.counts, sha256))
    }

    fn end_table(&mut self) {
        if let Some((table, tally)) = self.open.take() {
            self.counts.insert(table, tally.count());
        }
    }

    fn line(&mut self, line: &str) -> std::io::Result<()> {
        self.hash.update(line);
        self.hash.update(b"\n");
        self.to.write_all(line.as_bytes())?;
        self.to.write_all(b"\n")
    }
}

/// What comes next in a backup.
pub(super) enum Item {
    Secret(String, Zeroizing<String>),
    Table(String),
    Row(Row),
    /// With the number of rows and the digest of each table.
    End(BTreeMap<String, Count>),
}

/// Reads one. Only what was read up to [`Item::End`] is known to be as it was written.
pub(super) struct Reader {
    path: PathBuf,
    from: BufReader<File>,
    hash: Sha256,
    line: u64,
    counts: BTreeMap<String, Count>,
    open: Option<(String, Tally)>,
}

impl Reader {
    /// Opens `path` and reads its manifest.
    pub(super) fn open(path: &Path) -> Result<(Self, Manifest), TransferError> {
        let file = File::open(path).map_err(TransferError::file(path))?;
        let mut reader = Self {
            path: path.to_owned(),
            from: BufReader::with_capacity(1 << 16, file),
            hash: Sha256::new(),
            line: 0,
            counts: BTreeMap::new(),
            open: None,
        };
        let none = || refused(format!("{} is no backup of Bailiwick", path.display()));
        let first = reader.read()?;
        let head: serde_json::Value = serde_json::from_slice(&first).map_err(|_| none())?;
        if head.get("type").and_then(serde_json::Value::as_str) != Some(TYPE) {
            return Err(none());
        }
        if head.get("v").and_then(serde_json::Value::as_u64) != Some(VERSION) {
            return Err(refused(format!(
                "{} has a form that this version does not know: restore it with the version that wrote it",
                path.display()
            )));
        }
        let manifest =
            serde_json::from_value(head).map_err(|_| reader.damaged("its manifest cannot be read"))?;
        reader.take(&first);
        Ok((reader, manifest))
    }

    /// The next item; nothing comes after [`Item::End`].
    pub(super) fn next(&mut self) -> Result<Item, TransferError> {
        let line = Zeroizing::new(self.read()?);
        if line.first() == Some(&b'[') {
            let row: Row = serde_json::from_slice(&line).map_err(|_| self.damaged("a row cannot be read"))?;
            let text = std::str::from_utf8(&line).map_err(|_| self.damaged("a row is no text"))?;
            match &mut self.open {
                Some((_, tally)) => tally.add(text.trim_end_matches('\n')),
                None => return Err(self.damaged("a row belongs to no table")),
            }
            self.take(&line);
            return Ok(Item::Row(row));
        }
        let marker = serde_json::from_slice(&line).map_err(|_| self.damaged("it cannot be read"))?;
        match marker {
            Marker::Secret { secret, text } => {
                self.take(&line);
                Ok(Item::Secret(secret, Zeroizing::new(text)))
            }
            Marker::Table { table } => {
                self.end_table();
                self.take(&line);
                self.open = Some((table.clone(), Tally::default()));
                Ok(Item::Table(table))
            }
            Marker::End { counts, sha256 } => {
                self.end_table();
                if hex::encode(self.hash.clone().finalize()) != sha256 || counts != self.counts {
                    return Err(
                        self.damaged("its digest is not that of what it holds: it was changed or damaged")
                    );
                }
                if !self.from.fill_buf().map_err(TransferError::file(&self.path))?.is_empty() {
                    return Err(self.damaged("there is more after its end"));
                }
                Ok(Item::End(counts))
            }
        }
    }

    fn take(&mut self, line: &[u8]) {
        self.hash.update(line);
    }

    fn end_table(&mut self) {
        if let Some((table, tally)) = self.open.take() {
            self.counts.insert(table, tally.count());
        }
    }

    /// A line with its newline.
    fn read(&mut self) -> Result<Vec<u8>, TransferError> {
        let mut line = Vec::new();
        let read = self.from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        read.map_err(TransferError::file(&self.path))?;
        self.line = self.line.saturating_add(1);
        if line.last() != Some(&b'\n') {
            return Err(self.damaged("its end is missing"));
        }
        Ok(line)
    }

    fn damaged(&self, what: &str) -> TransferError {
        refused(format!(
            "{}, line {}: {what}. Nothing was restored; use another copy of this backup, or another backup",
            self.path.display(),
            self.line
        ))
    }
}
