//! Asking, and deciding what was asked.

strings! {
    /// Asking, and deciding what was asked.
    RequestPages {
        title, lead, ask, state_word, open, approved, refused, withdrawn, expired, empty_title, empty_lead, older, scope, asked_by, you,
        asked_at, waits_until, holds_until, decided_by, approve, approve_now, approve_hint, refuse, refuse_now, refuse_hint, withdraw,
        wants_content, commit_this, kind_word, key, budget_raise, exception, content_access, lead_key, lead_raise, lead_exception,
        lead_content, until, until_hint, budget, rule, rule_hint, why, why_hint, ask_now, sent_title,
    }
    functions {
        /// A key of this name is wanted.
        wants_key: fn(&str) -> String,
        /// So much more for the budget of this number.
        wants_raise: fn(&str, &str) -> String,
        /// That this rule is waived.
        wants_exception: fn(&str) -> String,
    }
}

impl RequestPages {
    /// How a request stands.
    pub(crate) fn state<'a>(&'a self, name: &'a str) -> &'a str {
        match name {
            "open" => self.open,
            "approved" => self.approved,
            "refused" => self.refused,
            "withdrawn" => self.withdrawn,
            "expired" => self.expired,
            other => other,
        }
    }

    /// What is asked for.
    pub(crate) fn kind<'a>(&'a self, name: &'a str) -> &'a str {
        match name {
            "key" => self.key,
            "budget_raise" => self.budget_raise,
            "exception" => self.exception,
            "content_access" => self.content_access,
            other => other,
        }
    }
}

pub(crate) const EN: RequestPages = RequestPages {
    title: "Requests",
    lead: "What one person asks for and another decides. Both are in the audit log.",
    ask: "Ask for something",
    state_word: "State",
    open: "Open",
    approved: "Approved",
    refused: "Refused",
    withdrawn: "Withdrawn",
    expired: "Expired",
    empty_title: "Nothing was asked for",
    empty_lead: "A key, more budget, an exception from a rule, or access to content: whoever needs one asks here, and somebody else decides.",
    older: "Older",
    scope: "Scope",
    asked_by: "Asked by",
    you: "you",
    asked_at: "Asked",
    waits_until: "Expires",
    holds_until: "Holds until",
    decided_by: "Decided by",
    approve: "Approve",
    approve_now: "Approve",
    approve_hint: "Carried out when this page answers.",
    refuse: "Refuse",
    refuse_now: "Refuse",
    refuse_hint: "Who asked reads it.",
    withdraw: "Withdraw",
    wants_content: "To read prompts and answers",
    commit_this: "Git owns exceptions. It holds once this file is in the bundle:",
    kind_word: "What for",
    key: "A key",
    budget_raise: "More budget",
    exception: "An exception",
    content_access: "Content",
    lead_key: "Somebody who may approve it decides. The key's secret is shown to you now, and works once it is approved.",
    lead_raise: "Raises a budget's limit until a day, never for good.",
    lead_exception: "Waives one rule for one scope until a day. Approved, it is a file to commit to the bundle.",
    lead_content: "Lets you read prompts and answers of a scope, for a week at most.",
    until: "Last day",
    until_hint: "To the end of this day, UTC.",
    budget: "Budget",
    rule: "Rule",
    rule_hint: "Its id, as a decision's page shows it.",
    why: "Reason",
    why_hint: "Who decides reads it, and the audit log keeps it.",
    ask_now: "Ask",
    sent_title: "Asked",
    wants_key: |name| format!("A key “{name}”"),
    wants_raise: |amount, budget| format!("{amount} more for budget {budget}"),
    wants_exception: |rule| format!("An exception from {rule}"),
};

pub(crate) const DE: RequestPages = RequestPages {
    title: "Anträge",
    lead: "Was jemand beantragt und jemand anders entscheidet. Beides steht im Prüfprotokoll.",
    ask: "Etwas beantragen",
    state_word: "Zustand",
    open: "Offen",
    approved: "Genehmigt",
    refused: "Abgelehnt",
    withdrawn: "Zurückgezogen",
    expired: "Abgelaufen",
    empty_title: "Nichts wurde beantragt",
    empty_lead: "Ein Schlüssel, mehr Budget, eine Ausnahme von einer Regel oder Einsicht in Inhalte: wer etwas braucht, beantragt es hier, und jemand anders entscheidet.",
    older: "Ältere",
    scope: "Bereich",
    asked_by: "Beantragt von",
    you: "Ihnen",
    asked_at: "Beantragt",
    waits_until: "Läuft ab",
    holds_until: "Gilt bis",
    decided_by: "Entschieden von",
    approve: "Genehmigen",
    approve_now: "Genehmigen",
    approve_hint: "Ausgeführt, sobald diese Seite antwortet.",
    refuse: "Ablehnen",
    refuse_now: "Ablehnen",
    refuse_hint: "Wer den Antrag gestellt hat, liest ihn.",
    withdraw: "Zurückziehen",
    wants_content: "Anfragen und Antworten lesen",
    commit_this: "Ausnahmen stehen in Git. Sie gilt, sobald diese Datei im Regelwerk ist:",
    kind_word: "Wofür",
    key: "Ein Schlüssel",
    budget_raise: "Mehr Budget",
    exception: "Eine Ausnahme",
    content_access: "Inhalte",
    lead_key: "Wer das darf, entscheidet. Der Schlüssel wird Ihnen jetzt gezeigt und gilt, sobald er genehmigt ist.",
    lead_raise: "Erhöht die Grenze eines Budgets bis zu einem Tag, nie für immer.",
    lead_exception: "Setzt eine Regel für einen Bereich bis zu einem Tag aus. Genehmigt ist sie eine Datei für das Regelwerk.",
    lead_content: "Lässt Sie Anfragen und Antworten eines Bereichs lesen, höchstens eine Woche lang.",
    until: "Letzter Tag",
    until_hint: "Bis zum Ende dieses Tages, UTC.",
    budget: "Budget",
    rule: "Regel",
    rule_hint: "Ihre Kennung, wie die Seite einer Entscheidung sie zeigt.",
    why: "Grund",
    why_hint: "Wer entscheidet, liest ihn, und das Prüfprotokoll bewahrt ihn auf.",
    ask_now: "Beantragen",
    sent_title: "Beantragt",
    wants_key: |name| format!("Ein Schlüssel „{name}“"),
    wants_raise: |amount, budget| format!("{amount} mehr für Budget {budget}"),
    wants_exception: |rule| format!("Eine Ausnahme von {rule}"),
};
