//! The most that a key's requests may hold.

use bailiwick_pii::{ClassSet, DataClass};

use super::classify::Classified;
use super::refusal::{Code, Refusal};

/// Why a request holds more than its key may send, if it does. What nobody knows of it it may hold.
pub(super) fn refusal(classified: &Classified, decision: &str) -> Option<Refusal> {
    let ceiling = &classified.read.auth.key.ceiling;
    let refused = |message: String, fix: &str| {
        Some(Refusal::new(Code::PolicyDenied, message).decision(decision).fix(fix))
    };
    if let Some(most) = ceiling.max_data_classes {
        let may = if most.is_empty() {
            String::from("this key may send no data of any class")
        } else {
            format!("this key may send no more than {}", words(most))
        };
        let beyond = classified.classes.yes.difference(most);
        if !beyond.is_empty() {
            return refused(
                format!("the request holds {}, and {may}", told(classified, beyond)),
                "use a key that may send it, take it out of the request, or have the key's `max_data_classes` widened",
            );
        }
        let beyond = classified.classes.unknown.difference(most);
        if !beyond.is_empty() {
            return refused(
                format!(
                    "the request has content that cannot be read and may hold {}, and {may}",
                    words(beyond)
                ),
                "leave out images, audio and files, or have `opaque_content: as_declared` declared for the key or its \
                 scope",
            );
        }
    }
    if let Some(most) = ceiling.max_sensitivity
        && classified.sensitivity > most
    {
        return refused(
            format!("the request is {}, and this key may send no more than {most}", classified.sensitivity),
            "use a key that may send it, or have the key's `max_sensitivity` raised",
        );
    }
    None
}

fn words(classes: ClassSet) -> String {
    classes.iter().map(DataClass::as_str).collect::<Vec<_>>().join(", ")
}

/// The classes, each with who says so.
fn told(classified: &Classified, classes: ClassSet) -> String {
    let one = |class: DataClass| {
        let sources: Vec<&str> = classified
            .class_sources
            .iter()
            .filter(|said| said.value == class.as_str())
            .map(|said| said.source)
            .collect();
        format!("{class} ({})", sources.join(", "))
    };
    classes.iter().map(one).collect::<Vec<_>>().join(", ")
}
