//! Endpoints and kill switches.

strings! {
    /// Endpoints against regulations, and what is known of each.
    EndpointPages {
        title, lead, kill_switches, unusable, empty_title, empty_lead, for_scope, resting, endpoint, operator, service, region,
        processes_in, upstream, stop_it, model, regulations, regulations_lead, facts, facts_lead, unknown, missing, conflict, valid_until,
        observed, replaces,
    }
    functions {
        /// The version of the compliance database.
        database: fn(&str) -> String,
        /// How old evidence is, in days.
        days_old: fn(&str) -> String,
    }
}

strings! {
    /// Kill switches.
    SwitchPages {
        title, lead, empty_title, empty_lead, before, in_force, lifted, expired, lifted_by, asks_again, scope, thrown_by, thrown, expires,
        lift, lift_hint, reason, reason_hint, throw, throw_lead, throw_now, what, target, target_hint, scope_hint, how_long, how_long_hint,
        endpoint, model, provider, transfer_mechanism, hour, hours_4, day, days_3, week,
    }
    functions {
        /// The button that lifts the switch on this.
        lift_now: fn(&str) -> String,
    }
}

impl SwitchPages {
    /// What is stopped.
    pub(crate) fn kind<'a>(&'a self, name: &'a str) -> &'a str {
        match name {
            "endpoint" => self.endpoint,
            "model" => self.model,
            "provider" => self.provider,
            "transfer_mechanism" => self.transfer_mechanism,
            other => other,
        }
    }

    /// For how long.
    pub(crate) fn hours<'a>(&'a self, hours: &'a str) -> &'a str {
        match hours {
            "1" => self.hour,
            "4" => self.hours_4,
            "24" => self.day,
            "72" => self.days_3,
            "168" => self.week,
            other => other,
        }
    }
}

pub(crate) const EN: EndpointPages = EndpointPages {
    title: "Endpoints",
    lead: "Each place that serves a model, against each regulation. Nobody's word counts without evidence: what is unknown counts as no.",
    kill_switches: "Kill switches",
    unusable: "Declared, and not in use",
    empty_title: "No endpoints yet",
    empty_lead: "Declare the first one with its region and credential; its facts come from the compliance database.",
    for_scope: "For requests of",
    resting: "resting after failures",
    endpoint: "Endpoint and model",
    operator: "Operator",
    service: "Service",
    region: "Region",
    processes_in: "Processes in",
    upstream: "Provider's model",
    stop_it: "Stop it",
    model: "Model",
    regulations: "Regulations",
    regulations_lead: "For plain requests, with what this organisation has attested for the scope.",
    facts: "Facts",
    facts_lead: "Every attribute that rules can ask about, with the pages that say so.",
    unknown: "unknown",
    missing: "Would be known or better with:",
    conflict: "These contradict each other; the stricter one counts:",
    valid_until: "May change on",
    observed: "read on",
    replaces: "In place of",
    database: |version| format!("Compliance database {version}."),
    days_old: |days| format!("{days} days ago"),
};

pub(crate) const DE: EndpointPages = EndpointPages {
    title: "Endpunkte",
    lead: "Jeder Ort, der ein Modell bereitstellt, gegen jede Vorschrift. Nichts gilt ohne Beleg: was unbekannt ist, zählt als nein.",
    kill_switches: "Notaus",
    unusable: "Angemeldet und nicht in Gebrauch",
    empty_title: "Noch keine Endpunkte",
    empty_lead: "Melden Sie den ersten mit Region und Zugangsdaten an; die Tatsachen kommen aus der Compliance-Datenbank.",
    for_scope: "Für Anfragen von",
    resting: "ruht nach Fehlern",
    endpoint: "Endpunkt und Modell",
    operator: "Betreiber",
    service: "Dienst",
    region: "Region",
    processes_in: "Verarbeitet in",
    upstream: "Modell des Anbieters",
    stop_it: "Anhalten",
    model: "Modell",
    regulations: "Vorschriften",
    regulations_lead: "Für einfache Anfragen, mit dem, was diese Organisation für den Bereich nachgewiesen hat.",
    facts: "Tatsachen",
    facts_lead: "Jede Eigenschaft, nach der Regeln fragen können, mit den Seiten, die sie belegen.",
    unknown: "unbekannt",
    missing: "Wäre bekannt oder besser mit:",
    conflict: "Diese widersprechen sich; die strengere zählt:",
    valid_until: "Kann sich ändern am",
    observed: "gelesen am",
    replaces: "Anstelle von",
    database: |version| format!("Compliance-Datenbank {version}."),
    days_old: |days| format!("vor {days} Tagen"),
};

