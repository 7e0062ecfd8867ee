//! `bailiwick people …`, `sessions …`, `rbac …` and `identity …`: who may get in, and what they may do.

use std::io::Read as _;

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Api;
use super::{Failed, Output, Remote};

#[derive(Debug, Subcommand)]
pub(super) enum PeopleCommand {
    /// List people who have signed in, with their groups and roles
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Forbid a person to sign in, and end their sessions
    Disable {
        #[command(flatten)]
        remote: Remote,
        /// The person's id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Erase what names a person, for good
    Erase {
        #[command(flatten)]
        remote: Remote,
        /// The person's id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Let a person sign in again
    Enable {
        #[command(flatten)]
        remote: Remote,
        /// The person's id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionsCommand {
    /// List open sessions
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// End a session
    End {
        #[command(flatten)]
        remote: Remote,
        /// Its id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RbacCommand {
    /// Say whether somebody may do something, and by which lines of the policy
    Explain {
        #[command(flatten)]
        remote: Remote,
        /// A person's id or e-mail address, `token:<id>`, `role:<name>`, `group:<provider>:<name>`,
        /// `group-id:<provider>:<id>` or `claim:<provider>:<name>=<value>`
        subject: String,
        /// An object and what is done to it: `console:keys/create`
        action: String,
        /// Where; the topmost scope that the asking token sees where not said
        #[arg(long)]
        scope: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum IdentityCommand {
    /// Read a password from standard input and print its hash, for `identity.break_glass`
    HashPassword,
}

pub(super) async fn people(command: PeopleCommand, output: Output) -> Result<(), Failed> {
    const PATH: &str = "/api/v1/people";
    match command {
        PeopleCommand::List { remote } => {
            let people: Value = Api::new(&remote).list(PATH, "people", &[]).await?;
            output.result(&people, || people_table(&people));
        }
        PeopleCommand::Disable { remote, id, reason } => {
            let (path, body) = (format!("{PATH}/{id}/disable"), json!({ "reason": reason }));
            let done: Value = Api::new(&remote).json(Method::POST, &path, &[], Some(&body)).await?;
            output.result(&done, || format!("{id} may not sign in any more"));
        }
        PeopleCommand::Erase { remote, id, reason } => {
            let (path, body) = (format!("{PATH}/{id}/erase"), json!({ "reason": reason }));
            let done: Value = Api::new(&remote).json(Method::POST, &path, &[], Some(&body)).await?;
            output.result(&done, || format!("nothing but {id} is left"));
        }
        PeopleCommand::Enable { remote, id } => {
            let path = format!("{PATH}/{id}/enable");
            let done: Value = Api::new(&remote).json(Method::POST, &path, &[], None).await?;
            output.result(&done, || format!("{id} may sign in again"));
        }
    }
    Ok(())
}

pub(super) async fn sessions(command: SessionsCommand, output: Output) -> Result<(), Failed> {
    const PATH: &str = "/api/v1/sessions";
    match command {
        SessionsCommand::List { remote } => {
            let sessions: Value = Api::new(&remote).list(PATH, "sessions", &[]).await?;
            output.result(&sessions, || sessions_table(&sessions));
        }
        SessionsCommand::End { remote, id } => {
            let path = format!("{PATH}/{id}");
            let ended: Value = Api::new(&remote).json(Method::DELETE, &path, &[], None).await?;
            output.result(&ended, || format!("{id} is ended"));
        }
    }
    Ok(())
}

pub(super) async fn rbac(command: RbacCommand, output: Output) -> Result<(), Failed> {
    let RbacCommand::Explain { remote, subject, action, scope } = command;
    let mut query = vec![("subject", subject.as_str()), ("action", action.as_str())];
    query.extend(scope.as_deref().map(|scope| ("scope", scope)));
    let api = Api::new(&remote);
    let answer: Value = api.json(Method::GET, "/api/v1/roles/explain", &query, None).await?;
    output.result(&answer, || explained(&answer));
    Ok(())
}

pub(super) fn identity(command: &IdentityCommand, output: Output) -> Result<(), Failed> {
    let IdentityCommand::HashPassword = command;
    let mut password = String::new();
    std::io::stdin().read_to_string(&mut password).map_err(Failed::io("the password"))?;
    let password = password.trim_end_matches(['\r', '\n']);
    let hash = crate::identity::hash_password(password).map_err(Failed::Said)?;
    output.result(&json!({ "password_hash": hash }), || hash.clone());
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn people_table(people: &Value) -> String {
    let rows: Vec<Vec<String>> = list(people, "people")
        .map(|person| {
            let roles: Vec<String> = list(person, "roles")
                .map(|held| format!("{} {}", text(held, "role"), text(held, "scope")))
                .collect();
            let groups: Vec<String> = list(person, "identities")
                .flat_map(|identity| {
                    list(identity, "groups").chain(list(identity, "claims")).map(|group| {
                        format!("{}:{}", text(identity, "provider"), group.as_str().unwrap_or_default())
                    })
                })
                .collect();
            let state = if person.get("disabled_ms").is_some_and(Value::is_i64) { "disabled" } else { "" };
            let mut row = ["id", "name", "email"].map(|name| text(person, name).to_owned()).to_vec();
            row.extend([groups.join(", "), roles.join(", "), state.to_owned()]);
            row
        })
        .collect();
    super::output::table(&["id", "name", "email", "groups", "roles", "state"], &rows)
}

fn sessions_table(sessions: &Value) -> String {
    let rows: Vec<Vec<String>> = list(sessions, "sessions")
        .map(|session| {
            let mut row =
                ["id", "person", "method", "provider"].map(|name| text(session, name).to_owned()).to_vec();
            row.extend(
                ["created_ms", "seen_ms", "expires_ms"].map(|name| super::output::instant(session, name)),
            );
            row
        })
        .collect();
    super::output::table(&["id", "person", "method", "provider", "began", "last used", "ends"], &rows)
}

fn explained(answer: &Value) -> String {
    let allowed = answer.get("allowed").and_then(Value::as_bool) == Some(true);
    let mut lines = vec![format!(
        "{}: {} {} {}/{} in {}",
        if allowed { "yes" } else { "no" },
        text(answer, "subject"),
        if allowed { "may do" } else { "may not do" },
        text(answer, "object"),
        text(answer, "action"),
        text(answer, "scope")
    )];
    let number = |line: &Value| line.get("line").and_then(Value::as_u64).unwrap_or_default();
    for line in list(answer, "memberships") {
        let (member, role, scope) = (text(line, "member"), text(line, "role"), text(line, "scope"));
        lines.push(format!("  policy.csv:{} {member} holds {role} in {scope}", number(line)));
    }
    for (name, word) in [("grants", "may"), ("denials", "may not")] {
        for line in list(answer, name) {
            let (subject, object, action) =
                (text(line, "subject"), text(line, "object"), text(line, "action"));
            let (scope, number) = (text(line, "scope"), number(line));
            lines.push(format!("  policy.csv:{number} {subject} {word} {action} on {object} in {scope}"));
        }
    }
    let places: Vec<&str> = list(answer, "where").filter_map(Value::as_str).collect();
    if !places.is_empty() {
        lines.push(format!("  allowed in {}", places.join(", ")));
    }
    let routes: Vec<&str> = list(answer, "routes").filter_map(Value::as_str).collect();
    if !routes.is_empty() {
        lines.push(format!("  asked for by {}", routes.join(", ")));
    }
    lines.join("\n")
}
