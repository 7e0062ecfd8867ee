//! A whole answer.

use super::{NO_REASON, OF_CALL, OF_TEXT, SIGNED, is_blocked, read_logprobs, read_stop, read_usage};
use crate::form::{Answer, Call, Content, Input, Part, Stop};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, Own, Table, own_of_answer, unless_empty};

/// What a response has besides, and what of it another wire misses.
pub(super) const TOP: Table = &[
    ("modelStatus", nothing),
    ("serviceTier", nothing),
    ("createTime", nothing),
    // Why the prompt was refused, and what the filters thought of it otherwise.
    ("promptFeedback", |value| if is_blocked(value) { Fate::Warn } else { Fate::Nothing }),
];

/// The same of a candidate.
pub(super) const CANDIDATE: Table = &[
    ("index", nothing),
    ("tokenCount", nothing),
    ("avgLogprobs", nothing),
    ("safetyRatings", nothing),
    ("finishMessage", |_| Fate::Warn),
    ("citationMetadata", unless_bare),
    ("groundingMetadata", unless_bare),
    ("urlContextMetadata", unless_bare),
    ("groundingAttributions", unless_empty),
    ("continuationToken", |_| Fate::Warn),
];

/// The same of a part.
const PART: Table =
    &[("partMetadata", |_| Fate::Warn), ("audioTranscription", |_| Fate::Warn), ("mediaResolution", nothing)];

const CALL: Table = &[
    // Vertex says arguments in pieces where it is asked to. Nothing that is translated asks.
    ("partialArgs", |_| Fate::Refuse("a call in pieces")),
    ("willContinue", |value| match value {
        Json::Bool(false) => Fate::Nothing,
        _ => Fate::Refuse("a call in pieces"),
    }),
];

const fn nothing(_: &Json) -> Fate {
    Fate::Nothing
}

fn unless_bare(value: &Json) -> Fate {
    match value {
        Json::Object(members) if members.is_empty() => Fate::Nothing,
        _ => Fate::Warn,
    }
}

/// Reads an answer with one candidate, or with none because the prompt was refused.
///
/// # Errors
/// [`Broken`]. One without a reason for its end is not whole.
pub fn read_answer(body: Json) -> Result<Answer, Broken> {
    let mut body = Members::of(body, "body")?;
    if body.take("error").is_some() {
        return Err(Broken::Error);
    }
    let mut answer = Answer {
        id: body.text("responseId")?.unwrap_or_default(),
        model: body.text("modelVersion")?.unwrap_or_default(),
        ..Answer::default()
    };
    answer.usage = body.take("usageMetadata").and_then(read_usage);
    let mut candidates = body.list("candidates")?;
    let rest = body.rest();
    match (candidates.pop(), candidates.pop()) {
        (Some(candidate), None) => read_candidate(candidate, &mut answer)?,
        (None, _) if rest.iter().any(|(name, value)| name == "promptFeedback" && is_blocked(value)) => {
            answer.stop = Some(Stop::Refusal);
        }
        _ => return Err(Broken::Shape("candidates")),
    }
    own_of_answer(rest, TOP, &mut answer.own)?;
    Ok(answer)
}

fn read_candidate(candidate: Json, answer: &mut Answer) -> Result<(), Broken> {
    let mut candidate = Members::of(candidate, "candidates")?;
    let reason = candidate.text("finishReason")?.filter(|reason| reason != NO_REASON);
    let reason = reason.ok_or(Broken::Shape("finishReason"))?;
    for part in content(&mut candidate)? {
        read_part(part, &mut answer.parts, &mut answer.own)?;
    }
    if let Some(told) = candidate.take("logprobsResult") {
        match read_logprobs(&told) {
            Some(tokens) => answer.logprobs = tokens,
            None => answer.own.push(untold_logprobs(told)),
        }
    }
    let calls = answer.parts.iter().any(|part| matches!(part.content, Content::Call(_)));
    answer.stop = Some(read_stop(&reason, calls)?);
    own_of_answer(candidate.rest(), CANDIDATE, &mut answer.own)
}

/// Probabilities in another shape than the API's.
pub(super) fn untold_logprobs(value: Json) -> Own {
    Own { known: Some("logprobs"), name: String::from("logprobsResult"), value, fate: Fate::Warn }
}

/// The parts of what a candidate says; none where it was ended before it said anything.
pub(super) fn content(candidate: &mut Members) -> Result<Vec<Json>, Broken> {
    let Some(mut content) = candidate.members("content")? else { return Ok(Vec::new()) };
    match content.text("role")?.as_deref() {
        None | Some("model") => content.list("parts"),
        Some(_) => Err(Broken::Shape("role")),
    }
}

/// Reads a part: what it says, with its signature as a part of its own before a call and after a text. The id of a call that
/// has none is empty.
pub(super) fn read_part(part: Json, parts: &mut Vec<Part>, own: &mut Vec<Own>) -> Result<(), Broken> {
    let mut part = Members::of(part, "parts")?;
    let signature = part.text("thoughtSignature")?.filter(|signature| !signature.is_empty());
    let is_thought = part.flag("thought")?.unwrap_or(false);
    let (text, call) = (part.text("text")?, part.members("functionCall")?);
    let seal = |word: &str| signature.as_deref().map(|signature| format!("{word}{signature}"));
    match (text, call) {
        (text, None) if is_thought => {
            let (text, signature) = (text.unwrap_or_default(), seal(SIGNED));
            if !text.is_empty() || signature.is_some() {
                parts.push(Part::new(Content::Thinking { text, signature }));
            }
        }
        (None, Some(call)) => {
            parts.extend(seal(OF_CALL).map(|seal| Part::new(Content::Encrypted(seal))));
            parts.push(Part::new(Content::Call(read_call(call, own)?)));
        }
        (Some(text), None) => {
            if !text.is_empty() {
                parts.push(Part::new(Content::Text(text)));
            }
            parts.extend(seal(OF_TEXT).map(|seal| Part::new(Content::Encrypted(seal))));
        }
        // Some models send a signature on a part without anything else.
        (None, None) if part.is_spent() => {
            parts.extend(seal(OF_TEXT).map(|seal| Part::new(Content::Encrypted(seal))));
        }
        _ => return Err(Broken::Content("a part of an answer")),
    }
    own_of_answer(part.rest(), PART, own)
}

fn read_call(mut call: Members, own: &mut Vec<Own>) -> Result<Call, Broken> {
    let name = call.text("name")?.filter(|name| !name.is_empty()).ok_or(Broken::Shape("name"))?;
    let input = match call.take("args") {
        None => Json::Object(Vec::new()),
        Some(args @ Json::Object(_)) => args,
        Some(_) => return Err(Broken::Shape("args")),
    };
    let id = call.text("id")?.unwrap_or_default();
    own_of_answer(call.rest(), CALL, own)?;
    Ok(Call { id, name, input: Input::Json(input) })
}
