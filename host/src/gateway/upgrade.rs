//! The plugins alone, while everything else stays: taken anew from their folders, or back to an earlier build.

use std::collections::BTreeMap;

use super::core::{Core, Running};
use super::plugins::{Plugin, Plugins};
use super::reload::{Reloads, wrong};
use crate::admin::{Refusal, Renew, Renewed, Renewing, Upgraded};
use crate::plugin::{Ask, Store};
use crate::provider::complaint::Complaint;

impl Core {
    /// Takes on what somebody asks for; what cannot be taken on stays as it is, and is told.
    async fn renew(&self, ask: Ask) -> Result<Renewed, Vec<Complaint>> {
        let mut running = self.running.lock().await;
        let running = running.as_mut().ok_or_else(|| wrong("the gateway is ending"))?;
        let origin = self.origin.get().cloned();
        let origin =
            origin.ok_or_else(|| wrong("this gateway was not started from a file: it has no plugins to reload"))?;
        let (before, asked) = (running.plugins.clone(), ask.clone());
        let read = tokio::task::spawn_blocking(move || origin.renew(&before, &asked)).await;
        let (config, plugins) = read.unwrap_or_else(|error| Err(wrong(&format!("it broke off: {error}"))))?;
        let outcome = outcome(&running.plugins, &plugins, &ask);
        self.exchange(running, config, plugins, false).await?;
        if ask != Ask::Nothing {
            running.plugins.release();
        }
        log(&outcome);
        Ok(outcome)
    }

    /// What the gateway began with is written down, now that the journal's folder is ours.
    pub(super) async fn begun(&self) {
        if let Some(Running { config, plugins, .. }) = self.running.lock().await.as_ref() {
            plugins.write_down(&Store::beside(&config.journal.path));
        }
    }
}

/// What is begun is finished, also when whoever asked hangs up.
impl Renew for Reloads {
    fn renew(&self, ask: Ask) -> Renewing {
        let core = self.0.upgrade();
        let task = tokio::spawn(async move {
            let core = core.ok_or_else(|| wrong("the gateway is ending"))?;
            let renewed = core.renew(ask).await;
            for complaint in renewed.as_ref().err().into_iter().flatten() {
                tracing::error!("the plugins stay as they are: {complaint}");
            }
            renewed
        });
        Box::pin(async move { task.await.unwrap_or_else(|error| Err(wrong(&format!("it broke off: {error}")))) })
    }
}

fn outcome(before: &Plugins, after: &Plugins, ask: &Ask) -> Renewed {
    let meant = |id: &str| ask.names().is_none_or(|named| named == id);
    let changed = |(id, plugin): (&String, &Plugin)| {
        let old = before.by_id.get(id);
        let is_other = old.is_none_or(|old| (old.generation, &old.sha256) != (plugin.generation, &plugin.sha256));
        is_other.then(|| Upgraded {
            provider: id.clone(),
            from: old.map(|old| old.provider.version.to_string()),
            version: plugin.provider.version.to_string(),
            generation: plugin.generation,
            sha256: plugin.sha256.clone(),
        })
    };
    let refused = |(id, plugin): (&String, &Plugin)| {
        let on_disk = plugin.on_disk.as_ref().filter(|_| meant(id))?;
        // Nobody needs to hear twice of what nobody asked about.
        let known = before.by_id.get(id).and_then(|old| old.on_disk.as_ref()) == Some(on_disk);
        let reason = on_disk.refused.clone().filter(|_| *ask != Ask::Nothing || !known)?;
        let (file, serving) = (plugin.file.clone(), Some(plugin.provider.version.to_string()));
        Some(Refusal { provider: Some(id.clone()), file, version: on_disk.version.clone(), reason, serving })
    };
    let unusable = after.refused.iter().filter(|refused| ask.names().is_none() && !before.refused.contains(refused));
    let unusable = unusable.map(|(file, reason)| {
        let (file, reason) = (file.clone(), reason.clone());
        Refusal { provider: None, file, version: None, reason, serving: None }
    });
    let removed: BTreeMap<_, _> = before.by_id.iter().filter(|(id, _)| !after.by_id.contains_key(*id)).collect();
    Renewed {
        changed: after.by_id.iter().filter_map(changed).collect(),
        removed: removed.into_keys().cloned().collect(),
        refused: after.by_id.iter().filter_map(refused).chain(unusable).collect(),
    }
}

fn log(renewed: &Renewed) {
    for upgraded in &renewed.changed {
        tracing::info!("{upgraded}");
    }
    for id in &renewed.removed {
        tracing::info!("{id} is gone");
    }
    for refusal in &renewed.refused {
        tracing::error!("{refusal}");
    }
}
