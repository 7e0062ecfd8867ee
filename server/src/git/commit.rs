//! What is believed of a commit: its content, and who signed it.

use std::collections::{BTreeMap, HashSet, VecDeque};

use gix::objs::{CommitRefIter, Kind, TreeRef};
use gix::{ObjectId, Repository};

use super::signature::{self, APPROVAL, BEGIN, END, GIT};
use super::signers::{AllowedSigners, Signer};
use super::tree;

/// Commits that are looked through for the one in force.
const MOST_COMMITS: usize = 200_000;
/// Signatures of one note that are looked at.
const MOST_APPROVALS: usize = 16;
/// The trailer by which a commit approves what it leaves as it was.
const TRAILER: &str = "Approved-by:";

/// A commit of a repository.
pub(super) struct Commit<'r> {
    repository: &'r Repository,
    id: ObjectId,
    data: Vec<u8>,
}

impl<'r> Commit<'r> {
    pub(super) fn read(repository: &'r Repository, id: ObjectId) -> Result<Self, String> {
        let data = tree::object(repository, id, Kind::Commit)?;
        Ok(Self { repository, id, data })
    }

    fn tokens(&self) -> CommitRefIter<'_> {
        CommitRefIter::from_bytes(&self.data, self.repository.object_hash())
    }

    fn parents(&self) -> impl Iterator<Item = ObjectId> + '_ {
        self.tokens().parent_ids()
    }

    /// The tree of the bundle's folder.
    fn tree(&self, folder: &str) -> Result<Option<ObjectId>, String> {
        let root = self.tokens().tree_id().map_err(|error| format!("it is damaged: {error}"))?;
        tree::folder(self.repository, root, folder)
    }

    pub(super) fn files(&self, folder: &str) -> Result<BTreeMap<String, String>, String> {
        let root = self.tree(folder)?.ok_or_else(|| format!("it has no folder `{folder}`"))?;
        tree::files(self.repository, root)
    }

    /// Who signed it.
    pub(super) fn signer(&self, signers: &AllowedSigners, now_ms: i64) -> Result<Signer, String> {
        let signature = CommitRefIter::signature(&self.data, self.repository.object_hash())
            .map_err(|error| format!("it is damaged: {error}"))?;
        let Some((armored, signed)) = signature else {
            return Err(String::from(
                "it is not signed: `git config gpg.format ssh`, `git config user.signingKey KEY.pub`, and commit with `-S`",
            ));
        };
        let armored = std::str::from_utf8(&armored).map_err(|_| String::from("its signature is not text"))?;
        if !armored.trim_start().starts_with(BEGIN) {
            return Err(String::from(
                "it is signed, but not with an SSH key, and OpenPGP and X.509 are not verified here: \
                 `git config gpg.format ssh`, and sign it anew",
            ));
        }
        let key = signature::verify(armored, GIT, &signed.to_bstring())?;
        signers.signer(&key, GIT, now_ms)
    }

    /// Who answers for this commit's bundle, and who else does: the signer of the commit, and somebody else's signature
    /// over its id in a note; or, where the commit itself says by its signer's trailer that it approves what it leaves as
    /// it was, the signer of the parent with the same bundle, and this one. That parent has to descend from the commit in
    /// force: what was signed before it was signed for another time, and would otherwise bring back any earlier bundle.
    pub(super) fn approval(
        &self,
        signers: &AllowedSigners,
        signed: &Signer,
        folder: &str,
        seen: (Option<ObjectId>, Option<ObjectId>),
        now_ms: i64,
    ) -> Result<(Signer, Signer), String> {
        let (notes, in_force) = seen;
        let mut seen = Vec::new();
        if self.approves(signed) {
            match self.approved_parent(signers, signed, (folder, in_force), now_ms)? {
                Ok(author) => return Ok((author, signed.clone())),
                Err(why) => seen.push(format!("its trailer counts for nothing: {why}")),
            }
        }
        let note = match notes {
            Some(notes) => note(self.repository, notes, self.id)?,
            None => None,
        };
        let message = format!("{}\n", self.id);
        for armored in armors(note.as_deref().unwrap_or_default()).take(MOST_APPROVALS) {
            let approver = signature::verify(armored, APPROVAL, message.as_bytes())
                .and_then(|key| signers.signer(&key, APPROVAL, now_ms));
            match approver {
                Ok(approver) if approver.may_be(signed) => {
                    seen.push(format!("{} signed the commit, and cannot approve it too", approver.name()));
                }
                Ok(approver) => return Ok((signed.clone(), approver)),
                Err(why) => seen.push(format!("a signature in its note counts for nothing: {why}")),
            }
        }
        let seen = seen.into_iter().map(|why| format!("; {why}")).collect::<String>();
        Err(format!(
            "{} signed it, and nobody else has approved it{seen}. It waits for a signature of another allowed signer in its \
             note under refs/notes/approvals",
            signed.name()
        ))
    }

    /// Whether a trailer of the message names the signer.
    fn approves(&self, signed: &Signer) -> bool {
        let Ok(message) = self.tokens().message() else { return false };
        let Ok(message) = std::str::from_utf8(message) else { return false };
        // Trailers are the last paragraph.
        let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
        last.lines()
            .filter_map(|line| line.strip_prefix(TRAILER))
            .any(|name| signed.principals.contains(name.trim()))
    }

    /// Who signed the parent that has the same bundle, and is somebody else.
    fn approved_parent(
        &self,
        signers: &AllowedSigners,
        signed: &Signer,
        (folder, in_force): (&str, Option<ObjectId>),
        now_ms: i64,
    ) -> Result<Result<Signer, String>, String> {
        let own = self.tree(folder)?;
        let mut why = String::from("it changes the bundle, so it is no parent's bundle that it approves");
        for parent in self.parents() {
            let parent = Commit::read(self.repository, parent)?;
            if own.is_none() || parent.tree(folder)? != own {
                continue;
            }
            if in_force.is_some_and(|before| descends(self.repository, parent.id, before).is_err()) {
                why = format!(
                    "the commit {} that it approves does not descend from the one in force, so it was signed for another \
                     time: bring it up to date, or have the change approved in a note",
                    parent.id
                );
                continue;
            }
            match parent.signer(signers, now_ms) {
                Ok(author) if author.may_be(signed) => {
                    why = format!("{} signed the commit {} that it approves, too", signed.name(), parent.id);
                }
                Ok(author) => return Ok(Ok(author)),
                Err(error) => why = format!("of the commit {} that it approves, {error}", parent.id),
            }
        }
        Ok(Err(why))
    }
}

