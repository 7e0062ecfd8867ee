//! Form to wire to form keeps.

use bailiwick_wire::form::{
    Answer, Call, Content, Format, Input, Part, Piece, Request, Role, Source, Stop, System, Thinking, Tool,
    ToolChoice, Turn, Usage,
};
use bailiwick_wire::{Json, Losses, Place, Wire, anthropic, gemini, openai_chat};
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Zäß\"\\\\\n€ ]{1,12}"
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,7}"
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(|number| Json::Number(number.to_string())),
        text().prop_map(Json::Text),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..3).prop_map(Json::Array), object(inner)]
    })
}

fn object(inner: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    prop::collection::btree_map(word(), inner, 0..3)
        .prop_map(|members| Json::Object(members.into_iter().rev().collect()))
}

/// What both wires can say of an image.
fn image() -> impl Strategy<Value = Content> {
    prop_oneof![
        Just(Source::Base64 { media_type: String::from("image/png"), data: String::from("iVBORw==") }),
        word().prop_map(|name| Source::Url(format!("https://example.org/{name}"))),
    ]
    .prop_map(|source| Content::Image { source, detail: None })
}

fn said() -> impl Strategy<Value = Part> {
    prop_oneof![text().prop_map(Content::Text), image()].prop_map(Part::new)
}

/// A turn of a person, one of the model, and answers of tools for its calls.
fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let user = prop::collection::vec(said(), 1..3);
    let model = (option::of(text()), prop::collection::vec((word(), object(json())), 0..3));
    prop::collection::vec((user, model, text()), 1..4).prop_map(|rounds| {
        let mut turns = Vec::new();
        let mut results: Vec<Part> = Vec::new();
        for (round, (said, (answer, calls), result)) in rounds.into_iter().enumerate() {
            let mut parts = std::mem::take(&mut results);
            parts.extend(said);
            turns.push(Turn { role: Role::User, parts, at: Place::REQUEST, own: Vec::new() });
            let mut parts: Vec<Part> =
                answer.map(|text| Part::new(Content::Text(text))).into_iter().collect();
            for (at, (name, input)) in calls.into_iter().enumerate() {
                let id = format!("call_{round}_{at}");
                let call = Call { id: id.clone(), name, input: Input::Json(input) };
                parts.push(Part::new(Content::Call(call)));
                let answered = vec![Part::new(Content::Text(result.clone()))];
                results.push(Part::new(Content::Result { id, parts: answered, failed: None }));
            }
            if parts.is_empty() {
                parts.push(Part::new(Content::Text(String::from("…"))));
            }
            turns.push(Turn { role: Role::Assistant, parts, at: Place::REQUEST, own: Vec::new() });
        }
        results.push(Part::new(Content::Text(String::from("And now?"))));
        turns.push(Turn { role: Role::User, parts: results, at: Place::REQUEST, own: Vec::new() });
        turns
    })
}

fn tool() -> impl Strategy<Value = Tool> {
    (word(), option::of(text()), object(json()), option::of(any::<bool>())).prop_map(
        |(name, description, schema, strict)| Tool {
            name,
            description,
            schema: Some(schema),
            strict,
            cache: None,
            own: Vec::new(),
        },
    )
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![Just("0"), Just("0.5"), Just("0.50"), Just("1"), Just("1.0")].prop_map(str::to_owned)
}

prop_compose! {
    /// A request that both wires can carry.
    fn request()(
        model in word(),
        system in prop::collection::vec(text(), 0..3),
        turns in turns(),
        tools in prop::collection::vec(tool(), 0..3),
        choice in option::of(prop_oneof![
            Just(ToolChoice::Auto), Just(ToolChoice::Any), word().prop_map(ToolChoice::Named)
        ]),
        parallel in option::of(any::<bool>()),
        max_tokens in 1_u64..100_000,
        temperature in option::of(number()),
        top_p in option::of(number()),
        stop in prop::collection::vec(text(), 0..3),
        stream in any::<bool>(),
        schema in option::of(object(json())),
        effort in option::of(prop_oneof![Just("low"), Just("medium"), Just("high")]),
        user in option::of(word()),
    ) -> Request {
        Request {
            model,
            system: system
                .into_iter()
                .map(|text| System { text, developer: false, cache: None, at: Place::REQUEST, own: Vec::new() })
                .collect(),
            turns,
            tools,
            parallel_tools: parallel.filter(|_| choice.is_some()),
            tool_choice: choice,
            max_tokens: Some(max_tokens),
            temperature,
            top_p,
            stop,
            stream,
            stream_usage: stream,
            format: schema.map(|schema| Format::JsonSchema { name: None, description: None, schema, strict: None }),
            effort: effort.map(str::to_owned),
            user,
            ..Request::default()
        }
    }
}

