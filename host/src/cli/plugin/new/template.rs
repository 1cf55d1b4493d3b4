//! The texts of a new folder, with its names in them.

use jiff::Timestamp;

use super::capture::Guess;
use crate::case::Case;
use crate::cli::Failure;

const PROVIDER: &str = include_str!("template/provider.toml");
const SOURCE: &str = include_str!("template/source.toml");
const GITIGNORE: &str = include_str!("template/gitignore.txt");
const SAMPLES: [(&str, &str); 2] = [
    ("a_payment_is_accepted", include_str!("template/a_payment_is_accepted.http")),
    ("an_unknown_event_is_passed_on", include_str!("template/an_unknown_event_is_passed_on.http")),
];

/// What the texts of one folder say of it.
pub(super) struct Template<'t> {
    pub(super) id: &'t str,
    /// What the clock of its fixtures shows.
    pub(super) at: Timestamp,
    /// The folder of the plugin API, where it is not taken from crates.io.
    pub(super) api: Option<&'t str>,
    pub(super) guess: Option<&'t Guess>,
}

impl Template<'_> {
    /// The files of a provider without code.
    pub(super) fn description(&self) -> Vec<(&'static str, String)> {
        vec![
            ("provider.toml", self.provider()),
            ("fixtures/source.toml", self.filled(SOURCE)),
            ("README.md", self.filled(include_str!("template/README-no-code.md"))),
            (".gitignore", GITIGNORE.to_owned()),
        ]
    }

    /// The files of a plugin with code.
    pub(super) fn plugin(&self) -> Vec<(&'static str, String)> {
        let decoder = match self.guess {
            Some(_) => include_str!("template/captured.rs"),
            None => include_str!("template/lib.rs"),
        };
        vec![
            ("provider.toml", self.provider()),
            ("fixtures/source.toml", self.filled(SOURCE)),
            ("README.md", self.filled(include_str!("template/README.md"))),
            (".gitignore", GITIGNORE.to_owned()),
            ("Cargo.toml", self.filled(include_str!("template/Cargo.toml.txt"))),
            ("src/lib.rs", self.filled(decoder)),
            ("tests/conforms.rs", self.filled(include_str!("template/conforms.rs"))),
            (".github/workflows/check.yml", self.filled(include_str!("template/ci.yml"))),
        ]
    }

    /// The requests of its fixtures, unsigned.
    pub(super) fn samples(&self) -> Result<Vec<(String, Case)>, Failure> {
        if let Some(guess) = self.guess {
            return Ok(vec![("a_captured_request_is_accepted".to_owned(), guess.sample.clone())]);
        }
        let sample = |(name, text): (&str, &str)| {
            let case = Case::parse(self.filled(text).as_bytes()).map_err(Failure::refused)?;
            Ok((name.to_owned(), case))
        };
        SAMPLES.into_iter().map(sample).collect()
    }

    /// It opens nothing.
    pub(super) fn secret(&self) -> String {
        format!("test-secret-of-{}", self.id)
    }

    fn provider(&self) -> String {
        self.guess.map_or_else(|| self.filled(PROVIDER), |guess| guess.description.clone())
    }

    fn filled(&self, text: &str) -> String {
        let api = match self.api {
            Some(folder) => format!("{{ path = {} }}", toml::Value::from(folder)),
            None => "\"1\"".to_owned(),
        };
        text.replace("{{id}}", self.id)
            .replace("{{name}}", &title(self.id))
            .replace("{{lib}}", &format!("hookport_{}", self.id.replace('-', "_")))
            .replace("{{at}}", &self.at.to_string())
            .replace("{{secret}}", &self.secret())
            .replace("{{api}}", &api)
    }
}

/// As people may write it.
pub(super) fn title(id: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    id.split('-').map(word).collect::<Vec<_>>().join(" ")
}
