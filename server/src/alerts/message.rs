//! What a message says: as text, as HTML, and as JSON for programs and chats.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::event::instant;
use super::kind::{Kind, Severity, rows, told};
use crate::store::alerts::Alert;

/// Alerts of one message that are told in full; the rest is counted.
const MOST: usize = 50;
/// Alerts that a chat shows: Slack takes 50 blocks.
const MOST_IN_CHAT: usize = 20;
/// Characters that a section of Slack takes, with room for what is escaped.
const LONGEST_SECTION: usize = 2_400;

/// Bytes of a card: Teams takes a message of 28 KB (Microsoft, "Create an Incoming Webhook").
const MOST_IN_CARD: usize = 26 * 1024;
/// Bytes of one alert's facts in it.
const MOST_IN_FACTS: usize = 6 * 1024;

/// An alert as it is told.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: String,
    /// How much it matters.
    pub severity: String,
    /// Where.
    pub scope: String,
    /// It in one line.
    pub title: String,
    /// What it means and what to do.
    pub meaning: &'static str,
    /// What is known of it.
    pub facts: Value,
    /// When it was raised.
    pub raised_ms: i64,
    /// When it happened last.
    pub last_ms: i64,
    /// How often it happened again.
    pub repeats: i64,
}

impl From<&Alert> for Told {
    fn from(row: &Alert) -> Self {
        let kind = row.kind.parse::<Kind>();
        let (title, meaning) = match kind {
            Ok(kind) => (kind.title(&row.facts), kind.meaning()),
            // Raised by a later version.
            Err(_) => (told(&Value::String(row.kind.replace('_', " "))), ""),
        };
        Self {
            id: row.id.clone(),
            kind: row.kind.clone(),
            severity: row.severity.clone(),
            scope: row.scope.clone(),
            title,
            meaning,
            facts: row.facts.clone(),
            raised_ms: row.raised_ms,
            last_ms: row.last_ms,
            repeats: row.repeats,
        }
    }
}

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    /// Its id: the same however often it is sent.
    pub(super) id: String,
    /// When it was made.
    pub(super) created_ms: i64,
    /// What it tells of.
    pub(super) alerts: Vec<Told>,
    /// Where people reach the server.
    pub(super) public_url: Option<String>,
}

impl Outgoing {
    fn severity(&self) -> Severity {
        let severities = self.alerts.iter().filter_map(|alert| alert.severity.parse().ok());
        severities.max().unwrap_or(Severity::Info)
    }

    /// It in one line: a subject, a heading.
    pub(super) fn title(&self) -> String {
        let severity = self.severity();
        match self.alerts.as_slice() {
            [one] => format!("[{severity}] {}", one.title),
            many => format!("[{severity}] {} alerts", many.len()),
        }
    }

    fn left_out(&self, shown: usize) -> Option<String> {
        let rest = self.alerts.len().saturating_sub(shown);
        (rest > 0).then(|| format!("And {rest} more: `bailiwick alerts list` shows them."))
    }

    fn how_to_acknowledge(&self) -> String {
        match self.alerts.as_slice() {
            [one] => format!("Say that you know: bailiwick alerts ack {}", one.id),
            _ => String::from("Say that you know: bailiwick alerts ack ID"),
        }
    }