/// What only Anthropic's wire can say besides.
fn anthropics() -> impl Strategy<Value = Request> {
    let cache = || option::of(Just(Json::object([("type", "ephemeral".into())])));
    (request(), cache(), cache(), text(), option::of(any::<bool>()), option::of(1_024_u64..9_999)).prop_map(
        |(mut request, one, other, thought, failed, budget)| {
            request.top_k = Some(String::from("5"));
            request.thinking = budget.map(Thinking::Budget);
            for system in &mut request.system {
                system.cache = one.clone();
            }
            for turn in &mut request.turns {
                if turn.role == Role::Assistant {
                    let signature = Some(String::from("EqQBCg=="));
                    turn.parts.insert(0, Part::new(Content::Thinking { text: thought.clone(), signature }));
                    turn.parts.insert(1, Part::new(Content::Encrypted(String::from("EmwK"))));
                }
                for part in &mut turn.parts {
                    if let Content::Result { failed: is, .. } = &mut part.content {
                        *is = failed;
                    }
                    if matches!(part.content, Content::Text(_)) {
                        part.cache = other.clone();
                    }
                }
            }
            request
        },
    )
}

/// Without what a wire fills in by itself.
fn plain(mut request: Request) -> Request {
    if let Some(Format::JsonSchema { name, strict, .. }) = &mut request.format {
        (*name, *strict) = (None, None);
    }
    request
}

fn through(wire: Wire, request: Request) -> Request {
    let mut losses = Losses::default();
    let written = match wire {
        Wire::OpenAiChat => openai_chat::write_request(request, &mut losses),
        Wire::Anthropic => anthropic::write_request(request, 4_096, &mut losses),
    };
    assert!(losses.is_empty(), "{losses:?}");
    let json = Json::parse(written.unwrap().write().as_bytes()).unwrap();
    plain(match wire {
        Wire::OpenAiChat => openai_chat::read_request(json).unwrap(),
        Wire::Anthropic => anthropic::read_request(json).unwrap(),
    })
}

fn answered() -> impl Strategy<Value = Answer> {
    let calls = prop::collection::vec((word(), object(json())), 0..3);
    let counts = (0_u64..1_000, 0_u64..1_000, 0_u64..1_000, 0_u64..1_000);
    (option::of(text()), calls, counts, prop_oneof![Just(Stop::End), Just(Stop::Length), Just(Stop::Tools)])
        .prop_map(|(said, calls, (plain, cached, written, output), stop)| {
            let mut parts: Vec<Part> = said.map(|text| Part::new(Content::Text(text))).into_iter().collect();
            parts.extend(calls.into_iter().enumerate().map(|(at, (name, input))| {
                Part::new(Content::Call(Call { id: format!("c{at}"), name, input: Input::Json(input) }))
            }));
            let calls = parts.iter().any(|part| matches!(part.content, Content::Call(_)));
            let stop = if calls && stop == Stop::End { Stop::Tools } else { stop };
            let usage = Usage { input: plain + cached + written, cached, written, output, reasoning: 0 };
            let (id, model) = ("a".into(), "m".into());
            Answer { id, model, parts, stop: Some(stop), usage: Some(usage), ..Answer::default() }
        })
}

/// The pieces that say an answer, cut as a provider might.
fn pieces(answer: &Answer, size: usize) -> Vec<Piece> {
    let mut out = vec![Piece::Start { id: answer.id.clone(), model: answer.model.clone() }];
    let mut number = 0;
    let cut = |text: &str| -> Vec<String> {
        text.chars().collect::<Vec<_>>().chunks(size).map(|piece| piece.iter().collect()).collect()
    };
    for part in &answer.parts {
        match &part.content {
            Content::Text(text) => out.extend(cut(text).into_iter().map(Piece::Text)),
            Content::Call(call) => {
                out.push(Piece::Call { number, id: call.id.clone(), name: call.name.clone() });
                let pieces = cut(&call.input.write());
                out.extend(pieces.into_iter().map(|text| Piece::Input { number, text }));
                number += 1;
            }
            _ => {}
        }
    }
    out.extend(answer.stop.clone().map(Piece::Stop));
    out.extend(answer.usage.map(Piece::Usage));
    out.push(Piece::End);
    out
}

