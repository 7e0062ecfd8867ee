//! What every form says.

strings! {
    /// What every form says.
    Forms {
        optional, cancel, see_fields, refused, forbidden, step_up, step_up_link, conflict, own_request, csrf, sent_twice, gone,
        unavailable,
    }
}

pub(crate) const EN: Forms = Forms {
    optional: "optional",
    cancel: "Cancel",
    see_fields: "Nothing was changed: see the marked fields.",
    refused: "Nothing was changed.",
    forbidden: "Nothing was changed: your roles don't allow it.",
    step_up: "Nothing was changed: this needs a recent sign-in. Show once more who you are, then send the form again.",
    step_up_link: "Show who I am",
    conflict: "Nothing was changed: it contradicts what is there now.",
    own_request: "Nothing was changed: nobody decides what they asked for themselves.",
    csrf: "Nothing was changed: the form did not come from this session. Send it again.",
    sent_twice: "This form was sent before. Look at what is there before you send another.",
    gone: "Nothing was changed: what this is about is not there any more.",
    unavailable: "The server could not do it just now. Look at what is there before you try again.",
};

pub(crate) const DE: Forms = Forms {
    optional: "freiwillig",
    cancel: "Abbrechen",
    see_fields: "Nichts wurde geändert: siehe die markierten Felder.",
    refused: "Nichts wurde geändert.",
    forbidden: "Nichts wurde geändert: Ihre Rollen erlauben es nicht.",
    step_up: "Nichts wurde geändert: dafür braucht es eine frische Anmeldung. Weisen Sie sich noch einmal aus und senden Sie das Formular dann erneut.",
    step_up_link: "Ausweisen",
    conflict: "Nichts wurde geändert: es widerspricht dem, was jetzt da ist.",
    own_request: "Nichts wurde geändert: niemand entscheidet über den eigenen Antrag.",
    csrf: "Nichts wurde geändert: das Formular kam nicht aus dieser Sitzung. Senden Sie es noch einmal.",
    sent_twice: "Dieses Formular wurde schon gesendet. Sehen Sie nach, was da ist, bevor Sie ein weiteres senden.",
    gone: "Nichts wurde geändert: worum es geht, ist nicht mehr da.",
    unavailable: "Der Server konnte es gerade nicht tun. Sehen Sie nach, was da ist, bevor Sie es noch einmal versuchen.",
};
