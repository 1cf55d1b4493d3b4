//! What is wrong with a description or a configuration: where, what, and how to mend it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One complaint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// The file, as the operator named it.
    pub file: String,
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The key's path, such as `verify.0.message`.
    pub key: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Complaint {
    /// Key and message, without the place.
    pub fn keyed(&self) -> String {
        match self.key.as_str() {
            "" => self.message.clone(),
            key => format!("{key}: {}", self.message),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.keyed())
    }
}

/// `; did you mean "x"?`, when one of the known names is near enough.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = known.into_iter().map(|known| (strsim::damerau_levenshtein(name, known), known)).min();
    match near {
        Some((distance, known)) if distance <= 1 + name.len() / 4 => format!("; did you mean \"{known}\"?"),
        _ => String::new(),
    }
}