/// Each signature of a text.
fn armors(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(END).filter_map(|part| part.find(BEGIN).and_then(|at| part.get(at..)))
}

/// The note of `id` in the notes of the commit `notes`: Git keeps it under the id, whose first digits may be folders.
fn note(repository: &Repository, notes: ObjectId, id: ObjectId) -> Result<Option<String>, String> {
    let mut at = Commit::read(repository, notes)?
        .tokens()
        .tree_id()
        .map_err(|error| format!("the notes are damaged: {error}"))?;
    let name = id.to_string();
    let mut rest = name.as_str();
    loop {
        let data = tree::object(repository, at, Kind::Tree)?;
        let tree = TreeRef::from_bytes(&data, repository.object_hash())
            .map_err(|error| format!("the notes are damaged: {error}"))?;
        let found = tree.entries.iter().find_map(|entry| {
            let name = std::str::from_utf8(entry.filename).ok().filter(|name| !name.is_empty())?;
            let left = rest.strip_prefix(name)?;
            (entry.mode.is_blob() == left.is_empty()).then(|| (left, entry.oid.to_owned()))
        });
        match found {
            None => return Ok(None),
            Some(("", blob)) => {
                let data = tree::object(repository, blob, Kind::Blob)?;
                return Ok(Some(String::from_utf8_lossy(&data).into_owned()));
            }
            Some((left, folder)) => (rest, at) = (left, folder),
        }
    }
}

/// Whether `before` is among what `head` descends from.
pub(super) fn descends(repository: &Repository, head: ObjectId, before: ObjectId) -> Result<(), String> {
    let (mut open, mut met) = (VecDeque::from([head]), HashSet::from([head]));
    while let Some(id) = open.pop_front() {
        if id == before {
            return Ok(());
        }
        for parent in Commit::read(repository, id)?.parents() {
            if met.insert(parent) {
                open.push_back(parent);
            }
        }
        if met.len() > MOST_COMMITS {
            return Err(format!(
                "{before}, which is in force, is not among the last {MOST_COMMITS} commits: set \
                 `policy.git.allow_rewind` for once"
            ));
        }
    }
    Err(format!(
        "it does not descend from {before}, which is in force: somebody has rewritten or rewound the branch. Going back is \
         done with `git revert`; where the rewriting is meant, set `policy.git.allow_rewind` for once"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_of_a_note_is_found() {
        let one = format!("{BEGIN}\nQQ==\n{END}");
        let text = format!("Looks good to me.\n\n{one}\n\n{one}\nBye\n");
        let found: Vec<&str> = armors(&text).collect();
        assert_eq!(found, [&one, &one]);
        assert_eq!(armors("nothing").count() + armors(BEGIN).count(), 1);
    }
}
