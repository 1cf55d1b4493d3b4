//! Which texts a handshake signs for whoever asks. An event whose signed text is among them proves nothing: its sender may
//! have had the signature from us.

use std::collections::BTreeMap;

use super::token::{LONGEST, Token};
use super::{is_of_request, spoken};
use crate::provider::compile::reach;
use crate::provider::named::Named;
use crate::provider::place::Place;
use crate::provider::template::{Part, Template};
use crate::provider::view::View;

/// Ways that groups and fallbacks may give one message.
const MAX_SHAPES: usize = 16;
/// Texts of the request in one message: where each ends is searched for.
const MAX_TOKENS: usize = 2;

/// The shapes that a message may have.
pub(super) struct Domain(Vec<Vec<Piece>>);

#[derive(Clone)]
enum Piece {
    /// As written.
    Text(String),
    /// What the request chooses.
    Token,
    /// Secrets and settings.
    Known(Template),
}

impl Domain {
    /// Takes a message apart; what it cannot tell from any other text is refused.
    pub(super) fn compile(message: &Template, lets: &BTreeMap<String, Named>) -> Result<Self, String> {
        let mut shapes = vec![Vec::new()];
        extend(&mut shapes, message, lets)?;
        let tokens = |shape: &Vec<Piece>| shape.iter().filter(|piece| matches!(piece, Piece::Token)).count();
        if shapes.iter().all(|shape| tokens(shape) == 0) {
            return Err("reads nothing of the request: whoever asks would be answered the same".into());
        }
        if shapes.iter().any(|shape| tokens(shape) > MAX_TOKENS) {
            return Err(format!("reads more than {MAX_TOKENS} texts of the request"));
        }
        Ok(Self(shapes))
    }

    /// Whether a message is one that the handshake could have signed.
    pub(super) fn holds(&self, message: &[u8], token: &Token, view: &View<'_>) -> bool {
        self.0.iter().any(|shape| {
            let pieces: Option<Vec<Option<Vec<u8>>>> = shape
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => Some(Some(text.clone().into_bytes())),
                    Piece::Token => Some(None),
                    // What cannot be rendered was never signed.
                    Piece::Known(template) => template.render(view).ok().map(Some),
                })
                .collect();
            pieces.is_some_and(|pieces| fits(&pieces, message, token))
        })
    }
}

/// Whether the pieces, of which a token is `None`, can be the message.
fn fits(pieces: &[Option<Vec<u8>>], message: &[u8], token: &Token) -> bool {
    match pieces {
        [] => message.is_empty(),
        [None] => token.fits(message),
        [Some(text), rest @ ..] => message.strip_prefix(text.as_slice()).is_some_and(|left| fits(rest, left, token)),
        [None, rest @ ..] => (0..=message.len().min(LONGEST))
            .any(|end| token.fits(&message[..end]) && fits(rest, &message[end..], token)),
    }
}

/// Appends what a template may come to, to every shape.
fn extend(shapes: &mut Vec<Vec<Piece>>, template: &Template, lets: &BTreeMap<String, Named>) -> Result<(), String> {
    for part in &template.parts {
        match part {
            Part::Literal(text) => append(shapes, Piece::Text(text.clone())),
            Part::Group(group) => {
                let without = shapes.clone();
                extend(shapes, group, lets)?;
                shapes.extend(without);
            }
            Part::Value { place, filters, fallback } => {
                let known = Template { parts: vec![part.clone()] };
                if !spoken(&known, lets)?.iter().any(is_of_request) {
                    let open = reach([place], lets).into_iter().find(|place| !is_ours(place));
                    if let Some(open) = open {
                        return Err(format!(
                            "{place} depends on the request ({open}): what is signed could not be foretold"
                        ));
                    }
                    append(shapes, Piece::Known(known));
                    continue;
                }
                if !filters.is_empty() {
                    return Err(format!(
                        "{place} goes through filters: what is signed could not be told from an event's text"
                    ));
                }
                let without = fallback.is_some().then(|| shapes.clone());
                match place {
                    Place::Let(name) => extend_let(shapes, name, lets)?,
                    _ => append(shapes, Piece::Token),
                }
                if let (Some(mut without), Some(text)) = (without, fallback) {
                    append(&mut without, Piece::Text(text.clone()));
                    shapes.extend(without);
                }
            }
        }
        if shapes.len() > MAX_SHAPES {
            return Err(format!("has more than {MAX_SHAPES} shapes: use fewer groups and fallbacks"));
        }
    }
    Ok(())
}

/// Whether a place is the same whoever asks, and however.
fn is_ours(place: &Place) -> bool {
    matches!(place, Place::Secret(_) | Place::Config(_) | Place::Let(_))
}

fn extend_let(shapes: &mut Vec<Vec<Piece>>, name: &str, lets: &BTreeMap<String, Named>) -> Result<(), String> {
    match lets.get(name) {
        Some(Named::Template(template) | Named::Conditional(_, template)) => extend(shapes, template, lets),
        _ => Err(format!("let:{name} is no template: what is signed could not be told from an event's text")),
    }
}

fn append(shapes: &mut [Vec<Piece>], piece: Piece) {
    shapes.iter_mut().for_each(|shape| shape.push(piece.clone()));
}
