//! `bailiwick demo`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{Failed, Output, asked_to_end};
use crate::app::{Config, DatabaseUrl};
use crate::demo::{Announcement, Demo};

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Address and port; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    listen: SocketAddr,
    /// Where to keep its data; a temporary folder, removed at the end, where absent
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A database for it alone instead of the file in its folder. Its name is not that of a server's variable: a
    /// demo puts its own organisation into what it is given
    #[arg(
        long,
        env = "BAILIWICK_DEMO_DATABASE_URL",
        hide = true,
        hide_env_values = true,
        requires = "data_dir",
        value_name = "URL"
    )]
    database_url: Option<DatabaseUrl>,
}

pub(super) async fn run(args: DemoArgs, output: Output) -> Result<(), Failed> {
    let temporary = match &args.data_dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("bailiwick-demo-")
                .tempdir()
                .map_err(Failed::io("a temporary folder"))?,
        ),
    };
    let folder = match (&args.data_dir, &temporary) {
        (Some(folder), _) => folder.clone(),
        (None, Some(temporary)) => temporary.path().to_path_buf(),
        (None, None) => PathBuf::from("bailiwick-demo"),
    };
    let end = asked_to_end()?;
    let mut config = Config::at(args.listen, folder);
    config.database_url = args.database_url;
    let demo = Box::pin(Demo::start_with(config)).await?;
    output.result(&demo.announcement, || text(&demo.announcement));
    end.await;
    output.note("stopping: open requests are finished and the audit log is signed");
    demo.stop().await;
    Ok(())
}

fn text(announcement: &Announcement) -> String {
    let Announcement { url, console, admin_token, keys, endpoints } = announcement;
    let key = |name: &str| keys.get(name).map(String::as_str).unwrap_or_default();
    let mut rows = Vec::new();
    for endpoint in endpoints {
        let countries = if endpoint.countries.is_empty() {
            String::from("unknown")
        } else {
            endpoint.countries.join(" ")
        };
        rows.push(vec![
            endpoint.name.clone(),
            endpoint.model.clone(),
            countries,
            format!("{}/_received", endpoint.simulator_url),
        ]);
    }
    let table = super::output::table(&["endpoint", "model", "processes in", "what it received"], &rows);
    format!(
        "Bailiwick serves a sample organisation at {url}. Every provider is simulated.

Console (this link works once):
  {console}

Keys, one a scope:
  support   {support}   /acme/retail/support: customers in the EU
  clinic    {clinic}   /acme/clinic: health data, BAAs with two endpoints
  research  {research}   /acme/research: public data

{table}
Ask as the support team: the address is replaced before it leaves, and the answer comes from the EU.
  curl -i {url}/v1/chat/completions -H 'Authorization: Bearer {support}' -H 'Content-Type: application/json' \\
    -d '{{\"model\":\"assistant\",\"messages\":[{{\"role\":\"user\",\"content\":\"Write to anna.schmidt@example.de about IBAN DE89370400440532013000\"}}]}}'

Ask for a model that only an endpoint in the US serves: refused, with the reason and the way out.
  curl -i {url}/v1/chat/completions -H 'Authorization: Bearer {support}' -H 'Content-Type: application/json' \\
    -d '{{\"model\":\"gpt-4.1-mini\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'

From Python:
  from openai import OpenAI
  client = OpenAI(base_url=\"{url}/v1\", api_key=\"{support}\")
  client.chat.completions.create(model=\"assistant\", messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}])

Prove what happened:
  export BAILIWICK_SERVER={url} BAILIWICK_TOKEN={admin_token}
  bailiwick audit export -o audit.jsonl && bailiwick audit verify audit.jsonl

Ctrl-C ends it.",
        support = key("support"),
        clinic = key("clinic"),
        research = key("research"),
    )
}
