//! A key that was just made: its secret, once, with what to do with it.

use leptos::prelude::*;

use crate::api::escaped;
use crate::pages::snippet;
use crate::parts::shell::Frame;
use crate::text::Lang;

/// A new key and what is needed to use it.
pub(crate) struct Made {
    pub(crate) id: String,
    /// The whole key. It is on this page and nowhere else.
    pub(crate) secret: String,
    pub(crate) name: String,
    pub(crate) scope: String,
    /// A model that it may ask for.
    pub(crate) model: String,
    /// The server's address.
    pub(crate) base_url: String,
    /// What to say above: that it is made, took another's place, or waits for approval.
    pub(crate) lead: Lead,
}

/// How the key came about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lead {
    Created,
    Rotated,
    Asked,
}

/// The page's content.
pub(crate) fn page(frame: &Frame, made: &Made) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().key_pages;
    let (title, lead, back) = match made.lead {
        Lead::Created => (t.made_title, t.made_lead, format!("/keys/{}", escaped(&made.id))),
        Lead::Rotated => (t.rotated_title, t.rotated_lead, format!("/keys/{}", escaped(&made.id))),
        Lead::Asked => (t.asked_title, t.asked_lead, "/requests".to_owned()),
    };
    view! {
        <section class="made">
            <h1>{title}</h1>
            <p class="lead">
                <b>{made.name.clone()}</b>
                " "
                <span class="path">{made.scope.clone()}</span>
            </p>
            <p class="notice">{t.once}</p>
            {snippet(made.secret.clone(), lang)}
            <p>{lead}</p>
            <h2>{t.use_it}</h2>
            <p class="hint">{t.use_it_hint}</p>
            {snippet(format!("export BAILIWICK_KEY={}", made.secret), lang)}
            {ways(made, lang)}
            <p>
                <a class="button" href=back>
                    {t.done}
                </a>
            </p>
        </section>
    }
}

/// The first request in three languages; one is open at a time.
fn ways(made: &Made, lang: Lang) -> impl IntoView + use<> {
    let (base, model) = (&made.base_url, &made.model);
    let quoted = serde_json::Value::from(model.as_str()).to_string();
    let python = format!(
        "import os\nfrom openai import OpenAI\n\nclient = OpenAI(\n    base_url=\"{base}/v1\",\n    api_key=os.environ[\"BAILIWICK_KEY\"],\n)\n\
         answer = client.chat.completions.create(\n    model={quoted},\n    messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n)\n\
         print(answer.choices[0].message.content)"
    );
    let typescript = format!(
        "import OpenAI from \"openai\";\n\nconst client = new OpenAI({{\n  baseURL: \"{base}/v1\",\n  apiKey: process.env.BAILIWICK_KEY,\n}});\n\
         const answer = await client.chat.completions.create({{\n  model: {quoted},\n  messages: [{{ role: \"user\", content: \"Hello\" }}],\n}});\n\
         console.log(answer.choices[0].message.content);"
    );
    let curl = crate::pages::curl(base, model);
    [("Python", python), ("TypeScript", typescript), ("curl", curl)]
        .into_iter()
        .enumerate()
        .map(|(at, (name, text))| {
            view! {
                <details class="way" name="ways" open=at == 0>
                    <summary>{name}</summary>
                    {snippet(text, lang)}
                </details>
            }
        })
        .collect_view()
}
