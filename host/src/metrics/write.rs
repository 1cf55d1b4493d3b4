//! Families of the page: a name, a sentence, and a value for each set of labels. How they look as text is prometheus-client's.

use std::fmt::Error;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::histogram::{Histogram, Observed};

/// Labels of one value.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Writes families.
pub(super) struct Families<'a>(pub(super) DescriptorEncoder<'a>);

/// What a family is called, without `hookport_` where it is ours, its unit and `_total`; and what it says.
pub(super) struct Family {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
}

/// A family without a unit.
pub(super) fn family(name: &'static str, help: &'static str) -> Family {
    Family { name, help, unit: None }
}

impl Family {
    pub(super) fn seconds(self) -> Self {
        Self { unit: Some(Unit::Seconds), ..self }
    }

    pub(super) fn bytes(self) -> Self {
        Self { unit: Some(Unit::Bytes), ..self }
    }
}

impl Families<'_> {
    /// What only grows.
    pub(super) fn counters<'l>(
        &mut self,
        family: &Family,
        values: impl IntoIterator<Item = (Labels<'l>, u64)>,
    ) -> Result<(), Error> {
        self.each(family, MetricType::Counter, values, |metric, value| {
            metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }

    /// The same in parts.
    pub(super) fn parts<'l>(
        &mut self,
        family: &Family,
        values: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> Result<(), Error> {
        self.each(family, MetricType::Counter, values, |metric, value| {
            metric.encode_counter::<NoLabelSet, _, f64>(&value, None)
        })
    }

    /// What is so now.
    pub(super) fn gauges<'l>(
        &mut self,
        family: &Family,
        values: impl IntoIterator<Item = (Labels<'l>, f64)>,
    ) -> Result<(), Error> {
        self.each(family, MetricType::Gauge, values, |metric, value| metric.encode_gauge(&value))
    }

    /// Values by size.
    pub(super) fn histograms<'l, 'h>(
        &mut self,
        family: &Family,
        values: impl IntoIterator<Item = (Labels<'l>, &'h Histogram)>,
    ) -> Result<(), Error> {
        self.each(family, MetricType::Histogram, values, |metric, histogram| {
            let Observed { sum, count, buckets } = histogram.observed();
            metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }

    fn each<'l, V>(
        &mut self,
        family: &Family,
        kind: MetricType,
        values: impl IntoIterator<Item = (Labels<'l>, V)>,
        write: impl Fn(&mut MetricEncoder<'_>, V) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut metric = self.0.encode_descriptor(family.name, family.help, family.unit.as_ref(), kind)?;
        for (labels, value) in values {
            if labels.is_empty() {
                write(&mut metric, value)?;
            } else {
                write(&mut metric.encode_family(&labels)?, value)?;
            }
        }
        Ok(())
    }
}
