//! Where the configuration file is: named, or looked for in a fixed order.

use std::path::{Path, PathBuf};

use super::environment::Environment;

/// Looked for when nobody names a file.
const PLACES: [&str; 2] = ["hookport.toml", "config/hookport.toml"];

/// The file to read, or where it was looked for.
pub fn find(named: Option<&Path>, environment: &Environment) -> Result<PathBuf, String> {
    place(named, environment).ok_or_else(|| {
        format!(
            "there is no configuration: looked for ./{} and {} (name one with --config FILE or HOOKPORT_CONFIG)",
            PLACES[0], PLACES[1]
        )
    })
}

/// The file to read, if there is one. One that is named is taken, so that reading it says what is wrong with it.
pub fn place(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
    let from_variable = || environment.get("HOOKPORT_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let looked_for = || PLACES.iter().map(PathBuf::from).find(|path| path.exists());
    named.map(Path::to_owned).or_else(from_variable).or_else(looked_for)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Environment {
        [(name.to_owned(), value.to_owned())].into_iter().collect()
    }

    #[test]
    fn the_option_goes_before_the_variable() {
        let environment = with("HOOKPORT_CONFIG", "b.toml");
        assert_eq!(find(Some(Path::new("a.toml")), &environment), Ok("a.toml".into()));
        assert_eq!(find(None, &environment), Ok("b.toml".into()));
    }

    #[test]
    fn where_it_was_looked_for_is_said() {
        // The unit tests run in `host/`, where no configuration lies.
        let error = find(None, &with("HOOKPORT_CONFIG", "")).unwrap_err();
        assert!(error.contains("./hookport.toml") && error.contains("config/hookport.toml"), "{error}");
        assert!(error.contains("--config") && error.contains("HOOKPORT_CONFIG"), "{error}");
    }
}
