//! `[let.NAME]`: named byte strings. A template, sorted parts, or fields of the request collected into one text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hookport_plugin_api::description::{Collect, CollectFrom, Encode, Let, ListedHeaders, Order};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::condition::Condition;
use super::fields::Field;
use super::json::Kind;
use super::place::Place;
use super::template::{Lookup, Template, Unfit};
use super::text::CodeText;
use super::view::{View, text};
use super::xml::Xml;

/// A compiled `let`.
#[derive(Debug, Clone)]
pub enum Named {
    /// A template.
    Template(Template),
    /// A template that is missing unless its condition holds.
    Conditional(Condition, Template),
    /// Parts sorted by bytes.
    Sort(Vec<Template>, String),
    /// Collected fields and the template of a pair.
    Collect(Box<Collect>, Template),
    /// A list of headers, the templates of the list and of a pair.
    Listed(Box<ListedHeaders>, Template, Template),
    /// What code writes.
    Code(CodeText),
}

/// Headers that a list may name.
const MAX_LISTED: usize = 64;

/// What RFC 3986 leaves alone.
const RFC3986: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a form leaves alone, WHATWG URL section 5.2.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_').remove(b' ');

impl Named {
    /// Compiles one.
    pub fn compile(written: &Let) -> Result<Self, String> {
        Ok(match written {
            Let::Template(text) => Self::Template(Template::compile(text)?),
            Let::Conditional(written) => {
                Self::Conditional(Condition::choosing(&written.when)?, Template::compile(&written.template)?)
            }
            Let::Sort(sort) => {
                let parts = sort.sort.iter().map(|text| Template::compile(text)).collect::<Result<_, _>>()?;
                Self::Sort(parts, sort.join.clone())
            }
            Let::Collect(collect) => Self::Collect(Box::new(collect.clone()), Template::compile(&collect.pair)?),
            Let::ListedHeaders(listed) if listed.split.is_empty() => {
                return Err("split: empty; it is what stands between the names in the list".into());
            }
            Let::ListedHeaders(listed) => {
                let (list, pair) = (Template::compile(&listed.listed_headers)?, Template::compile(&listed.pair)?);
                Self::Listed(Box::new(listed.clone()), list, pair)
            }
            Let::Code(written) => Self::Code(CodeText::compile(written)?),
        })
    }

    /// The places that it reads by name; a `collect` reads fields of its kind besides.
    pub fn places(&self) -> Vec<&Place> {
        match self {
            Self::Template(template) | Self::Collect(_, template) => template.places(),
            Self::Conditional(condition, template) => condition.places().chain(template.places()).collect(),
            Self::Sort(parts, _) => parts.iter().flat_map(Template::places).collect(),
            Self::Listed(_, list, pair) => [list, pair].into_iter().flat_map(Template::places).collect(),
            Self::Code(text) => text.over().iter().collect(),
        }
    }

    /// Whether code writes it.
    pub fn is_code(&self) -> bool {
        matches!(self, Self::Code(_))
    }

    /// What it collects from, where it does.
    pub fn collected_from(&self) -> Option<CollectFrom> {
        match self {
            Self::Collect(collect, _) => Some(collect.collect),
            _ => None,
        }
    }

    /// Whether a field that the place names is among what it collects.
    pub fn collects(&self, place: &Place) -> bool {
        let Self::Collect(collect, _) = self else { return false };
        let name = match (place, collect.collect) {
            (Place::Json(steps), CollectFrom::Json) => steps.first(),
            (Place::Xml(path), CollectFrom::Xml) => path.first(),
            (Place::Form(name), CollectFrom::Form) | (Place::Query(name), CollectFrom::Query) => Some(name),
            _ => None,
        };
        name.is_some_and(|name| takes(collect, name.as_bytes()))
    }

    /// As [`collects`](Self::collects), where repeats are not provided for: not where they are dropped, or have an order.
    /// Nobody knows how code reads what comes twice.
    pub fn collects_once(&self, place: &Place) -> bool {
        let Self::Collect(collect, _) = self else { return self.is_code() };
        !collect.unique && collect.order != Order::KeyValue && self.collects(place)
    }

    /// Whether it collects the members of a JSON body, or code may.
    pub fn collects_json(&self) -> bool {
        self.is_code() || self.collected_from() == Some(CollectFrom::Json)
    }

    /// Its bytes for one request.
    pub fn render(&self, view: &View<'_>) -> Result<Vec<u8>, Unfit> {
        match self {
            Self::Template(template) => template.render(view),
            Self::Conditional(condition, template) => {
                condition.holds(view)?;
                template.render(view)
            }
            Self::Sort(parts, join) => {
                let mut values = parts.iter().map(|part| part.render(view)).collect::<Result<Vec<_>, _>>()?;
                values.sort_unstable();
                Ok(values.join(join.as_bytes()))
            }
            Self::Collect(collect, pair) => Self::collected(collect, pair, view),
            Self::Listed(listed, list, pair) => Self::listed(listed, list, pair, view),
            Self::Code(text) => text.render(view),
        }
    }

    /// The headers that the list names, in its order; one that the request lacks makes the whole missing.
    fn listed(listed: &ListedHeaders, list: &Template, pair: &Template, view: &View<'_>) -> Result<Vec<u8>, Unfit> {
        let names = String::from_utf8(list.render(view)?).map_err(|_| Unfit::Listed)?.to_ascii_lowercase();
        let names = names.split(listed.split.as_str()).map(str::trim).filter(|name| !name.is_empty());
        let mut out = Vec::new();
        for (index, name) in names.enumerate() {
            let place = Place::Header(name.parse().ok().filter(|_| index < MAX_LISTED).ok_or(Unfit::Listed)?);
            let value = view.bytes(&place).ok_or(Unfit::Missing(place))?;
            if index > 0 {
                out.extend_from_slice(listed.join.as_bytes());
            }
            pair.render_into(&Pair { name: name.as_bytes(), value: &value, view }, &mut out)?;
        }
        Ok(out)
    }

