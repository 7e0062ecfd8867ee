//! Every string that a reader sees, in English and German.
//!
//! One struct, two values: a string that exists in one language only does not compile. Sentences with parts are functions, so
//! that each language orders its parts as it must.

mod countries;
mod kinds;
mod regions;
#[cfg(feature = "ssr")]
mod regulations;
mod words;

use serde::{Deserialize, Serialize};

#[cfg(feature = "ssr")]
pub use pages::{
    AuditPages, BudgetPages, EndpointPages, Forms, KeyPages, OverviewPages, PeoplePages, PolicyPages,
    ReachedPages, RequestPages, SwitchPages,
};
pub use regions::{Region, regions, with_regions};
#[cfg(feature = "ssr")]
pub(crate) use regulations::{answer, attribute, regulation, regulation_hint};
pub use words::{Word, class, entity, sensitivity, stage};
#[cfg(feature = "ssr")]
pub(crate) use words::{entities, rate, window};

/// A language of the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    /// BCP 47 code, also the value in the cookie.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
        }
    }

    /// The language's own name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
        }
    }

    /// The language with this [`Lang::code`].
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.code() == code)
    }

    /// Its strings.
    #[must_use]
    pub const fn text(self) -> &'static Text {
        match self {
            Self::En => &en::TEXT,
            Self::De => &de::TEXT,
        }
    }

    /// Between groups of three digits.
    #[must_use]
    pub const fn group_separator(self) -> char {
        match self {
            Self::En => ',',
            Self::De => '.',
        }
    }

    /// Before the decimal places.
    #[must_use]
    pub const fn decimal_separator(self) -> char {
        match self {
            Self::En => '.',
            Self::De => ',',
        }
    }

    /// The country's name, or its code where we don't name it.
    #[must_use]
    pub fn country(self, code: &str) -> String {
        countries::name(code, self).unwrap_or(code).to_owned()
    }

    /// Items as a phrase: `a`, `a and b`, `a, b and c`.
    #[must_use]
    pub fn list(self, items: &[String]) -> String {
        match items {
            [] => String::new(),
            [one] => one.clone(),
            [most @ .., last] => format!("{} {} {last}", most.join(", "), self.text().and),
        }
    }
}

/// All strings of one language, by page.
#[derive(Debug)]
pub struct Text {
    /// "and".
    pub and: &'static str,
    /// The frame around every page.
    pub shell: Shell,
    /// The list of decisions.
    pub list: List,
    /// How requests end.
    pub outcome: Outcomes,
    /// One decision.
    pub decision: Decision,
    /// Verification in the browser.
    pub verify: Verify,
    /// Verification of a file in the browser.
    pub verify_file: VerifyFile,
    /// Sign-in.
    pub sign_in: SignIn,
    /// Error pages.
    pub error: Errors,
    /// Keyboard help.
    pub keys: Keys,
    /// What every form says.
    #[cfg(feature = "ssr")]
    pub forms: Forms,
    /// The overview.
    #[cfg(feature = "ssr")]
    pub overview_pages: OverviewPages,
    /// The policy in force.
    #[cfg(feature = "ssr")]
    pub policy_pages: PolicyPages,
    /// The audit log.
    #[cfg(feature = "ssr")]
    pub audit_pages: AuditPages,
    /// What reached an endpoint.
    #[cfg(feature = "ssr")]
    pub reached_pages: ReachedPages,
    /// People, their roles and sessions.
    #[cfg(feature = "ssr")]
    pub people_pages: PeoplePages,
    /// Virtual keys.
    #[cfg(feature = "ssr")]
    pub key_pages: KeyPages,
    /// Budgets and limits of rates.
    #[cfg(feature = "ssr")]
    pub budget_pages: BudgetPages,
    /// Asking, and deciding what was asked.
    #[cfg(feature = "ssr")]
    pub request_pages: RequestPages,
    /// Endpoints against regulations.
    #[cfg(feature = "ssr")]
    pub endpoint_pages: EndpointPages,
    /// Kill switches.
    #[cfg(feature = "ssr")]
    pub switch_pages: SwitchPages,
}

