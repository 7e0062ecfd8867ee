//! Exporting a range of the log, page by page: memory does not grow with the range.

use std::io::Write;

use bailiwick_ledger::export::Counts;
use bailiwick_ledger::{Draft, ExportWriter, Kind, Section};
use serde::Serialize;

use super::nodes::Tree;
use super::{Audit, AuditError, Entry};
use crate::store::records::{self, StoredRecord};

/// Records that one read brings.
const PAGE: u64 = 256;

/// What to export, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExportRequest {
    /// Full records from this time on, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    /// Full records before this time, Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<i64>,
    /// Full records of this scope and those below; the rest of the range is stubs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Who asked: the random id of a person, or the id of a token.
    #[serde(skip)]
    pub principal: Option<String>,
}

impl ExportRequest {
    fn selects(&self, record: &StoredRecord) -> bool {
        let in_scope = match self.scope.as_deref() {
            None | Some("/") => true,
            Some(scope) => record
                .scope
                .as_deref()
                .and_then(|path| path.strip_prefix(scope))
                .is_some_and(|below| below.is_empty() || below.starts_with('/')),
        };
        in_scope
            && self.from_ms.is_none_or(|from| record.time_ms >= from)
            && self.to_ms.is_none_or(|to| record.time_ms < to)
    }

    fn describe(&self) -> Result<String, AuditError> {
        bailiwick_ledger::canonical::to_vec(self)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(|err| AuditError::Proof(err.to_string()))
    }
}

impl Audit {
    /// Writes an export of the leaves between the first and the last record of the time asked for (of the whole
    /// log, where no time is given): full records for those selected, stubs for the others. That it was asked
    /// for is recorded first. Nothing but a file that was finished verifies.
    ///
    /// # Errors
    /// [`AuditError`]; what was written so far must then be thrown away.
    pub async fn export<W>(&self, request: ExportRequest, writer: W) -> Result<(W, Counts), AuditError>
    where
        W: Write + Send + 'static,
    {
        self.append(Entry::new(self.export_draft(&request)?)).await?;
        let checkpoint = self.checkpoint().await?;
        let audit = self.clone();
        let runtime = tokio::runtime::Handle::current();
        // The writer may block, so it gets a thread on which that is allowed.
        let work = move || runtime.block_on(audit.write_export(&request, writer, &checkpoint));
        tokio::task::spawn_blocking(work).await.map_err(|_| AuditError::Ended)?
    }

    async fn write_export<W: Write>(
        &self,
        request: &ExportRequest,
        writer: W,
        checkpoint: &bailiwick_ledger::SignedCheckpoint,
    ) -> Result<(W, Counts), AuditError> {
        let store = &self.inner.store;
        let size = checkpoint.unverified().size;
        let (from, to) = match (request.from_ms, request.to_ms) {
            (None, None) => (0, size),
            (from_ms, to_ms) => match records::leaves_between(store, size, from_ms, to_ms).await? {
                Some((first, last)) => (first.min(size), last.saturating_add(1).min(size)),
                None => (size, size),
            },
        };
        let mut tree = Tree::new(store, size);
        let prefix = tree.frontier(from).await?;
        let consistency = tree.consistency(to).await?;
        let signer = &self.inner.signer;
        let created = self.inner.clock.now_ms();
        let mut export = ExportWriter::begin(writer, signer, created, &request.describe()?, prefix, to)?;
        while export.next() < to {
            let page = records::range(store, export.next(), to, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for record in page {
                if record.leaf != Some(export.next()) {
                    let gap = format!("the record of leaf {} is missing", export.next());
                    return Err(crate::store::StoreError::Corrupt(gap).into());
                }
                if request.selects(&record) {
                    export.record(&record.leaf_bytes, &record.sections)?;
                } else {
                    export.stub(record.leaf_hash)?;
                }
            }
        }
        Ok(export.finish(checkpoint, consistency, signer)?)
    }

    fn export_draft(&self, request: &ExportRequest) -> Result<Draft, AuditError> {
        let mut draft = Draft::new(Kind::Export, self.inner.clock.now_ms());
        draft.scope.clone_from(&request.scope);
        if let Some(principal) = &request.principal {
            draft = draft.id("principal", principal.clone());
        }
        Ok(draft.section(Section::new("request", request, salt()?)?))
    }
}

/// A fresh salt.
pub(super) fn salt() -> Result<[u8; 32], AuditError> {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(|err| AuditError::Proof(format!("no random numbers: {err}")))?;
    Ok(salt)
}