    /// As plain text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for alert in self.alerts.iter().take(MOST) {
            let Told { severity, title, meaning, scope, id, .. } = alert;
            let _ = writeln!(text, "{}: {title}\n{meaning}\n", severity.to_uppercase());
            for (name, value) in rows(&alert.facts) {
                let _ = writeln!(text, "  {name}: {value}");
            }
            let _ = writeln!(text, "  scope: {scope}\n  raised: {}", instant(alert.raised_ms));
            if alert.repeats > 0 {
                let _ = writeln!(
                    text,
                    "  happened again: {} times, last {}",
                    alert.repeats,
                    instant(alert.last_ms)
                );
            }
            let _ = writeln!(text, "  alert: {id}\n");
        }
        for line in
            self.left_out(MOST).into_iter().chain([self.how_to_acknowledge()]).chain(self.public_url.clone())
        {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// As HTML for mail: tables and inline styles, which is what mail programs agree on; nothing is loaded.
    pub(super) fn html(&self) -> String {
        let mut cards = String::new();
        for alert in self.alerts.iter().take(MOST) {
            cards.push_str(&card(alert));
        }
        let last: String = self
            .left_out(MOST)
            .into_iter()
            .chain([self.how_to_acknowledge()])
            .chain(self.public_url.clone())
            .map(|line| format!("{}<br>", escaped(&line)))
            .collect();
        let title = escaped(&self.title());
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title></head>\
             <body style=\"margin:0;padding:0;background:#f3f4f6\">\
             <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"background:#f3f4f6\">\
             <tr><td align=\"center\" style=\"padding:24px 12px\">\
             <table role=\"presentation\" width=\"600\" cellpadding=\"0\" cellspacing=\"0\" \
             style=\"width:100%;max-width:600px;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;\
             font-size:15px;line-height:1.5;color:#111827\">\
             <tr><td style=\"padding:0 4px 12px;font-size:13px;color:#4b5563\">Bailiwick</td></tr>\
             {cards}\
             <tr><td style=\"padding:8px 4px;font-size:13px;color:#4b5563\">{last}</td></tr>\
             </table></td></tr></table></body></html>"
        )
    }

    /// For programs: the payload of a webhook.
    pub(super) fn json(&self) -> Value {
        let timestamp = chrono::DateTime::from_timestamp_millis(self.created_ms).map(|at| at.to_rfc3339());
        json!({
            "type": "alert.raised",
            "timestamp": timestamp,
            "data": { "title": self.title(), "alerts": self.alerts },
        })
    }

    /// For an incoming webhook of Slack (<https://docs.slack.dev/reference/block-kit/blocks>). `verbatim`: an address or a
    /// channel that somebody wrote into a reason becomes no link.
    pub(super) fn slack(&self) -> Value {
        let plain = |text: &str, longest: usize| -> String { text.chars().take(longest).collect() };
        let mut blocks = vec![json!({
            "type": "header", "text": { "type": "plain_text", "text": plain(&self.title(), 150) },
        })];
        for alert in self.alerts.iter().take(MOST_IN_CHAT) {
            let mut text = format!("*{}*\n{}\n", for_slack(&alert.title), for_slack(alert.meaning));
            for (name, value) in facts_of(alert) {
                let line = format!("• {}: {}\n", for_slack(&name), for_slack(&value));
                if text.chars().count().saturating_add(line.chars().count()) > LONGEST_SECTION {
                    break;
                }
                text.push_str(&line);
            }
            let text = json!({ "type": "mrkdwn", "text": text, "verbatim": true });
            blocks.push(json!({ "type": "section", "text": text }));
        }
        let last = self.left_out(MOST_IN_CHAT).into_iter().chain([self.how_to_acknowledge()]);
        let last: Vec<String> = last.map(|line| for_slack(&line)).collect();
        let last = json!({ "type": "mrkdwn", "text": last.join("\n"), "verbatim": true });
        blocks.push(json!({ "type": "context", "elements": [last] }));
        json!({ "text": for_slack(&self.title()), "blocks": blocks })
    }

    /// For an incoming webhook of Teams: a message with an Adaptive Card
    /// (<https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>).
    pub(super) fn teams(&self) -> Value {
        let block = |text: &str, more: Value| {
            let mut block = json!({ "type": "TextBlock", "text": for_teams(text), "wrap": true });
            if let (Some(block), Value::Object(more)) = (block.as_object_mut(), more) {
                block.extend(more);
            }
            block
        };
        let mut body = Vec::new();
        if self.alerts.len() != 1 {
            body.push(block(&self.title(), json!({ "weight": "Bolder", "size": "Large" })));
        }
        let (mut shown, mut held) = (0, 1_024);
        for alert in self.alerts.iter().take(MOST_IN_CHAT) {
            let color = match alert.severity.as_str() {
                "critical" => "Attention",
                "warning" => "Warning",
                _ => "Default",
            };
            let title = format!("[{}] {}", alert.severity, alert.title);
            let blocks = [
                block(&title, json!({ "weight": "Bolder", "size": "Medium", "color": color })),
                block(alert.meaning, json!({})),
                json!({ "type": "FactSet", "facts": facts_for_teams(alert) }),
            ];
            held += blocks.iter().map(|block| block.to_string().len() + 1).sum::<usize>();
            if held > MOST_IN_CARD {
                break;
            }
            body.extend(blocks);
            shown += 1;
        }
        for line in self.left_out(shown).into_iter().chain([self.how_to_acknowledge()]) {
            body.push(block(&line, json!({ "isSubtle": true })));
        }
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard", "version": "1.4", "body": body,
                },
            }],
        })
    }
}

