//! A strict reader of OpenMetrics text, written after its specification and not after what writes it.

use std::collections::{BTreeMap, BTreeSet};

type Labels = Vec<(String, String)>;

/// A page that is as it should be.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// By name, with its type.
    pub(crate) families: BTreeMap<String, String>,
    samples: BTreeMap<(String, Labels), f64>,
}

/// What is known of the family whose lines are being read.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    helped: bool,
    unit: String,
}

impl Page {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
        let (mut page, mut family) = (Self::default(), Family::default());
        for line in body.split_terminator('\n') {
            page.line(line, &mut family).map_err(|error| format!("{error}: {line}"))?;
        }
        page.close(&family)?;
        page.histograms()?;
        Ok(page)
    }

    /// The value of a sample with exactly these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("{name} {labels:?} is not on the page"))
    }

    pub(crate) fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut labels: Vec<_> = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        labels.sort();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }

    /// The names of all samples.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.samples.keys().map(|(name, _)| name.as_str()).collect()
    }

    /// All samples of a name, whatever their labels.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.samples.iter().filter(|((of, _), _)| of == name).map(|(_, value)| value).sum()
    }

    fn line(&mut self, line: &str, family: &mut Family) -> Result<(), String> {
        let Some(comment) = line.strip_prefix("# ") else { return self.sample(line, family) };
        let mut words = comment.splitn(3, ' ');
        let (kind, name, rest) = (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if name != family.name {
            self.close(family)?;
            if self.families.insert(name.to_owned(), String::new()).is_some() {
                return Err("a family comes twice, or in pieces".into());
            }
            *family = Family { name: name.to_owned(), ..Family::default() };
        }
        let again = || Err("it is said twice".to_owned());
        match kind {
            Some("HELP") if family.helped => return again(),
            Some("HELP") if rest.is_empty() || !rest.ends_with('.') => return Err("a help is a sentence".into()),
            Some("HELP") => family.helped = true,
            Some("TYPE") if !family.kind.is_empty() => return again(),
            Some("TYPE") if ["counter", "gauge", "histogram"].contains(&rest) => rest.clone_into(&mut family.kind),
            Some("UNIT") if name.ends_with(&format!("_{rest}")) => rest.clone_into(&mut family.unit),
            _ => return Err("no such comment".into()),
        }
        self.families.insert(name.to_owned(), family.kind.clone());
        Ok(())
    }

    fn close(&self, family: &Family) -> Result<(), String> {
        let is_named = |unit: &str| family.name.ends_with(&format!("_{unit}"));
        let without = ["seconds", "bytes"].into_iter().find(|unit| is_named(unit) && family.unit != *unit);
        match family {
            Family { name, .. } if name.is_empty() => Ok(()),
            Family { helped: false, name, .. } => Err(format!("{name} has no HELP")),
            Family { kind, name, .. } if kind.is_empty() => Err(format!("{name} has no TYPE")),
            Family { name, .. } if name.ends_with("_total") => Err(format!("{name}: the suffix is the sample's")),
            Family { name, .. } if without.is_some() => Err(format!("{name} has a unit and does not say it")),
            _ => Ok(()),
        }
    }

    fn sample(&mut self, line: &str, family: &Family) -> Result<(), String> {
        let end = line.find(['{', ' ']).ok_or("no value")?;
        let (name, rest) = line.split_at(end);
        let suffix = name.strip_prefix(&family.name).ok_or("a sample of another family")?;
        let allowed: &[&str] = match family.kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => return Err("a sample before its TYPE".into()),
        };
        if !allowed.contains(&suffix) || !is_name(name, ":") {
            return Err("no name of a sample of this type".into());
        }
        let (mut labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (Vec::new(), rest),
        };
        let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
        let value: f64 = value.parse().map_err(|_| "no number")?;
        if !value.is_finite() || (family.kind != "gauge" && value < 0.0) {
            return Err("no value of this type".into());
        }
        labels.sort();
        let keys: BTreeSet<_> = labels.iter().map(|(key, _)| key).collect();
        if keys.len() != labels.len() {
            return Err("a label comes twice".into());
        }
        match self.samples.insert((name.to_owned(), labels), value) {
            Some(_) => Err("it comes twice".into()),
            None => Ok(()),
        }
    }

    /// Buckets grow, the last is everything, and everything is what is counted.
    fn histograms(&self) -> Result<(), String> {
        for (family, _) in self.families.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut series: BTreeMap<Vec<_>, Vec<(f64, f64)>> = BTreeMap::new();
            for ((_, labels), count) in self.samples.iter().filter(|((name, _), _)| *name == format!("{family}_bucket"))
            {
                let (le, others): (Vec<_>, Vec<_>) = labels.iter().cloned().partition(|(key, _)| key == "le");
                let bound = le.first().and_then(|(_, le)| le.replace("+Inf", "inf").parse().ok());
                series
                    .entry(others)
                    .or_default()
                    .push((bound.ok_or(format!("{family}: a bucket without bound"))?, *count));
            }
            for (labels, mut buckets) in series {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                let count = self.samples.get(&(format!("{family}_count"), labels.clone()));
                let sum = self.samples.get(&(format!("{family}_sum"), labels.clone()));
                let last = buckets.last().filter(|(bound, _)| bound.is_infinite()).map(|(_, count)| count);
                if !buckets.is_sorted_by(|a, b| a.1 <= b.1) || last.is_none() || last != count || sum.is_none() {
                    return Err(format!("{family} {labels:?} is no histogram: {buckets:?}, count {count:?}"));
                }
            }
        }
        Ok(())
    }
}

