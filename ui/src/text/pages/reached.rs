//! What reached an endpoint.

strings! {
    /// What reached an endpoint.
    ReachedPages {
        title, lead, endpoint, provider, choose, from, to, scope, scope_hint, ask, when, decision, where_, attempt, detector, who, data,
        outcome, nothing_title, nothing_lead, older, csv, jsonl, missing_which, missing_time, order, not_asked, more_to_come,
    }
    functions {
        /// An attempt by its number.
        number: fn(u64) -> String,
        /// Records that do not tell any more where they went.
        undisclosed: fn(u64) -> String,
        /// What was looked at.
        looked: fn(&str) -> String,
    }
}

pub(crate) const EN: ReachedPages = ReachedPages {
    title: "What reached an endpoint",
    lead: "The question of an incident: everything that was sent to one endpoint, or to all of a provider, between two instants. It is answered out of the audit log, so it tells of every attempt, answered or not.",
    endpoint: "Endpoint",
    provider: "Provider",
    choose: "Choose one",
    from: "From, UTC",
    to: "To, UTC",
    scope: "Scope",
    scope_hint: "Empty: all that you see",
    ask: "Show",
    when: "Sent",
    decision: "Decision",
    where_: "To",
    attempt: "Attempt",
    detector: "Detector",
    who: "Scope and key",
    data: "Data",
    outcome: "Ended",
    nothing_title: "Nothing reached it",
    nothing_lead: "The log has no attempt there between these instants, in the scopes that you see.",
    older: "Go on",
    csv: "All of it as CSV",
    jsonl: "as JSON Lines",
    missing_which: "Choose an endpoint or a provider, one of them.",
    missing_time: "This is no date and time.",
    order: "The end has to be after the beginning.",
    not_asked: "Choose an endpoint or a provider, and between which instants.",
    more_to_come: "Nothing so far. There is more of the log to look through.",
    number: |number| format!("Attempt {number}"),
    undisclosed: |count| {
        if count == 1 {
            "One record on this page does not tell any more where it went: its section was destroyed. It may have been here.".to_owned()
        } else {
            format!(
                "{count} records on this page do not tell any more where they went: their sections were destroyed. They may have been here."
            )
        }
    },
    looked: |endpoints| format!("Looked for: {endpoints}"),
};

pub(crate) const DE: ReachedPages = ReachedPages {
    title: "Was einen Endpunkt erreicht hat",
    lead: "Die Frage nach einem Vorfall: alles, was zwischen zwei Zeitpunkten an einen Endpunkt oder an alle eines Anbieters gesendet wurde. Beantwortet aus dem Prüfprotokoll, also mit jedem Versuch, ob beantwortet oder nicht.",
    endpoint: "Endpunkt",
    provider: "Anbieter",
    choose: "Bitte wählen",
    from: "Von, UTC",
    to: "Bis, UTC",
    scope: "Bereich",
    scope_hint: "Leer: alles, was Sie sehen",
    ask: "Anzeigen",
    when: "Gesendet",
    decision: "Entscheidung",
    where_: "An",
    attempt: "Versuch",
    detector: "Detektor",
    who: "Bereich und Schlüssel",
    data: "Daten",
    outcome: "Ausgang",
    nothing_title: "Nichts hat ihn erreicht",
    nothing_lead: "Das Protokoll hat zwischen diesen Zeitpunkten keinen Versuch dort, in den Bereichen, die Sie sehen.",
    older: "Weiter",
    csv: "Alles als CSV",
    jsonl: "als JSON Lines",
    missing_which: "Wählen Sie einen Endpunkt oder einen Anbieter, eines davon.",
    missing_time: "Das ist kein Datum mit Uhrzeit.",
    order: "Das Ende muss nach dem Anfang liegen.",
    not_asked: "Wählen Sie einen Endpunkt oder einen Anbieter und zwischen welchen Zeitpunkten.",
    more_to_come: "Bis hierher nichts. Es gibt noch mehr vom Protokoll durchzusehen.",
    number: |number| format!("Versuch {number}"),
    undisclosed: |count| {
        if count == 1 {
            "Ein Eintrag auf dieser Seite sagt nicht mehr, wohin es ging: sein Abschnitt wurde vernichtet. Es kann hier gewesen sein.".to_owned()
        } else {
            format!(
                "{count} Einträge auf dieser Seite sagen nicht mehr, wohin es ging: ihre Abschnitte wurden vernichtet. Sie können hier gewesen sein."
            )
        }
    },
    looked: |endpoints| format!("Gesucht wurde: {endpoints}"),
};
