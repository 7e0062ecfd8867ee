//! nginx as a plain reverse proxy: one worker, connections kept open on both sides, no access log.

use std::path::Path;
use std::process::Command;

use super::process::{Server, free_address};
use crate::{Result, cargo, tools};

/// Starts it in front of the upstream; returns it and its URL.
pub(super) fn start(folder: &Path, upstream: &str) -> Result<(Server, String)> {
    let nginx = match tools::find("nginx") {
        Some(path) => path,
        None => {
            tools::apt(&["nginx-light"]).map_err(|missing| format!("{}; {}", missing.reason, missing.fix))?;
            tools::find("nginx").ok_or("apt installed no nginx")?
        }
    };
    let folder = folder.join("nginx");
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    let address = free_address()?;
    let file = folder.join("nginx.conf");
    let root = cargo::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let text = configuration(&folder, &address, upstream, root);
    std::fs::write(&file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    let log = folder.join("log");
    let mut command = Command::new(nginx);
    command.arg("-p").arg(&folder).arg("-c").arg(&file).arg("-e").arg(folder.join("error.log"));
    let mut server = Server::start(&mut command, &log)?;
    server.accepts(&address, &log)?;
    Ok((server, format!("http://{address}")))
}

fn configuration(folder: &Path, address: &str, upstream: &str, root: bool) -> String {
    let folder = folder.display();
    // As root the worker would become `nobody`, who may not enter the build's folder.
    let user = if root { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("    {kind}_temp_path {folder}/{kind};\n"))
        .collect();
    format!(
        "{user}
daemon off;
worker_processes 1;
pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
{temporary}    client_body_buffer_size 64k;
    keepalive_requests 1000000000;
    upstream model {{
        server {upstream};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://model;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
    )
}