fn facts_of(alert: &Told) -> Vec<(String, String)> {
    let mut facts = rows(&alert.facts);
    facts.push((String::from("scope"), alert.scope.clone()));
    facts.push((String::from("raised"), instant(alert.raised_ms)));
    if alert.repeats > 0 {
        let again = format!("{} times, last {}", alert.repeats, instant(alert.last_ms));
        facts.push((String::from("happened again"), again));
    }
    // What it is acknowledged by: a message that tells of several names none elsewhere.
    facts.push((String::from("alert"), alert.id.clone()));
    facts
}

/// As many as there is room for.
fn facts_for_teams(alert: &Told) -> Vec<Value> {
    let mut held = 0_usize;
    facts_of(alert)
        .into_iter()
        .map(|(name, value)| json!({ "title": for_teams(&name), "value": for_teams(&value) }))
        .take_while(|fact| {
            held = held.saturating_add(fact.to_string().len());
            held <= MOST_IN_FACTS
        })
        .collect()
}

fn card(alert: &Told) -> String {
    let color = match alert.severity.as_str() {
        "critical" => "#b91c1c",
        "warning" => "#b45309",
        _ => "#1d4ed8",
    };
    let mut facts = String::new();
    for (name, value) in facts_of(alert) {
        let _ = write!(
            facts,
            "<tr><td valign=\"top\" style=\"padding:2px 12px 2px 0;color:#4b5563;white-space:nowrap\">{}</td>\
             <td valign=\"top\" style=\"padding:2px 0;word-break:break-word\">{}</td></tr>",
            escaped(&name),
            escaped(&value)
        );
    }
    format!(
        "<tr><td style=\"padding:0 0 16px\">\
         <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" \
         style=\"background:#ffffff;border:1px solid #d1d5db;border-left:4px solid {color};border-radius:4px\">\
         <tr><td style=\"padding:16px 20px\">\
         <div style=\"font-size:12px;font-weight:600;letter-spacing:.04em;text-transform:uppercase;color:{color}\">{}</div>\
         <div style=\"font-size:18px;font-weight:600;line-height:1.35;padding:2px 0 6px;word-break:break-word\">{}</div>\
         <div style=\"padding:0 0 10px\">{}</div>\
         <table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" style=\"font-size:14px\">{facts}</table>\
         </td></tr></table></td></tr>",
        escaped(&alert.severity),
        escaped(&alert.title),
        escaped(alert.meaning),
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Slack's own escapes; without them `<!channel>` would call everybody
/// (<https://docs.slack.dev/messaging/formatting-message-text#escaping>).
fn for_slack(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // What would make it bold, or code, or call somebody, is not meant.
    text.replace(['*', '`', '~'], " ")
}

/// No Markdown of Teams: a reason must not become a link.
fn for_teams(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        if matches!(one, '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '<' | '>' | '!') {
            out.push('\\');
        }
        out.push(one);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(count: usize, reason: &str) -> Outgoing {
        let facts = json!({ "stops": "model", "target": "gpt-4.1", "reason": reason });
        let alert = Told {
            id: String::from("al_1"),
            kind: String::from("kill_switch_thrown"),
            severity: String::from("critical"),
            scope: String::from("/acme"),
            title: Kind::KillSwitchThrown.title(&facts),
            meaning: Kind::KillSwitchThrown.meaning(),
            facts,
            raised_ms: 1_795_000_000_000,
            last_ms: 1_795_000_000_000,
            repeats: 0,
        };
        Outgoing {
            id: String::from("msg_1"),
            created_ms: 1_795_000_000_000,
            alerts: vec![alert; count],
            public_url: Some(String::from("https://bailiwick.example")),
        }
    }

    #[test]
    fn nothing_that_somebody_wrote_becomes_markup() {
        let hostile = "<script>alert(1)</script> <!channel> [x](https://evil.example) \u{7}*b*";
        let message = outgoing(1, hostile);
        let html = message.html();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script") && !html.contains('\u{7}'));
        let slack = message.slack().to_string();
        assert!(slack.contains("&lt;!channel&gt;") && !slack.contains("<!channel>"), "{slack}");
        let texts = message.slack()["blocks"].as_array().unwrap().iter().fold(0, |texts, block| {
            let text = block.pointer("/elements/0").unwrap_or(&block["text"]);
            assert!(text["type"] == "plain_text" || text["verbatim"] == true, "{block}");
            texts + usize::from(text["type"] == "mrkdwn")
        });
        assert_eq!(texts, 2);
        let teams = message.teams().to_string();
        assert!(teams.contains(r"\\[x\\]\\(https") && !teams.contains("[x](https"), "{teams}");
        assert!(message.text().contains("reason: <script>alert(1)</script>"), "text stays text");
    }

    #[test]
    fn many_alerts_are_one_message_of_a_bounded_size() {
        let message = outgoing(200, &"long ".repeat(2_000));
        assert_eq!(message.title(), "[critical] 200 alerts");
        assert!(message.text().contains("And 150 more"));
        let slack = message.slack();
        assert!(slack["blocks"].as_array().unwrap().len() <= 50);
        for block in slack["blocks"].as_array().unwrap() {
            let text = block.pointer("/text/text").and_then(Value::as_str).unwrap_or_default();
            assert!(text.chars().count() <= 3_000);
        }
        assert!(slack.to_string().contains("And 180 more"));
    }

    #[test]
    fn each_of_several_alerts_shows_what_it_is_acknowledged_by() {
        let mut message = outgoing(2, "short");
        for (number, alert) in message.alerts.iter_mut().enumerate() {
            alert.id = format!("ALERT{number}");
        }
        let all = [message.text(), message.html(), message.slack().to_string(), message.teams().to_string()];
        for shown in all {
            assert!(shown.contains("ALERT0") && shown.contains("ALERT1"), "{shown}");
        }
    }

    /// Or a commit's name makes the whole mail wider than a phone.
    #[test]
    fn a_long_word_of_a_title_may_be_broken() {
        let mut message = outgoing(1, "short");
        let commit = "3f2a9c8e".repeat(5);
        for alert in &mut message.alerts {
            alert.title = Kind::PolicyFollowed.title(&json!({ "commit": commit }));
        }
        let html = message.html();
        let heading = html.rsplit("<div style=").find(|part| part.contains(&commit)).unwrap();
        assert!(heading.split('>').next().unwrap().contains("word-break:break-word"), "{heading}");
    }

    #[test]
    fn a_card_of_teams_holds_what_teams_takes() {
        for (reason, least) in [("short", 20), (&*"long ".repeat(400), 5), (&*"\"(ä)\" ".repeat(2_000), 3)] {
            let card = outgoing(200, reason).teams();
            assert!(card.to_string().len() <= 28 * 1024, "{}", card.to_string().len());
            let body = card.pointer("/attachments/0/content/body").and_then(Value::as_array).unwrap();
            let shown = body.iter().filter(|block| block["type"] == "FactSet").count();
            assert!((least..=20).contains(&shown), "{shown}");
            assert!(card.to_string().contains(&format!("And {} more", 200 - shown)), "{shown}");
        }
        let one = outgoing(1, &"\"(ä)\" ".repeat(2_000)).teams().to_string();
        assert!(one.contains("gpt-4.1") && one.len() <= 28 * 1024);
    }

    /// With `BAILIWICK_ALERTS_RENDERED` set to a folder, each kind's mail stands there to be looked at.
    #[test]
    fn each_kind_has_a_mail_with_its_facts() {
        for kind in Kind::ALL {
            let mut message = outgoing(1, "Incident 7: prompts seen in a log");
            for alert in &mut message.alerts {
                alert.kind = kind.to_string();
                alert.title = kind.title(&alert.facts);
                alert.meaning = kind.meaning();
            }
            let (html, text) = (message.html(), message.text());
            for part in ["Incident 7", "/acme", "al_1", "2026-11-18", "https://bailiwick.example"] {
                assert!(html.contains(part) && text.contains(part), "{kind}: {part}: {text}");
            }
            assert!(html.contains(&escaped(kind.meaning())));
            if let Some(folder) = std::env::var_os("BAILIWICK_ALERTS_RENDERED") {
                let path = std::path::Path::new(&folder).join(kind.as_str());
                std::fs::write(path.with_extension("html"), html).unwrap();
                std::fs::write(path.with_extension("txt"), text).unwrap();
            }
        }
    }
}
