//! A plugin whose sender signs what no template says: the members of the body from the last to the first, the values' lengths
//! in front. A header asks it to go wrong.

#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use hookport_plugin_api::prelude::*;

export_provider!("../provider.toml", canonicalize = signed);

#[derive(Deserialize)]
struct Settings {
    account: String,
}

fn signed(request: &Unverified<'_>) -> Result<Vec<u8>, TextError> {
    match request.header("x-mode") {
        Some("panics") => panic!("boom while writing {}", request.text_name()),
        Some("aborts") => std::process::abort(),
        Some("hangs") => std::thread::sleep(std::time::Duration::from_secs(3600)),
        Some("refuses") => return Err("nothing of this is signed".into()),
        Some("swells") => return Ok(vec![b'x'; 1 << 20]),
        Some("is silent") => return Ok(Vec::new()),
        _ => {}
    }
    let Settings { account } = request.settings()?;
    let time = request.header("X-Time").ok_or("no x-time")?;
    let url = request.url().unwrap_or("nowhere");
    let mut text = format!("{} {url} {account} {time}", request.method());
    let fields: Fields<'_> = request.json()?;
    let members: Vec<_> = fields.iter().collect();
    for (name, value) in members.into_iter().rev() {
        text.push_str(&format!("\n{name}:{}:{}", value.get().len(), value.get()));
    }
    Ok(text.into_bytes())
}
