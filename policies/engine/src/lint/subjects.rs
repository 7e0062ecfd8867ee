//! Groups that are named by what looks like an id.

use std::collections::BTreeSet;

use crate::bundle::Bundle;
use crate::problem::Problem;
use crate::rbac::{POLICY, provided};

pub(super) fn look(bundle: &Bundle, problems: &mut Vec<Problem>) {
    let grants = bundle.rbac.grants().iter().map(|grant| (grant.line, grant.subject.as_str()));
    let memberships = bundle.rbac.memberships().iter().map(|line| (line.line, line.member.as_str()));
    let lines: BTreeSet<(usize, &str)> = grants.chain(memberships).collect();
    for (line, subject) in lines.into_iter().filter(|(_, subject)| subject.starts_with("group:")) {
        let Some((provider, name)) = provided(subject).filter(|(_, name)| is_uuid(name)) else { continue };
        let what = format!(
            "`{subject}` is a group that an ID token names so, or one that is pushed with this displayName; an \
             externalId is no name"
        );
        let fix = format!(
            "where groups are pushed (SCIM) and this is an externalId, write `group-id:{provider}:{name}`"
        );
        problems.push(Problem::note(POLICY, what, fix).on(line));
    }
}

fn is_uuid(name: &str) -> bool {
    let lengths: Vec<usize> = name.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
