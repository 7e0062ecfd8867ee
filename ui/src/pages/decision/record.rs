//! The decision's records in the audit log, the checkpoint that covers them, and the proof.

use leptos::prelude::*;

use crate::format;
use crate::islands::verify::{Expected, VerifyReceipt};
use crate::pages::{copy_button, digest, snippet};
use crate::parts::shell::Frame;
use crate::parts::{icons, moment};
use crate::text::Lang;
use crate::view::{CheckpointView, DecisionView, RecordView, SectionView};

/// The section.
pub(super) fn section(view: &DecisionView, frame: &Frame) -> impl IntoView + use<> {
    let lang = frame.lang();
    let t = &lang.text().decision;
    let checkpoint = view.checkpoint.as_ref().map_or_else(
        || view! { <p class="notice">{t.no_checkpoint}</p> }.into_any(),
        |head| checkpoint(head, view.verifier_key.as_deref(), lang).into_any(),
    );
    view! {
        <section class="panel panel-record" id="record">
            <h2>{t.record}</h2>
            <p class="hint">{t.record_lead}</p>
            <div class="record-grid">
                <div class="proof">
                    <ol class="records">{view.records.iter().map(|each| record(each, lang)).collect_view()}</ol>
                    {verification(view, frame)}
                </div>
                <div class="proof">{checkpoint} {receipt(view, lang)}</div>
            </div>
        </section>
    }
}

fn record(record: &RecordView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let place = record.leaf_index.map_or_else(
        || view! { <span class="quiet">{t.not_integrated}</span> }.into_any(),
        |index| view! { <span class="leaf">{t.leaf} " " {format::integer(index, lang)}</span> }.into_any(),
    );
    view! {
        <li class="record">
            <div class="record-head">
                <h3>{record.kind.clone()}</h3>
                {place}
                <span class="quiet">{moment(record.time_ms, lang)}</span>
            </div>
            <p class="labelled">
                <span class="label">{t.leaf_hash}</span>
                {digest(&record.leaf_hash, lang)}
            </p>
            {(!record.sections.is_empty())
                .then(|| {
                    view! {
                        <details class="more">
                            <summary>{t.sections} " (" {record.sections.len()} ")"</summary>
                            <ul class="sections">
                                {record.sections.iter().map(|each| commitment(each, lang)).collect_view()}
                            </ul>
                        </details>
                    }
                })}
        </li>
    }
}

fn commitment(section: &SectionView, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    let (class, word) =
        if section.disclosed { ("chip chip-shown", t.disclosed) } else { ("chip", t.withheld) };
    view! {
        <li>
            <span>{section.name.clone()}</span>
            <span class=class>{word}</span>
            {digest(&section.commitment, lang)}
        </li>
    }
}

fn checkpoint(head: &CheckpointView, key: Option<&str>, lang: Lang) -> impl IntoView + use<> {
    let t = &lang.text().decision;
    view! {
        <div class="checkpoint">
            <h3>{t.checkpoint}</h3>
            <dl class="pairs">
                <div>
                    <dt>{t.origin}</dt>
                    <dd>
                        <code>{head.origin.clone()}</code>
                    </dd>
                </div>
                <div>
                    <dt>{t.tree_size}</dt>
                    <dd>{format::integer(head.size, lang)}</dd>
                </div>
                <div>
                    <dt>{t.root}</dt>
                    <dd>{digest(&head.root, lang)}</dd>
                </div>
                <div>
                    <dt>{t.signed}</dt>
                    <dd>{moment(head.time_ms, lang)}</dd>
                </div>
                {key
                    .map(|key| {
                        view! {
                            <div>
                                <dt>{t.verifier_key}</dt>
                                <dd>
                                    <span class="digest">
                                        <code>{key.to_owned()}</code>
                                        {copy_button(key, lang)}
                                    </span>
                                </dd>
                            </div>
                        }
                    })}
            </dl>
        </div>
    }
}

fn receipt(view: &DecisionView, lang: Lang) -> Option<impl IntoView + use<>> {
    let t = &lang.text().decision;
    let href = view.receipt_url.clone()?;
    let file = format!("receipt-{}.json", crate::parts::slug(&view.row.id));
    let command = format!("bailiwick audit verify {file}");
    Some(view! {
        <div class="receipt">
            <p>
                <a class="button" href=href download=file>
                    {icons::download()}
                    {t.receipt}
                </a>
            </p>
            <p class="hint">{t.receipt_hint}</p>
            {snippet(command, lang)}
        </div>
    })
}

fn verification(view: &DecisionView, frame: &Frame) -> Option<impl IntoView + use<>> {
    let url = view.receipt_url.clone()?;
    frame.assets.script.as_ref()?;
    let expected = Expected {
        leaf_hashes: view.records.iter().map(|record| record.leaf_hash.clone()).collect(),
        verifier_key: view.verifier_key.clone(),
    };
    let lang = frame.lang();
    Some(view! { <VerifyReceipt url=url expected=expected lang=lang /> })
}
