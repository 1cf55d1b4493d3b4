//! What can be wrong with a handshake among the rest of its description.

use std::collections::BTreeMap;

use hookport_plugin_api::description::{Description, SecretKind, When};

use super::Handshake;
use crate::provider::check::{Check, METHODS};
use crate::provider::complaint::did_you_mean;
use crate::provider::named::{Named, acyclic};
use crate::provider::place::Place;

/// What a token must never be able to be where it is signed: the smallest bodies of events.
const EVENTS: [&str; 4] = ["{}", "[{\"id\":1}]", "id=1&type=a", "<xml></xml>"];

impl Check<'_> {
    pub(in crate::provider) fn handshakes(
        &mut self,
        description: &Description,
        lets: &BTreeMap<String, Named>,
    ) -> Vec<Handshake> {
        // Said already; what reads itself has no end here either.
        if acyclic(lets).is_err() {
            return Vec::new();
        }
        let mut handshakes = Vec::new();
        for (index, written) in description.handshake.iter().enumerate() {
            match Handshake::compile(written, lets) {
                Ok(handshake) => {
                    let key = format!("handshake.{index}");
                    self.asked(&format!("{key}.when"), &written.when, &handshake, description);
                    self.handshake(&key, &handshake, description, lets);
                    handshakes.push(handshake);
                }
                Err(wrong) => {
                    wrong.into_iter().for_each(|(key, message)| self.add(&format!("handshake.{index}.{key}"), message));
                }
            }
        }
        handshakes
    }

    fn handshake(
        &mut self,
        key: &str,
        handshake: &Handshake,
        description: &Description,
        lets: &BTreeMap<String, Named>,
    ) {
        if handshake.places().iter().any(|place| matches!(place, Place::Own(_))) {
            self.add(key, "now, ack, mac, k and v are not there in a handshake; its MAC is ${let:mac}");
        }
        for (name, _) in &handshake.capture {
            match description.secrets.get(name) {
                None => {
                    let near = did_you_mean(name, description.secrets.keys().map(String::as_str));
                    self.add(&format!("{key}.capture"), format!("{name} is not declared under [secrets]{near}"));
                }
                Some(slot) if slot.kind == SecretKind::PrivateKey => {
                    self.add(
                        &format!("{key}.capture"),
                        format!("{name} is our own private key: nobody tells it to us"),
                    );
                }
                Some(_) => {}
            }
        }
        if handshake.mac.is_some() {
            if lets.contains_key("mac") {
                self.add("let.mac", format!("{key}.mac takes this name"));
            }
            if EVENTS.iter().any(|event| handshake.token.fits(event.as_bytes())) {
                let message = "lets an event through: whoever asks could have one signed; name the letters of a token";
                self.add(&format!("{key}.token_pattern"), message);
            }
        }
        let proves = description.verify.iter().any(|table| table.alg != "none");
        if handshake.signed && !proves {
            self.add(&format!("{key}.signed"), "the provider signs nothing: there is no [[verify]] that could hold");
        }
    }

    /// A handshake must leave the events alone.
    fn asked(&mut self, key: &str, written: &When, handshake: &Handshake, description: &Description) {
        let routed = |method: &String| description.route.iter().any(|route| route.methods.contains(method));
        let named = !written.equals.0.is_empty() || !written.present.is_empty();
        let named = named || (handshake.signed && !written.absent.is_empty());
        match &handshake.method {
            Some(method) if !METHODS.contains(&method.as_str()) => {
                self.add(key, format!("{method:?} is not a method: {}", METHODS.join(", ")));
            }
            None if !named => self.add(key, "would answer every request: name what a handshake has (equals, present)"),
            Some(method) if !named && routed(method) => {
                let message = format!("would answer every {method}: name what a handshake has (equals, present)");
                self.add(key, message);
            }
            _ => {}
        }
    }
}