fn is_name(name: &str, more: &str) -> bool {
    let fits = |byte: char| byte.is_ascii_alphanumeric() || byte == '_' || more.contains(byte);
    name.chars().all(fits) && name.starts_with(|first: char| !first.is_ascii_digit())
}

/// `name="value",...}` and what comes after it.
fn labels(mut rest: &str) -> Result<(Labels, &str), String> {
    let mut found = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        if !is_name(name, "") {
            return Err(format!("{name:?} names no label"));
        }
        let (mut value, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next().ok_or("a label without an end")? {
                (at, '"') => break at,
                (_, '\\') => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                    _ => return Err("no such escape".into()),
                },
                (_, char) => value.push(char),
            }
        };
        found.push((name.to_owned(), value));
        let after = &after[end + 1..];
        match (after.strip_prefix(','), after.strip_prefix('}')) {
            (Some(more), _) => rest = more,
            (_, Some(done)) => return Ok((found, done)),
            _ => return Err("a label without an end".into()),
        }
    }
}

#[test]
fn what_is_not_openmetrics_is_refused() {
    let good = "# HELP a_seconds Text.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total{b=\"c\\\"\"} 1\n# EOF\n";
    assert_eq!(Page::read(good).expect("it is").value("a_seconds_total", &[("b", "c\"")]), 1.0);
    for (from, to) in [
        ("# EOF\n", ""),
        ("# HELP a_seconds Text.\n", ""),
        ("# TYPE a_seconds counter\n", ""),
        ("# UNIT a_seconds seconds\n", ""),
        ("Text.", "Text"),
        ("a_seconds_total", "a_seconds"),
        ("a_seconds_total", "b_total"),
        ("} 1", "} -1"),
        ("} 1", "} one"),
        ("} 1", "}1"),
        ("\\\"\"}", "\\x\"}"),
        ("{b=", "{1b="),
        ("# EOF", "a_seconds_total{b=\"c\\\"\"} 2\n# EOF"),
    ] {
        assert!(Page::read(&good.replacen(from, to, 1)).is_err(), "{from} -> {to}");
    }
    let histogram = "# HELP h Text.\n# TYPE h histogram\nh_sum 3\nh_count 2\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\n# EOF\n";
    assert!(Page::read(histogram).is_ok());
    for (from, to) in [("1.0\"} 1", "1.0\"} 3"), ("h_count 2", "h_count 3"), ("+Inf", "2.0"), ("h_sum 3\n", "")] {
        assert!(Page::read(&histogram.replacen(from, to, 1)).is_err(), "{from} -> {to}");
    }
}