macro_rules! strings {
    ($(#[$meta:meta])* $name:ident { $($field:ident),* $(,)? } $(functions { $($(#[$fmeta:meta])* $function:ident: $type:ty),* $(,)? })?) => {
        $(#[$meta])*
        #[derive(Debug)]
        #[expect(missing_docs, reason = "each field is named for the words that it holds")]
        pub struct $name {
            $(pub $field: &'static str,)*
            $($($(#[$fmeta])* pub $function: $type,)*)?
        }

        impl $name {
            /// Every plain string with its name, so that a test can read them all.
            #[cfg(test)]
            pub(crate) fn plain(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($field), self.$field)),*]
            }
        }
    };
}

// After the macro that they use.
mod de;
mod en;
#[cfg(feature = "ssr")]
mod pages;

/// So many of something.
#[cfg(feature = "ssr")]
pub(crate) fn plural(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

strings! {
    /// The frame around every page.
    Shell {
        product, tagline, skip, navigation, overview, decisions, simulated, simulated_hint, bundle, log_size, keys, budgets, requests, endpoints, policies, audit, people, theme, theme_system,
        theme_light, theme_dark, language, apply, account, roles, sign_out, no_script, no_bundle, copy, copied, footer,
    }
    functions {
        /// How many records the log holds.
        records: fn(&str) -> String,
    }
}

strings! {
    /// The list of decisions.
    List {
        title, lead, search, search_hint, scope, model, outcome, all, any_scope, any_model, filter, clear, filtered_live, time,
        request, who, went_to, data, cost, overhead, overhead_hint, key_deleted, not_sent, none, dry_run, older, newest, live,
        live_hint, paused, paused_hint, connecting, lost, show_new, activity, empty_title, empty_lead, empty_step, empty_key_hint,
        empty_filtered_title, empty_filtered_lead, redacted, simulated, open, key, any_key, endpoint, any_endpoint, kind, any_kind, from, to,
        until_now, more_filters, time_hint, look_further, reached,
    }
    functions {
        /// New rows that wait while the list is paused.
        waiting: fn(usize) -> String,
        /// How many rows are shown.
        shown: fn(usize) -> String,
        /// How many were looked at in vain.
        looked: fn(&str) -> String,
        /// A filter that holds: its name and value.
        holds: fn(&str, &str) -> String,
    }
}

strings! {
    /// How requests end.
    Outcomes {
        allowed, denied, failed, running,
    }
}

strings! {
    /// One decision.
    Decision {
        crumbs, on_page, id, at, scope, key, route, model, stream, dry_run, way_out, code, status, cost, overhead, total, provider_wait,
        tokens, tokens_in_out, estimated, timing, timing_lead, stage, took, starts, waiting_provider, no_timing, request, request_lead,
        body, span, spans, findings, no_findings, response_findings, classes, no_classes, sensitivity, regions, no_regions, purpose, user,
        user_hint, none, done, redactions, no_redactions, obligations, rules, no_rules, because, shadow, endpoints, endpoints_lead,
        eligible, excluded, rank, provider, processing_in, unknown, requires, has, evidence, observed, fix, by_rule, attempts,
        no_attempts, attempt, first_byte, duration, status_column, result, money, reserved, settled, not_settled, budgets, spent,
        inputs, inputs_lead, record, record_lead, leaf, not_integrated, leaf_hash, sections, disclosed, withheld, checkpoint,
        no_checkpoint, tree_size, root, origin, signed, receipt, receipt_hint, verifier_key, simulated, countries,
        eu, eea, own, commit, status_hint,
    }
    functions {
        /// The page's first sentence for a request that was answered: endpoint, countries, what was redacted (may be empty).
        sentence_allowed: fn(&str, &str, &str) -> String,
        /// The same where nothing was sent because the client asked only for the decision.
        sentence_dry_run: fn(&str, &str, &str) -> String,
        /// The same while it runs.
        sentence_running: fn(&str, &str, &str) -> String,
        /// Refused because of rules.
        sentence_denied: fn(&str) -> String,
        /// Failed after some attempts, and how the last one ended.
        sentence_failed: fn(usize, &str) -> String,
        /// How many candidates were eligible: eligible, all.
        eligible_of: fn(usize, usize) -> String,
        /// How many more reasons.
        more_reasons: fn(usize) -> String,
        /// A sensitivity's origin or a class's.
        source: fn(&str) -> String,
        /// How one kind was redacted.
        redaction_how: fn(&str) -> String,
    }
}

strings! {
    /// Verification in the browser.
    Verify {
        title, lead, button, again, running, needs_script, tamper, tamper_hint, passed, failed, passed_lead, failed_lead, tampered_note,
        step_fetch, step_parse, step_record, step_section, step_inclusion, step_checkpoint, step_key, step_page, step_skipped, detail_key_pinned,
        detail_key_embedded, computed, expected, key_hint, size,
    }
    functions {
        /// Fetching failed with this HTTP status (0: no connection).
        fetch_failed: fn(u16) -> String,
        /// Sections shown and withheld.
        section_counts: fn(usize, usize) -> String,
    }
}

strings! {
    /// Verification of a file in the browser.
    VerifyFile {
        title, lead, offline, drop, drop_hint, needs_script, command, key_field, key_hint, optional, no_key, unreadable, neither, log, leaves,
        records, sections, made, selected, checkpoint, key, key_compared, key_own, passed_lead, failed_lead, proves_title, proves, proves_not,
    }
    functions {
        /// So many percent of the file were read.
        reading: fn(&str) -> String,
        /// Leaves from one to before another.
        range: fn(&str, &str) -> String,
        /// Records in full, and as stubs.
        in_full: fn(&str, &str) -> String,
        /// Sections disclosed, and withheld.
        sections_of: fn(&str, &str) -> String,
        /// A tree head: leaves and root.
        head: fn(&str, &str) -> String,
        /// So many leaves are stubs.
        stubs: fn(&str) -> String,
        /// The log went on to so many leaves.
        went_on: fn(&str) -> String,
        /// So many more problems.
        more_problems: fn(&str) -> String,
    }
}

strings! {
    /// Sign-in.
    SignIn {
        title, lead, step_one, step_two, token, token_hint, submit, used, expired, signed_out, lost, provider_down, no_role,
        start_again, refused, other_ways, email, go_on, break_glass, break_glass_hint,
    }
    functions {
        /// The link to an identity provider, by its name.
        with: fn(&str) -> String,
    }
}

strings! {
    /// Error pages.
    Errors {
        not_found, not_found_lead, forbidden, forbidden_lead, unavailable, unavailable_lead, reference, back, sign_in, bad_request,
        bad_request_lead,
    }
}

strings! {
    /// Keyboard help.
    Keys {
        title, open, close, search, next, previous, enter, go_overview, go_decisions, go_keys, go_budgets, go_endpoints, go_policies, go_audit,
        go_people, go_requests, help, escape,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lang: Lang) -> Vec<(&'static str, &'static str)> {
        let t = lang.text();
        [
            t.shell.plain(),
            t.list.plain(),
            t.outcome.plain(),
            t.decision.plain(),
            t.verify.plain(),
            t.verify_file.plain(),
            t.sign_in.plain(),
            t.error.plain(),
            t.keys.plain(),
            #[cfg(feature = "ssr")]
            [
                t.forms.plain(),
                t.overview_pages.plain(),
                t.people_pages.plain(),
                t.reached_pages.plain(),
                t.audit_pages.plain(),
                t.policy_pages.plain(),
                t.key_pages.plain(),
                t.budget_pages.plain(),
                t.request_pages.plain(),
                t.endpoint_pages.plain(),
                t.switch_pages.plain(),
            ]
            .concat(),
        ]
        .concat()
    }

    #[test]
    fn no_string_is_empty_or_untrimmed() {
        for lang in Lang::ALL {
            for (name, text) in all(lang) {
                assert!(!text.trim().is_empty(), "{name} is empty in {}", lang.code());
                assert_eq!(text, text.trim(), "{name} in {}", lang.code());
            }
        }
    }

    #[test]
    fn sentences_are_translated() {
        for ((name, en), (_, de)) in all(Lang::En).into_iter().zip(all(Lang::De)) {
            if en.split_whitespace().count() > 3 {
                assert_ne!(en, de, "{name} is still English");
            }
        }
    }

    #[test]
    fn lists_read_as_phrases() {
        let items: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(Lang::En.list(&items), "a, b and c");
        assert_eq!(Lang::De.list(items.get(..2).unwrap()), "a und b");
        assert_eq!(Lang::De.list(&[]), "");
    }
}
