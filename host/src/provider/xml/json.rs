//! An XML document as JSON: text -> text, repeated -> list, nested -> object, attributes `@name`, text beside them `#text`.

use std::borrow::Cow;
use std::collections::HashMap;

use roxmltree::{Node, NodeId};

use super::super::json::{MAX_DEPTH, write_string};
use super::{NotXml, Xml, own_text};

impl Xml<'_> {
    /// Writes the root as an object, its name dropped, without the elements at these paths.
    pub fn write_json(&self, without: &[&[String]], out: &mut Vec<u8>) -> Result<(), NotXml> {
        let without = without.iter().filter_map(|path| self.at(path)).map(|node| node.id()).collect();
        let written = Writer { without, out }.object(self.0.root_element(), 1);
        written.ok_or_else(|| NotXml::whole("nested deeper than 128 as a JSON document"))
    }
}

struct Writer<'w> {
    without: Vec<NodeId>,
    out: &'w mut Vec<u8>,
}

/// What an object holds under one name.
enum Item<'d, 'i> {
    Text(Cow<'d, str>),
    Element(Node<'d, 'i>),
}

impl<'d, 'i> Writer<'_>
where
    'i: 'd,
{
    /// Nothing where it is nested too deep.
    fn element(&mut self, node: Node<'d, 'i>, depth: usize) -> Option<()> {
        match node.attributes().len() > 0 || node.children().any(|child| child.is_element()) {
            true => self.object(node, depth),
            false => {
                write_string(own_text(node).as_bytes(), self.out);
                Some(())
            }
        }
    }

    fn object(&mut self, node: Node<'d, 'i>, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.out.push(b'{');
        for (index, (name, items)) in self.members(node).into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write_string(name.as_bytes(), self.out);
            self.out.push(b':');
            self.items(items, depth + 1)?;
        }
        self.out.push(b'}');
        Some(())
    }

    fn items(&mut self, items: Vec<Item<'d, 'i>>, depth: usize) -> Option<()> {
        let list = items.len() > 1;
        if list && depth > MAX_DEPTH {
            return None;
        }
        let inner = if list { depth + 1 } else { depth };
        for (index, item) in items.into_iter().enumerate() {
            match (index, list) {
                (0, true) => self.out.push(b'['),
                (0, false) => {}
                (_, _) => self.out.push(b','),
            }
            match item {
                Item::Text(text) => write_string(text.as_bytes(), self.out),
                Item::Element(node) => self.element(node, inner)?,
            }
        }
        if list {
            self.out.push(b']');
        }
        Some(())
    }

    /// Attributes, elements and text, each name once, in the order in which they first come.
    fn members(&self, node: Node<'d, 'i>) -> Vec<(Cow<'d, str>, Vec<Item<'d, 'i>>)> {
        let attributes = node.attributes().map(|attribute| {
            (Cow::Owned(format!("@{}", attribute.name())), Item::Text(Cow::Borrowed(attribute.value())))
        });
        let elements = node.children().filter(|child| child.is_element() && !self.without.contains(&child.id()));
        let elements = elements.map(|child| (Cow::Borrowed(child.tag_name().name()), Item::Element(child)));
        let text = Some(own_text(node)).filter(|text| !text.trim().is_empty());
        let text = text.map(|text| (Cow::Borrowed("#text"), Item::Text(text)));
        let mut members: Vec<(Cow<'d, str>, Vec<Item<'d, 'i>>)> = Vec::new();
        let mut places: HashMap<Cow<'d, str>, usize> = HashMap::new();
        for (name, item) in attributes.chain(elements).chain(text) {
            let place = *places.entry(name.clone()).or_insert(members.len());
            match members.get_mut(place) {
                Some((_, items)) => items.push(item),
                None => members.push((name, vec![item])),
            }
        }
        members
    }
}