/// Usage and the reason may come in either order.
fn sorted(pieces: Vec<Piece>) -> (Vec<Piece>, Option<Usage>, Option<Stop>) {
    let (mut usage, mut stop, mut rest) = (None::<Usage>, None, Vec::new());
    for piece in pieces {
        match piece {
            Piece::Usage(more) => usage = Some(usage.unwrap_or_default().and(more)),
            Piece::Stop(reason) => stop = Some(reason),
            piece => rest.push(piece),
        }
    }
    (rest, usage, stop)
}

/// Without what Gemini's API has no place for: tokens that were written into a cache, and an end for calls where there is none.
fn of_gemini(mut answer: Answer) -> Answer {
    let calls = answer.parts.iter().any(|part| matches!(part.content, Content::Call(_)));
    if answer.stop == Some(Stop::Tools) && !calls {
        answer.stop = Some(Stop::End);
    }
    if let Some(usage) = &mut answer.usage {
        usage.written = 0;
    }
    answer
}

/// A call: its id, its name and its input.
type Called = (String, String, String);

/// Why an answer ended, what it used, and whether it is over.
type Ended = (Option<Stop>, Option<Usage>, bool);

/// What pieces add up to: the text, the calls and the end.
fn added_up(pieces: Vec<Piece>) -> (String, Vec<Called>, Ended) {
    let (rest, usage, stop) = sorted(pieces);
    let (mut text, mut calls, mut over) = (String::new(), Vec::new(), false);
    for piece in rest {
        match piece {
            Piece::Text(more) => text.push_str(&more),
            Piece::Call { id, name, .. } => calls.push((id, name, String::new())),
            Piece::Input { text: more, .. } => calls.last_mut().unwrap().2.push_str(&more),
            Piece::End => over = true,
            _ => {}
        }
    }
    (text, calls, (stop, usage, over))
}

proptest! {
    #[test]
    fn an_answer_survives_gemini(answer in answered(), size in 1_usize..6) {
        let answer = of_gemini(answer);
        let written = gemini::write_answer(answer.clone(), &mut Losses::default()).write();
        let read = gemini::read_answer(Json::parse(written.as_bytes()).unwrap()).unwrap();
        prop_assert_eq!(&read, &answer);
        let pieces = pieces(&answer, size);
        let (mut data, mut read) = (Vec::new(), Vec::new());
        let mut writer = gemini::Writer::default();
        let mut reader = gemini::Reader::default();
        for piece in pieces.clone() {
            writer.piece(piece, &mut data).unwrap();
        }
        for event in data {
            reader.event(event.as_bytes(), &mut read).unwrap();
        }
        prop_assert_eq!(added_up(read), added_up(pieces));
    }

    #[test]
    fn a_request_survives_both_wires(request in request()) {
        for wire in Wire::ALL {
            prop_assert_eq!(through(wire, request.clone()), request.clone());
        }
    }

    #[test]
    fn what_only_one_wire_has_survives_that_wire(request in anthropics()) {
        prop_assert_eq!(through(Wire::Anthropic, request.clone()), request);
    }

    #[test]
    fn an_answer_survives_both_wires(answer in answered()) {
        let chat = openai_chat::write_answer(answer.clone(), 0, &mut Losses::default()).write();
        let read = openai_chat::read_answer(Json::parse(chat.as_bytes()).unwrap()).unwrap();
        prop_assert_eq!(&read, &answer);
        let messages = anthropic::write_answer(answer.clone(), &mut Losses::default()).write();
        prop_assert_eq!(anthropic::read_answer(Json::parse(messages.as_bytes()).unwrap()).unwrap(), answer);
    }

    #[test]
    fn a_stream_survives_both_wires(answer in answered(), size in 1_usize..6) {
        let pieces = pieces(&answer, size);
        let (mut data, mut read) = (Vec::new(), Vec::new());
        let mut writer = openai_chat::Writer::new(0, true);
        let mut reader = openai_chat::Reader::default();
        for piece in pieces.clone() {
            writer.piece(piece, &mut data).unwrap();
        }
        for event in data.drain(..) {
            reader.event(event.as_bytes(), &mut read).unwrap();
        }
        prop_assert_eq!(sorted(read), sorted(pieces.clone()));
        let mut read = Vec::new();
        let mut writer = anthropic::Writer::default();
        let mut reader = anthropic::Reader::default();
        for piece in pieces.clone() {
            writer.piece(piece, &mut data).unwrap();
        }
        for event in data {
            reader.event(event.as_bytes(), &mut read).unwrap();
        }
        prop_assert_eq!(sorted(read), sorted(pieces));
    }
}
