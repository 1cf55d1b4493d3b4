//! The layout of every released minor version is kept in `layouts/`, and today's begins with each of them. A field that is
//! moved, inserted, renamed or of another type turns this red; the kept binaries in `tests/golden` would say so later.
//!
//! `UPDATE_CASES=1` writes the layout of the version that is being made; the older ones are never written again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use abi_stable::StableAbi;
use abi_stable::std_types::utypeid::UTypeId;
use abi_stable::type_layout::TypeLayout;

use super::PluginRef;
use crate::identity::{ABI_MAJOR, ABI_MINOR};

/// A type's name, and a line for what it is and for each of its fields.
type Layouts = BTreeMap<String, Vec<String>>;

/// Everything that crosses the border, as far as it is ours; of others' types size and alignment.
fn today() -> Layouts {
    let mut found = Layouts::new();
    describe(<PluginRef as StableAbi>::LAYOUT, &mut found, &mut Vec::new());
    found
}

fn is_ours(layout: &'static TypeLayout) -> bool {
    layout.package().as_str() == env!("CARGO_PKG_NAME")
}

/// With what a slice is of, which its own name leaves out.
fn name(layout: &'static TypeLayout) -> String {
    let fields = layout.get_fields().into_iter().flat_map(|fields| fields.iter());
    let inner = fields.filter(|_| !is_ours(layout)).find(|field| field.name() == "data");
    let inner = inner.map(|field| format!(" of {}", field.full_type())).unwrap_or_default();
    format!("{}{inner}", layout.full_type()).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn describe(layout: &'static TypeLayout, found: &mut Layouts, seen: &mut Vec<UTypeId>) {
    if seen.contains(&layout.get_utypeid()) {
        return;
    }
    seen.push(layout.get_utypeid());
    let ours = is_ours(layout);
    let kind = if layout.is_prefix_kind() { "table" } else { "view" };
    let mut lines = vec![match (ours, layout.is_prefix_kind()) {
        (true, true) => format!("{kind}, align {}", layout.alignment()),
        (true, false) => format!("{kind}, size {}, align {}", layout.size(), layout.alignment()),
        (false, _) => format!("size {}, align {}", layout.size(), layout.alignment()),
    }];
    for field in layout.get_fields().into_iter().flat_map(|fields| fields.iter()).filter(|_| ours) {
        // What follows a function's first line is how its lifetimes are numbered.
        let function = field.function_range().iter().next().map(|function| function.to_string());
        let of = match function.as_deref().and_then(|text| text.lines().next()) {
            Some(function) => function.split_whitespace().collect::<Vec<_>>().join(" "),
            None => self::name(field.layout()),
        };
        lines.push(format!("{}: {of}", field.name()));
    }
    found.insert(name(layout), lines);
    let fields = layout.get_fields().into_iter().flat_map(|fields| fields.iter()).map(|field| field.layout());
    let named = layout.shared_vars().type_layouts().iter().map(|get| get());
    fields.chain(named).for_each(|layout| describe(layout, found, seen));
}

fn written(layouts: &Layouts) -> String {
    let one = |(name, lines): (&String, &Vec<String>)| format!("{name}\n    {}\n", lines.join("\n    "));
    layouts.iter().map(one).collect()
}

fn read(text: &str) -> Layouts {
    let mut layouts = Layouts::new();
    let mut name = "";
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(of) => layouts.entry(name.to_owned()).or_default().push(of.to_owned()),
            None => name = line,
        }
    }
    layouts
}

/// What of an older layout is not the beginning of the newer.
fn broken(older: &Layouts, newer: &Layouts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, old) in older {
        let Some(new) = newer.get(name) else {
            wrong.push(format!("{name} is gone"));
            continue;
        };
        let table = old[0].starts_with("table");
        let mut lines = old.iter().zip(new);
        if let Some((old, new)) = lines.find(|(old, new)| old != new) {
            wrong.push(format!("{name}: \"{new}\" where \"{old}\" was released"));
        } else if new.len() < old.len() || (new.len() > old.len() && !table) {
            wrong.push(format!("{name}: {} fields where {} were released", new.len() - 1, old.len() - 1));
        }
    }
    wrong
}

fn file(minor: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("layouts/{ABI_MAJOR}.{minor}.txt"))
}

#[test]
fn the_layout_of_this_version_is_the_one_that_is_written_down() {
    let today = written(&today());
    if std::env::var_os("UPDATE_CASES").is_some() {
        fs::write(file(ABI_MINOR), &today).unwrap();
    }
    let kept = fs::read_to_string(file(ABI_MINOR)).expect("UPDATE_CASES=1 writes the layout of a new minor version");
    assert_eq!(today, kept, "what was released does not change; a new minor version appends to tables");
}

#[test]
fn every_released_layout_is_the_beginning_of_todays() {
    for minor in 0..=ABI_MINOR {
        let kept = read(&fs::read_to_string(file(minor)).unwrap());
        assert!(kept.len() > 10, "1.{minor} has its types");
        assert_eq!(broken(&kept, &today()), [""; 0], "1.{minor}");
    }
}

#[test]
fn a_planted_break_is_seen_and_growth_at_a_tables_end_is_not() {
    let today = today();
    let planted = |name: &str, change: &dyn Fn(&mut Vec<String>)| {
        let mut changed = today.clone();
        let found = changed.iter_mut().find(|(full, _)| full.split('<').next() == Some(name)).expect(name);
        change(found.1);
        broken(&today, &changed)
    };
    let inserted = planted("Sink", &|lines| lines.insert(2, "later: fn()->u32".into()));
    assert!(inserted[0].contains("later: fn()->u32") && inserted[0].contains("was released"), "{inserted:?}");
    let moved = planted("RequestView", &|lines| lines.swap(1, 2));
    assert!(moved[0].contains("\"target: "), "{moved:?}");
    let retyped = planted("RequestView", &|lines| {
        let line = lines.iter_mut().find(|line| line.starts_with("has: ")).unwrap();
        *line = "has: u64".into();
    });
    assert!(retyped[0].contains("\"has: u64\" where \"has: u32\""), "{retyped:?}");
    assert_eq!(planted("EventView", &|lines| lines.push("more: u32".into())).len(), 1, "views do not grow");
    assert_eq!(planted("Plugin", &|lines| drop(lines.pop())).len(), 1, "nothing is taken away");
    assert_eq!(planted("Plugin", &|lines| lines.push("later: fn()->u32".into())), [""; 0]);
}
