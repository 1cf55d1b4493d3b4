//! `hookport journal copy`: an embedded journal moves to PostgreSQL.

use std::path::Path;

use secrecy::SecretString;
use serde_json::json;

use super::{Shown, output};
use crate::cli::Failure;
use crate::clock::Clock;
use crate::journal::postgres::copy::{Copied, Target, copy as copy_all};

pub(super) fn copy(from: &Path, to: &str, schema: String, json: bool) -> Result<(), Failure> {
    if from.as_os_str().as_encoded_bytes().starts_with(b"postgres") && from.to_string_lossy().contains("://") {
        return Err(Failure::Refused(
            "a journal is copied into PostgreSQL, not out of it: --from is a folder or a file".into(),
        ));
    }
    let url = match to.strip_prefix("env:") {
        Some(name) => std::env::var(name).map_err(|_| {
            Failure::Refused(format!("the variable {name} is not set: it should hold the server's URL"))
        })?,
        None => to.to_owned(),
    };
    let target = Target { url: SecretString::from(url), schema };
    let mut shown = Shown::new();
    let copied = copy_all(from, &target, Clock::default().now(), &mut |what, at, of| shown.at(what, at, of));
    drop(shown);
    let copied = copied.map_err(Failure::refused)?;
    if json {
        let Copied { days, others, keys } = copied;
        let days: serde_json::Map<_, _> = days.into_iter().map(|(day, rows)| (day.to_string(), json!(rows))).collect();
        let document = json!({ "days": days, "others": others, "keys": keys });
        return output::line(serde_json::to_string_pretty(&document).map_err(Failure::refused)?);
    }
    for (day, rows) in &copied.days {
        let rows: Vec<String> = rows.iter().map(|(table, count)| format!("{count} {}", word(table))).collect();
        output::line(format!("{day}  {}", rows.join(", ")))?;
    }
    let others = copied.others.iter().filter(|(_, count)| **count > 0);
    let others: Vec<String> = others.map(|(table, count)| format!("{count} {table}")).collect();
    output::line(format!("            {} keys, {}", copied.keys, others.join(", ")))?;
    output::say(format_args!(
        "all of it is there, and the same: the embedded journal may go once the gateway runs on the copy"
    ));
    Ok(())
}

fn word(table: &str) -> &str {
    if table == "every_delivery" { "deliveries" } else { table }
}
