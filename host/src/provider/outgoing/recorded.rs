//! Requests as recorded exchanges have them: method and URL, headers but for the user agent, blank line, body.

use super::Draft;

/// Requests, one behind the other.
pub fn recorded(drafts: &[Draft]) -> String {
    drafts.iter().map(written).collect::<Vec<_>>().join("\n")
}

fn written(draft: &Draft) -> String {
    let mut text = format!("{} {}", draft.method(), draft.url());
    for (name, value) in draft.headers().iter().filter(|(name, _)| *name != "user-agent") {
        text.push_str(&format!("\n{name}: {}", value.to_str().unwrap_or("?")));
    }
    match draft.body().is_empty() {
        true => text,
        false => format!("{text}\n\n{}", String::from_utf8_lossy(draft.body())),
    }
}

/// Headers have no order.
pub fn in_order(request: &str) -> String {
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
    let mut headers: Vec<_> = headers.lines().collect();
    headers.sort_unstable();
    format!("{line}\n{}\n\n{body}", headers.join("\n"))
}
