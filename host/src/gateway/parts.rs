//! What a gateway is made of, made of its configuration and its plugins. Nothing is started here; all that is wrong is said.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Plugin, Plugins};
use crate::admin::shown::{LoadedShown, OnDiskShown, PluginShown, SourceShown};
use crate::clock::Clock;
use crate::config::Config;
use crate::event::OWN_SOURCE;
use crate::inbound::{Decoder, Limits};
use crate::journal::{Listener, Lost, Why};
use crate::notices::{Notice, Notices};
use crate::operations::Operations;
use crate::outbound::{Destination, Order, Routes};
use crate::plugin::{Mapped, OnDisk, mapped};
use crate::provider::complaint::Complaint;
use crate::provider::source::Source;
use crate::provider::sources::Sources;

/// Every source made ready, or everything that is wrong with any.
pub fn sources(config: &Config, plugins: &Plugins) -> Result<Sources, Vec<Complaint>> {
    let (mut sources, mut wrong) = (Vec::new(), Vec::new());
    let complain = |key: String, message: String| config.complaint(&key, message);
    for (name, source) in &config.sources {
        let Some(plugin) = plugins.by_id.get(&source.provider) else {
            wrong.push(complain(
                format!("sources.{name}.provider"),
                format!("no plugin has the provider {:?}", source.provider),
            ));
            continue;
        };
        match Source::build(name, plugin.provider.clone(), source.parts.clone()) {
            Ok(source) => sources.push(source),
            Err(errors) => wrong.extend(errors.into_iter().map(|error| {
                let (key, message) = error.split_once(": ").unwrap_or(("", &error));
                complain(format!("sources.{name}.{key}"), message.to_owned())
            })),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Sources::new(sources).map_err(|second| {
        vec![complain(format!("sources.{}.path", second.name), "is also the path of another source".into())]
    })
}

/// Routes and destinations made ready, or everything that is wrong with any.
pub fn routing(config: &Config) -> Result<(Routes, Vec<Destination>), Vec<Complaint>> {
    let complain = |key: String, message: String| config.complaint(&key, message);
    let mut wrong = Vec::new();
    let (mut destinations, mut orders) = (Vec::new(), Vec::new());
    for (name, destination) in &config.destinations {
        match destination.order().map(|order| Order::compile(&order.by)).transpose() {
            Ok(order) => orders.extend(order.map(|order| (name.as_str(), order))),
            Err(error) => wrong.push(complain(format!("destinations.{name}.order_by"), error.to_string())),
        }
        match Destination::build(name, destination) {
            Ok(destination) => destinations.push(destination),
            Err(error) => {
                let error = error.to_string();
                let (key, message) = error.split_once(": ").unwrap_or(("", &error));
                wrong.push(complain(format!("destinations.{name}.{key}"), message.to_owned()));
            }
        }
    }
    let routes = Routes::compile(&config.routes).map_err(|errors| {
        wrong.extend(
            errors.iter().map(|error| complain(format!("routes.{}.when", error.index), error.error.to_string())),
        );
    });
    match (routes, wrong.is_empty()) {
        (Ok(routes), true) => {
            let raw =
                destinations.iter().filter(|destination| destination.is_once_per_request()).map(Destination::name);
            let holding = destinations.iter().filter(|destination| destination.holds()).map(Destination::name);
            Ok((routes.with_once_per_request(raw).with_holding(holding).with_orders(orders), destinations))
        }
        _ => Err(wrong),
    }
}

/// What can be called, through which code.
pub fn operations(sources: &Sources, plugins: &Plugins, clock: &Clock) -> Operations {
    let code = |provider: &str| plugins.by_id.get(provider)?.code.clone();
    Operations::new(sources.iter(), code, clock)
}

pub(super) fn decoders(plugins: &Plugins) -> HashMap<Arc<str>, Decoder> {
    let decoders = plugins
        .by_id
        .values()
        .filter_map(|plugin| Some((plugin.provider.id.clone(), Decoder::new(plugin.code.clone()?, &plugin.file))));
    decoders.collect()
}

pub(super) fn limits(config: &Config) -> Limits {
    let server = &config.server;
    Limits {
        max_body: server.max_body,
        request_timeout: server.request_timeout,
        max_connections: server.max_connections,
        max_connections_per_address: server.max_connections_per_address,
        trusted_proxies: server.trusted_proxies.clone(),
        proxy_protocol: server.proxy_protocol,
        tls: server.tls.clone(),
    }
}

/// What the admin API shows of the plugins.
pub(super) fn plugins_shown(plugins: &Plugins) -> Arc<[PluginShown]> {
    plugins.by_id.values().map(plugin_shown).collect()
}

/// What is shown of a plugin.
pub fn plugin_shown(plugin: &Plugin) -> PluginShown {
    let description = &plugin.provider.description;
    let Mapped { generations, bytes } = mapped(&description.provider.id);
    let on_disk = plugin.on_disk.clone();
    PluginShown {
        standing: plugin.standing.word().to_owned(),
        generation: plugin.generation,
        on_disk: on_disk.map(|OnDisk { sha256, version, refused }| OnDiskShown { version, sha256, refused }),
        loaded: LoadedShown { generations, bytes },
        ..PluginShown::new(description, &plugin.file, &plugin.sha256, plugin.code.as_ref())
    }
}

/// What the admin API shows of the sources.
pub(super) fn sources_shown(config: &Config, plugins: &Plugins) -> Arc<[SourceShown]> {
    let shown = config.sources.iter().filter_map(|(name, source)| {
        let description = &plugins.by_id.get(&source.provider)?.provider.description;
        Some(SourceShown::new(name, source, description))
    });
    shown.collect()
}

/// Tells of deliveries that the journal gives up; of the gateway's own events nothing more is told.
pub(super) fn tell_losses(notices: &Arc<Notices>, clock: &Clock) -> Listener {
    // The journal outlives who records in it.
    let (notices, clock) = (Arc::downgrade(notices), clock.clone());
    Box::new(move |lost| {
        let Some(notices) = notices.upgrade().filter(|_| *lost.source != *OWN_SOURCE) else { return };
        let Lost { delivery, event, kind, source, destination, attempts, why } = lost;
        let reason = match why {
            Why::Damaged => "damaged",
            Why::Erased => "erased",
        };
        let status = None;
        notices.tell(
            clock.now(),
            Notice::Exhausted { delivery, event, kind, source, destination, attempts, reason, status },
        );
    })
}