pub(crate) const SWITCH_EN: SwitchPages = SwitchPages {
    title: "Kill switches",
    lead: "Stops an endpoint, a model, a provider or a ground for transfers, on every server within a second. It can only take away, and it ends by itself.",
    empty_title: "Nothing is stopped",
    empty_lead: "A switch that is thrown is here, with who did so and why, until somebody lifts it.",
    before: "Lifted before",
    in_force: "In force",
    lifted: "Lifted",
    expired: "Expired",
    lifted_by: "Lifted by",
    asks_again: "It has expired and stops nothing any more. Lift it, or throw another.",
    scope: "Scope",
    thrown_by: "Thrown by",
    thrown: "Thrown",
    expires: "Expires",
    lift: "Lift",
    lift_hint: "The audit log keeps it. Requests may go there again when this page answers.",
    reason: "Reason",
    reason_hint: "Whoever is refused and whoever lifts it reads this.",
    throw: "Throw a switch",
    throw_lead: "In force when this page answers. A request that is under way is asked about again before its next attempt.",
    throw_now: "Stop it now",
    what: "What",
    target: "Which",
    target_hint: "Its name; azure-* for all whose names begin so. Of transfers: adequacy, dpf, scc or bcr.",
    scope_hint: "It holds for requests of this scope and those below.",
    how_long: "For",
    how_long_hint: "What has to hold for longer is a rule of the policy.",
    endpoint: "Endpoint",
    model: "Model",
    provider: "Provider",
    transfer_mechanism: "Ground for transfers",
    hour: "one hour",
    hours_4: "4 hours",
    day: "one day",
    days_3: "3 days",
    week: "one week",
    lift_now: |target| format!("Lift the switch on {target}"),
};

pub(crate) const SWITCH_DE: SwitchPages = SwitchPages {
    title: "Notaus",
    lead: "Hält einen Endpunkt, ein Modell, einen Anbieter oder eine Grundlage für Übermittlungen an, binnen einer Sekunde auf jedem Server. Es kann nur wegnehmen, und es endet von selbst.",
    empty_title: "Nichts ist angehalten",
    empty_lead: "Was angehalten wird, steht hier, mit wer und warum, bis es jemand wieder freigibt.",
    before: "Früher aufgehoben",
    in_force: "In Kraft",
    lifted: "Aufgehoben",
    expired: "Abgelaufen",
    lifted_by: "Aufgehoben von",
    asks_again: "Es ist abgelaufen und hält nichts mehr an. Heben Sie es auf oder lösen Sie ein neues aus.",
    scope: "Bereich",
    thrown_by: "Ausgelöst von",
    thrown: "Ausgelöst",
    expires: "Läuft ab",
    lift: "Aufheben",
    lift_hint: "Das Prüfprotokoll bewahrt ihn auf. Anfragen dürfen wieder dorthin, sobald diese Seite antwortet.",
    reason: "Grund",
    reason_hint: "Wer abgelehnt wird und wer es aufhebt, liest ihn.",
    throw: "Anhalten",
    throw_lead: "Gilt, sobald diese Seite antwortet. Bei einer laufenden Anfrage wird vor dem nächsten Versuch noch einmal gefragt.",
    throw_now: "Jetzt anhalten",
    what: "Was",
    target: "Welches",
    target_hint: "Der Name; azure-* für alle, die so beginnen. Bei Übermittlungen: adequacy, dpf, scc oder bcr.",
    scope_hint: "Es gilt für Anfragen dieses Bereichs und der darunter.",
    how_long: "Für",
    how_long_hint: "Was länger gelten muss, ist eine Regel des Regelwerks.",
    endpoint: "Endpunkt",
    model: "Modell",
    provider: "Anbieter",
    transfer_mechanism: "Übermittlungsgrundlage",
    hour: "eine Stunde",
    hours_4: "4 Stunden",
    day: "einen Tag",
    days_3: "3 Tage",
    week: "eine Woche",
    lift_now: |target| format!("Notaus für {target} aufheben"),
};
