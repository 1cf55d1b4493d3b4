//! `when`: a condition over one request and its source's settings. Texts compare without case.

use hookport_plugin_api::description::When;

use super::place::Place;
use super::template::{Lookup, Unfit};

/// A compiled `when`; everything in it must hold.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    equals: Vec<(Place, Vec<String>)>,
    present: Vec<Place>,
    absent: Vec<Place>,
    method: Option<String>,
}

impl Condition {
    /// Compiles one.
    pub fn compile(written: &When) -> Result<Self, String> {
        let equal = |equal: &hookport_plugin_api::description::Equal| Ok((equal.source.parse()?, equal.texts.clone()));
        let places = |texts: &[String]| texts.iter().map(|text| text.parse()).collect::<Result<Vec<_>, String>>();
        Ok(Self {
            equals: written.equals.0.iter().map(equal).collect::<Result<_, String>>()?,
            present: places(&written.present)?,
            absent: places(&written.absent)?,
            method: written.method.clone(),
        })
    }

    /// Compiles one that chooses: it must say something.
    pub fn choosing(written: &When) -> Result<Self, String> {
        let lists = [&written.present, &written.absent];
        if written.equals.0.is_empty() && lists.iter().all(|list| list.is_empty()) && written.method.is_none() {
            return Err("would always hold: say equals, present, absent or method, or leave `when` out".into());
        }
        Self::compile(written)
    }

    /// The places that it reads.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.equals.iter().map(|(place, _)| place).chain(&self.present).chain(&self.absent)
    }

    /// Whether it holds; if not, the place that it failed on.
    pub fn holds(&self, lookup: &dyn Lookup) -> Result<(), Unfit> {
        let equal = |place: &Place, texts: &[String]| {
            lookup
                .bytes(place)
                .is_some_and(|bytes| texts.iter().any(|text| bytes.eq_ignore_ascii_case(text.as_bytes())))
        };
        if let Some((place, _)) = self.equals.iter().find(|(place, texts)| !equal(place, texts)) {
            return Err(Unfit::Missing(place.clone()));
        }
        if let Some(place) = self.present.iter().find(|place| lookup.bytes(place).is_none()) {
            return Err(Unfit::Missing(place.clone()));
        }
        if let Some(place) = self.absent.iter().find(|place| lookup.bytes(place).is_some()) {
            return Err(Unfit::Present(place.clone()));
        }
        let method = |wanted: &String| {
            lookup.bytes(&Place::Method).is_some_and(|method| method.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        match &self.method {
            Some(wanted) if !method(wanted) => Err(Unfit::Missing(Place::Method)),
            _ => Ok(()),
        }
    }
}
