//! The overview.

strings! {
    /// The overview.
    OverviewPages {
        title, lead, range, scope, all_scopes, hour, day, week, month, needs, needs_nothing, needs_nothing_lead, requests, spent, redacted,
        over_time, over_time_lead, table, step, empty_title, empty_lead, budgets, budgets_all, no_budgets, redactions, no_redactions,
        endpoints, endpoints_all, resting, healthy, unusable, request_waits, attestation_ends, attestation_ended, bundle_refused, doubts,
        budget_near, budget_full, key_ends, switch_on, switch_over, keys_cut,
    }
    functions {
        /// What a chart shows, in words: requests, and what was denied and failed of them.
        chart: fn(&str, &str, &str) -> String,
        /// A part of a whole: `3.1 % of all`.
        part: fn(&str) -> String,
        /// So many dry runs beside them.
        dry_runs: fn(&str) -> String,
        /// So many are under way.
        running: fn(&str) -> String,
        /// So many hours that were not counted yet.
        uncounted: fn(u32) -> String,
        /// The most in one step of the chart.
        most: fn(&str) -> String,
        /// So many more of the same.
        more: fn(usize) -> String,
    }
}

pub(crate) const EN: OverviewPages = OverviewPages {
    title: "Overview",
    lead: "What was asked, what was decided, what it cost, and what waits for you.",
    range: "Time range",
    scope: "Scope",
    all_scopes: "Every scope",
    hour: "1 hour",
    day: "24 hours",
    week: "7 days",
    month: "30 days",
    needs: "Needs you now",
    needs_nothing: "Nothing waits for you",
    needs_nothing_lead: "No request to decide, no attestation that ends, no budget near its limit, and the policy in force is the newest.",
    requests: "Requests",
    spent: "Spent",
    redacted: "Values redacted",
    over_time: "Requests by outcome",
    over_time_lead: "By when they were decided, UTC.",
    table: "As a table",
    step: "From",
    empty_title: "No requests in this time",
    empty_lead: "Choose a longer range, or send the first one:",
    budgets: "Spend against budget",
    budgets_all: "All budgets",
    no_budgets: "No budget limits what is spent.",
    redactions: "Redactions by kind",
    no_redactions: "Nothing had to be redacted.",
    endpoints: "Endpoints",
    endpoints_all: "All endpoints",
    resting: "resting after failures",
    healthy: "healthy",
    unusable: "Declared and not usable",
    request_waits: "Request to decide",
    attestation_ends: "Attestation ends",
    attestation_ended: "Attestation has ended",
    bundle_refused: "A new policy was refused; the old one is in force",
    doubts: "Doubts about the policy in force",
    budget_near: "Budget near its limit",
    budget_full: "Budget spent",
    key_ends: "Key expires",
    switch_on: "Kill switch is on",
    switch_over: "Kill switch has expired and stops nothing",
    keys_cut: "Only the first thousand keys were looked at.",
    chart: |all, denied, failed| format!("{all} requests; {denied} were denied, {failed} failed"),
    part: |part| format!("{part} of all"),
    dry_runs: |count| if count == "1" { "and 1 dry run".to_owned() } else { format!("and {count} dry runs") },
    running: |count| format!("{count} under way"),
    uncounted: |hours| {
        if hours == 1 {
            "One hour of this range is still being counted.".to_owned()
        } else {
            format!("{hours} hours of this range are still being counted.")
        }
    },
    most: |count| format!("most: {count}"),
    more: |count| format!("and {count} more"),
};

pub(crate) const DE: OverviewPages = OverviewPages {
    title: "Übersicht",
    lead: "Was gefragt wurde, was entschieden wurde, was es gekostet hat und was auf Sie wartet.",
    range: "Zeitraum",
    scope: "Bereich",
    all_scopes: "Alle Bereiche",
    hour: "1 Stunde",
    day: "24 Stunden",
    week: "7 Tage",
    month: "30 Tage",
    needs: "Braucht Sie jetzt",
    needs_nothing: "Nichts wartet auf Sie",
    needs_nothing_lead: "Kein Antrag zu entscheiden, kein Nachweis läuft ab, kein Budget ist fast verbraucht, und das geltende Regelwerk ist das neueste.",
    requests: "Anfragen",
    spent: "Ausgegeben",
    redacted: "Geschwärzte Werte",
    over_time: "Anfragen nach Ausgang",
    over_time_lead: "Nach dem Zeitpunkt der Entscheidung, UTC.",
    table: "Als Tabelle",
    step: "Ab",
    empty_title: "Keine Anfragen in dieser Zeit",
    empty_lead: "Wählen Sie einen längeren Zeitraum oder senden Sie die erste:",
    budgets: "Ausgaben gegen Budget",
    budgets_all: "Alle Budgets",
    no_budgets: "Kein Budget begrenzt die Ausgaben.",
    redactions: "Schwärzungen nach Art",
    no_redactions: "Nichts musste geschwärzt werden.",
    endpoints: "Endpunkte",
    endpoints_all: "Alle Endpunkte",
    resting: "ruht nach Fehlern",
    healthy: "gesund",
    unusable: "Angegeben und nicht nutzbar",
    request_waits: "Antrag zu entscheiden",
    attestation_ends: "Nachweis läuft ab",
    attestation_ended: "Nachweis ist abgelaufen",
    bundle_refused: "Ein neues Regelwerk wurde abgelehnt; das alte gilt",
    doubts: "Zweifel am geltenden Regelwerk",
    budget_near: "Budget fast verbraucht",
    budget_full: "Budget verbraucht",
    key_ends: "Schlüssel läuft ab",
    switch_on: "Notschalter ist an",
    switch_over: "Notschalter ist abgelaufen und stoppt nichts",
    keys_cut: "Nur die ersten tausend Schlüssel wurden angesehen.",
    chart: |all, denied, failed| {
        format!("{all} Anfragen; {denied} wurden abgelehnt, {failed} sind gescheitert")
    },
    part: |part| format!("{part} von allen"),
    dry_runs: |count| {
        if count == "1" { "und 1 Probelauf".to_owned() } else { format!("und {count} Probeläufe") }
    },
    running: |count| format!("{count} laufen noch"),
    uncounted: |hours| {
        if hours == 1 {
            "Eine Stunde dieses Zeitraums wird noch gezählt.".to_owned()
        } else {
            format!("{hours} Stunden dieses Zeitraums werden noch gezählt.")
        }
    },
    most: |count| format!("höchstens {count}"),
    more: |count| format!("und {count} weitere"),
};