    fn collected(collect: &Collect, pair: &Template, view: &View<'_>) -> Result<Vec<u8>, Unfit> {
        let mut fields: Vec<Field<'_>> = match collect.collect {
            CollectFrom::Json => json_fields(collect, view)?,
            CollectFrom::Form => view.parsed.form().all().iter().map(borrowed).collect(),
            CollectFrom::Query => view.parsed.query().all().iter().map(borrowed).collect(),
            CollectFrom::Xml => xml_fields(view)?,
        };
        fields.retain(|(name, value)| takes(collect, name) && !(collect.skip_empty && value.is_empty()));
        match collect.order {
            Order::Key => fields.sort_by(|a, b| a.0.cmp(&b.0)),
            Order::KeyValue => fields.sort(),
            Order::None => {}
        }
        match collect.order {
            Order::KeyValue if collect.unique => fields.dedup(),
            _ if collect.unique => {
                let mut seen = std::collections::HashSet::new();
                fields.retain(|field| seen.insert(field.clone()));
            }
            _ => {}
        }
        let mut out = Vec::with_capacity(fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum());
        for (index, (name, value)) in fields.into_iter().enumerate() {
            if index > 0 {
                out.extend_from_slice(collect.join.as_bytes());
            }
            let (name, value) = (encoded(name, collect.encode), encoded(value, collect.encode));
            pair.render_into(&Pair { name: &name, value: &value, view }, &mut out)?;
        }
        Ok(out)
    }
}

fn takes(collect: &Collect, name: &[u8]) -> bool {
    let prefixed = collect.include_prefix.as_ref().is_none_or(|prefix| name.starts_with(prefix.as_bytes()));
    prefixed && !collect.exclude.iter().any(|excluded| excluded.as_bytes() == name)
}

fn borrowed<'a>((name, value): &'a Field<'_>) -> Field<'a> {
    (Cow::Borrowed(name), Cow::Borrowed(value))
}

/// Top-level members; nested ones compact, booleans as declared, nothing for what `skip_empty` drops.
fn json_fields<'v>(collect: &Collect, view: &View<'v>) -> Result<Vec<Field<'v>>, Unfit> {
    let document = view.parsed.json().ok_or(Unfit::Missing(Place::Body))?;
    let mut fields = Vec::with_capacity(16);
    for (name, value) in document.root().members() {
        let said = match value.kind() {
            _ if collect.skip_empty && value.is_empty() => Cow::Borrowed(&b""[..]),
            Kind::Bool => Cow::Owned(collect.bool[usize::from(value.raw() == "true")].clone().into_bytes()),
            Kind::Array | Kind::Object => {
                let mut compact = Vec::new();
                value.write_compact(&mut compact);
                Cow::Owned(compact)
            }
            _ => text(value.text()),
        };
        fields.push((text(name), said));
    }
    Ok(fields)
}

/// The root's children; nested ones as received between their tags.
fn xml_fields<'v>(view: &View<'v>) -> Result<Vec<Field<'v>>, Unfit> {
    let fields = view.parsed.xml().and_then(Xml::fields).ok_or(Unfit::Missing(Place::Body))?;
    Ok(fields.into_iter().map(|(name, value)| (Cow::Borrowed(name.as_bytes()), text(value))).collect())
}

fn encoded(bytes: Cow<'_, [u8]>, encode: Encode) -> Cow<'_, [u8]> {
    match encode {
        Encode::None => bytes,
        Encode::Rfc3986 => Cow::Owned(percent_encode(&bytes, RFC3986).to_string().into_bytes()),
        Encode::Form => Cow::Owned(percent_encode(&bytes, FORM).to_string().replace(' ', "+").into_bytes()),
    }
}

/// `${k}` and `${v}` over everything else.
struct Pair<'p> {
    name: &'p [u8],
    value: &'p [u8],
    view: &'p dyn Lookup,
}

impl Lookup for Pair<'_> {
    fn bytes(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
        match place {
            Place::Own("k") => Some(Cow::Borrowed(self.name)),
            Place::Own("v") => Some(Cow::Borrowed(self.value)),
            _ => self.view.bytes(place),
        }
    }
}

/// How many readings of others one `let` may come to.
const MAX_READINGS: usize = 1000;

/// Refuses a `let` that reads itself through others, and one that reads them without end.
pub fn acyclic(lets: &BTreeMap<String, Named>) -> Result<(), String> {
    type Costs<'l> = BTreeMap<&'l str, Option<usize>>;
    fn cost<'l>(name: &'l str, lets: &'l BTreeMap<String, Named>, known: &mut Costs<'l>) -> Result<usize, String> {
        match known.get(name) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => return Err(format!("let:{name} reads itself")),
            None => known.insert(name, None),
        };
        let mut total = 1;
        for place in lets.get(name).map(Named::places).unwrap_or_default() {
            if let Place::Let(next) = place {
                total += cost(next, lets, known)?;
            }
        }
        if total > MAX_READINGS {
            return Err(format!("let:{name} comes to more than {MAX_READINGS} readings of others"));
        }
        known.insert(name, Some(total));
        Ok(total)
    }
    let mut known = Costs::new();
    lets.keys().try_for_each(|name| cost(name, lets, &mut known).map(drop))
}

#[cfg(test)]
mod tests;
