//! Layers edited in place, before they are read: what stands twice, or does not fit, is taken out.

use figment::value::Value;

/// Takes out what the file says of a key that the environment says anew; two forms of a secret do not mix.
pub(super) fn forget(table: &mut toml::Table, key: &[String]) {
    match key {
        [] => {}
        [last] => drop(table.remove(last)),
        [first, rest @ ..] => {
            if let Some(toml::Value::Table(inner)) = table.get_mut(first) {
                forget(inner, rest);
            }
        }
    }
}

/// Puts a text where the path leads; nothing is done where a text is there already.
pub(super) fn put(value: &mut Value, path: &[String], text: Value) -> bool {
    let mut place = value;
    for step in path {
        let Value::Dict(_, entries) = place else { return false };
        let Some(inner) = entries.get_mut(step) else { return false };
        place = inner;
    }
    let is_new = !matches!(place, Value::String(..));
    if is_new {
        *place = text;
    }
    is_new
}

/// Takes the value at the path out, or the list that it is in, and puts the default there if there is one.
pub(super) fn take_out(value: &mut Value, path: &[String], defaults: Option<&Value>) -> bool {
    let Value::Dict(_, entries) = value else { return false };
    let Some((first, rest)) = path.split_first() else { return false };
    let default = defaults.and_then(Value::as_dict).and_then(|defaults| defaults.get(first));
    match entries.get_mut(first) {
        Some(inner @ Value::Dict(..)) if !rest.is_empty() => take_out(inner, rest, default),
        Some(_) => {
            entries.remove(first);
            entries.extend(default.map(|default| (first.clone(), default.clone())));
            true
        }
        None => false,
    }
}
