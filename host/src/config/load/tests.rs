//! Layers, and the defaults as documentation.

use super::*;

fn read(text: &str, variables: &[(&str, &str)]) -> Draft {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment = variables.iter().map(pair).collect();
    load_text(Path::new("test.toml"), text.to_owned(), &environment).expect("the text is TOML")
}

#[test]
fn an_empty_file_is_all_defaults() {
    let draft = read("", &[]);
    assert!(draft.complaints.is_empty(), "{:?}", draft.complaints);
    assert_eq!(draft.written.server.listen.to_string(), "127.0.0.1:8080");
}

#[test]
fn what_the_defaults_say_in_comments_is_a_configuration() {
    let uncommented = DEFAULTS.lines().filter_map(|line| match line.strip_prefix('#') {
        Some(sentence) if sentence.starts_with(' ') => None,
        Some(key) => Some(key),
        None => Some(line),
    });
    let draft = read(&uncommented.collect::<Vec<_>>().join("\n"), &[]);
    assert!(draft.complaints.is_empty(), "{:?}", draft.complaints);
    assert_eq!((draft.written.sources.len(), draft.written.destinations.len()), (1, 6));
}

#[test]
fn the_defaults_name_every_key() {
    let wrong = "server.x = 1\nadmin.x = 1\nlog.x = 1\njournal.x = 1\nplugins.x = 1\nreload.x = 1\nsources.a.x = 1\nroutes = [{ x = 1 }]\n\
                 polls = [{ x = 1 }]\ndestinations.a = { kind = \"http\", retry = { x = 1 } }\n\
                 destinations.b = { kind = \"http\", x = 1 }\ndestinations.c = { kind = \"file\", x = 1 }\n\
                 destinations.d = { kind = \"nats\", x = 1 }\ndestinations.e = { kind = \"postgres\", x = 1 }\n\
                 destinations.f = { kind = \"redis\", x = 1 }\ndestinations.g = { kind = \"rabbitmq\", x = 1 }";
    let complaints = read(wrong, &[]).complaints;
    let lists = complaints.iter().filter_map(|complaint| complaint.message.split_once("; known: "));
    let keys: BTreeSet<&str> = lists.flat_map(|(_, list)| list.split('"').skip(1).step_by(2)).collect();
    assert!(keys.len() >= 40, "{keys:?}");
    for key in keys {
        let begins = |line: &str| line.trim_start_matches('#').starts_with(&format!("{key} ="));
        let table = format!(".{key}.");
        let inside = DEFAULTS.contains(&format!(" {key} = ")) || DEFAULTS.contains(&format!("#{key}."));
        let inside = inside || DEFAULTS.lines().any(|line| line.starts_with("#[") && line.contains(&table));
        assert!(DEFAULTS.lines().any(begins) || inside, "config/default.toml does not mention {key}");
    }
}

#[test]
fn the_environment_goes_before_the_file() {
    let draft = read("[server]\nlisten = \"127.0.0.1:1\"", &[("HOOKPORT__SERVER__LISTEN", "127.0.0.1:2")]);
    assert_eq!(draft.written.server.listen.port(), 2);
}

#[test]
fn a_complaint_about_a_variable_names_it() {
    let draft = read("", &[("HOOKPORT__SERVER__LISTEN", "nowhere"), ("HOOKPORT__SEVER__LISTEN", "127.0.0.1:2")]);
    let said: Vec<String> = draft.complaints.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|line| line.contains("variable HOOKPORT__SERVER__LISTEN: server.listen")), "{said:?}");
    assert!(said.iter().any(|line| line.contains("variable HOOKPORT__SEVER__LISTEN: sever")), "{said:?}");
}

#[test]
fn a_secret_that_looks_like_a_number_stays_as_it_is() {
    let draft = read("sources.a.provider = \"p\"", &[("HOOKPORT__SOURCES__A__SECRETS__MAIN__VALUE", "0070")]);
    assert!(draft.complaints.is_empty(), "{:?}", draft.complaints);
    let secret = &draft.written.sources["a"].secrets["main"][0];
    assert!(matches!(secret, crate::config::written::Secret::Value(text) if text == "0070"));
}

#[test]
fn a_secrets_place_can_be_named_by_a_variable() {
    let variables = [("HOOKPORT__SOURCES__A__SECRETS__MAIN", "{ file = \"key.txt\" }")];
    let draft = read("sources.a.provider = \"p\"", &variables);
    assert!(draft.complaints.is_empty(), "{:?}", draft.complaints);
    let secret = &draft.written.sources["a"].secrets["main"][0];
    assert!(matches!(secret, crate::config::written::Secret::File(path) if path == Path::new("key.txt")));
}

#[test]
fn a_secret_in_a_variable_is_not_repeated_either() {
    let draft = read("sources.a.provider = \"p\"", &[("HOOKPORT__SOURCES__A__SECRETS__MAIN", "12345")]);
    let said: Vec<String> = draft.complaints.iter().map(ToString::to_string).collect();
    assert!(said.len() == 1 && said[0].contains("secrets.main") && !said[0].contains("12345"), "{said:?}");
}

#[test]
fn a_variable_that_looks_like_a_number_is_text_where_text_is_wanted() {
    let variables = [("HOOKPORT__JOURNAL__PATH", "2026"), ("HOOKPORT__SERVER__MAX_CONNECTIONS", "7")];
    let draft = read("", &variables);
    assert!(draft.complaints.is_empty(), "{:?}", draft.complaints);
    assert_eq!(draft.written.journal.path, Path::new("2026"));
    assert_eq!(draft.written.server.max_connections, 7);
}

#[test]
fn a_text_setting_keeps_the_text_of_its_variable() {
    use hookport_plugin_api::description::{Description, SettingValue};
    let description = "[provider]\nid = \"p\"\nname = \"P\"\nversion = \"1.0.0\"\n[settings.name]\nabout = \"a\"\n\
                       [[verify]]\nalg = \"none\"\nreason = \"a test\"";
    let description: Description = toml::from_str(description).expect("a description");
    for text in ["1234567812345678", "007", "1.50", "true", "123456781234567812345678"] {
        let draft = read("sources.x.provider = \"p\"", &[("HOOKPORT__SOURCES__X__SETTINGS__NAME", text)]);
        let rules = crate::config::Rules { providers: &[&description], compile: |_| Ok(()) };
        let config = crate::config::resolve(&draft, rules).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
        assert_eq!(config.sources["x"].parts.settings["name"], SettingValue::String(text.to_owned()));
    }
}

#[test]
fn a_variable_changes_the_form_of_a_secret() {
    use crate::config::written::Secret;
    let text = "admin.token = { file = \"token\" }\n[sources.esim]\nprovider = \"p\"\n\
                secrets.main = { env = \"X\" }\nsecrets.other = { env = \"Y\" }";
    let forms = [
        ("HOOKPORT__SOURCES__ESIM__SECRETS__MAIN", "{value=\"v\"}"),
        ("HOOKPORT__SOURCES__ESIM__SECRETS__MAIN__VALUE", "v"),
    ];
    for variable in forms {
        let draft = read(text, &[variable, ("HOOKPORT__ADMIN__TOKEN__VALUE", "t")]);
        assert!(draft.complaints.is_empty(), "{:?}", draft.complaints);
        let secrets = &draft.written.sources["esim"].secrets;
        assert!(matches!(&secrets["main"][0], Secret::Value(text) if text == "v"));
        assert!(matches!(&secrets["other"][0], Secret::Env(name) if name == "Y"), "what nobody overrides stays");
        assert!(matches!(&draft.written.admin.token, Some(Secret::Value(text)) if text == "t"));
    }
}
