//! Requests as series, metric by metric.

use std::sync::Arc;

use firebell_model::{
    Exemplar, Histogram, HistogramSample, Labels, LabelsBuilder, METRIC_NAME, Metadata, MetricKind,
    STALE_NAN, Sample, Timestamp, format_float,
};

use super::attributes::push_attribute;
use super::deltas::Deltas;
use super::labels::{Resource, Scope, of_point};
use super::names::{NameKind, metric_name, unit_name};
use super::points::{ATTRIBUTES_MAX, Classic, Data, Kind, Point, TOO_MANY_ATTRIBUTES, millis};
use super::{Item, Options};
use crate::histogram::empty_of;
use crate::protobuf::{Malformed, Message};

/// Reads an `ExportMetricsServiceRequest`.
pub(super) fn translate(
    body: &[u8],
    options: &Options,
    deltas: &mut Deltas,
    take: &mut dyn FnMut(Item<'_>),
) -> Result<(), Malformed> {
    let mut translator = Translator {
        options,
        deltas,
        take,
        span: None,
        n_points: 0,
        start: None,
    };
    let mut request = Message::new(body);
    while let Some((number, value)) = request.next_field()? {
        if number == 1 {
            translator.resource(value.message()?)?;
        }
    }
    Ok(())
}

struct Translator<'t> {
    options: &'t Options,
    deltas: &'t mut Deltas,
    take: &'t mut dyn FnMut(Item<'_>),
    /// The earliest and the latest point of the resource, in nanoseconds.
    span: Option<(u64, u64)>,
    n_points: u64,
    /// When the series of the point at hand began, if that is to be told.
    start: Option<Timestamp>,
}

/// What holds for all points of a metric.
struct Metric<'a> {
    name: &'a str,
    help: &'a str,
    unit: &'a str,
    kind: Kind,
    data: Message<'a>,
    temporality: u64,
    is_monotonic: bool,
}

impl<'a> Metric<'a> {
    /// `None` when it has no data of a kind that is known.
    fn read(mut message: Message<'a>) -> Result<Option<Self>, Malformed> {
        let (mut name, mut help, mut unit, mut data) = ("", "", "", None);
        while let Some((number, value)) = message.next_field()? {
            match (number, Kind::of_field(number)) {
                (1, _) => name = value.text()?,
                (2, _) => help = value.text()?,
                (3, _) => unit = value.text()?,
                (_, Some(kind)) => data = Some((kind, value.message()?)),
                _ => {}
            }
        }
        let Some((kind, data)) = data else {
            return Ok(None);
        };
        let (mut temporality, mut is_monotonic) = (0, false);
        let mut fields = data;
        while let Some((number, value)) = fields.next_field()? {
            match number {
                2 => temporality = value.varint()?,
                3 => is_monotonic = value.varint()? != 0,
                _ => {}
            }
        }
        Ok(Some(Self {
            name,
            help,
            unit,
            kind,
            data,
            temporality,
            is_monotonic,
        }))
    }

    fn has_temporality(&self) -> bool {
        matches!(self.kind, Kind::Sum | Kind::Histogram | Kind::Exponential)
    }

    fn kinds(&self) -> (MetricKind, NameKind) {
        match self.kind {
            Kind::Gauge => (MetricKind::Gauge, NameKind::Gauge),
            Kind::Sum if self.is_monotonic => (MetricKind::Counter, NameKind::Counter),
            Kind::Sum => (MetricKind::Gauge, NameKind::Other),
            Kind::Histogram | Kind::Exponential => (MetricKind::Histogram, NameKind::Other),
            Kind::Summary => (MetricKind::Summary, NameKind::Other),
        }
    }
}

impl Translator<'_> {
    /// `ResourceMetrics`
    fn resource(&mut self, message: Message<'_>) -> Result<(), Malformed> {
        let mut attributes = Vec::new();
        let mut fields = message;
        while let Some((number, value)) = fields.next_field()? {
            let mut resource = match number {
                1 => value.message()?,
                _ => continue,
            };
            while let Some((number, value)) = resource.next_field()? {
                if number == 1 {
                    push_attribute(value.message()?, &mut attributes)?;
                }
                if attributes.len() > ATTRIBUTES_MAX {
                    return Err(TOO_MANY_ATTRIBUTES);
                }
            }
        }
        let resource = Resource::new(attributes, &self.options.promotion);
        self.span = None;
        let mut fields = message;
        while let Some((number, value)) = fields.next_field()? {
            if number == 2 {
                self.scope(&resource, value.message()?)?;
            }
        }
        self.target_info(&resource);
        Ok(())
    }

    /// `ScopeMetrics`
    fn scope(&mut self, resource: &Resource<'_>, message: Message<'_>) -> Result<(), Malformed> {
        let scope = read_scope(message)?;
        let mut fields = message;
        while let Some((number, value)) = fields.next_field()? {
            if number == 2
                && let Some(metric) = Metric::read(value.message()?)?
            {
                self.metric(resource, &scope, &metric)?;
            }
        }
        Ok(())
    }

    fn metric(
        &mut self,
        resource: &Resource<'_>,
        scope: &Scope<'_>,
        metric: &Metric<'_>,
    ) -> Result<(), Malformed> {
        let is_delta = metric.has_temporality() && metric.temporality == DELTA;
        let is_fine = !metric.has_temporality()
            || metric.temporality == CUMULATIVE
            || (is_delta && self.options.adds_deltas);
        let (kind, name_kind) = metric.kinds();
        let named = metric_name(metric.name, metric.unit, name_kind, self.options.naming);
        let said = self.options.has_type_labels.then(|| Metadata {
            kind,
            unit: unit_name(metric.unit, self.options.naming).into(),
            help: Arc::default(),
        });
        let mut n_points = 0;
        let mut fields = metric.data;
        while let Some((number, value)) = fields.next_field()? {
            if number != 1 {
                continue;
            }
            let mut point = Point::read(metric.kind, value.message()?)?;
            n_points += 1;
            self.n_points += 1;
            if self.n_points > POINTS_MAX {
                self.refuse(1, format!("the request has more than {POINTS_MAX} points"));
                continue;
            }
            let (earliest, latest) = self.span.unwrap_or((u64::MAX, 0));
            self.span = Some((earliest.min(point.nanos), latest.max(point.nanos)));
            let Some(name) = named.as_ref().ok().filter(|_| is_fine) else {
                continue;
            };
            let attributes = std::mem::take(&mut point.attributes);
            let mut labels = of_point(resource, scope, &attributes, self.options);
            if let Some(said) = &said {
                said.set_labels(&mut labels);
            }
            self.point(name, labels, point, is_delta);
        }
        let why = match named {
            _ if !is_fine => format!(
                "invalid temporality and type combination for metric {:?}",
                metric.name
            ),
            Err(why) => why,
            Ok(name) if n_points == 0 => format!("empty data points. {name} is dropped"),
            Ok(name) => {
                let metadata = Metadata {
                    kind,
                    help: metric.help.into(),
                    unit: metric.unit.into(),
                };
                (self.take)(Item::Metadata(&name, metadata));
                return Ok(());
            }
        };
        self.refuse(n_points, why);
        Ok(())
    }

    fn point(
        &mut self,
        name: &str,
        mut labels: LabelsBuilder,
        mut point: Point<'_>,
        is_delta: bool,
    ) {
        let at = point.at();
        let start = millis(point.start_nanos);
        let is_told = self.options.tells_beginnings && !is_delta && start.0 > 0 && start < at;
        self.start = is_told.then_some(start);
        if is_delta && !point.is_end {
            let mut key = labels.clone();
            key.set(METRIC_NAME, name);
            let delta = std::mem::take(&mut point.data);
            match self.deltas.add(key.build(), point.nanos, delta) {
                Ok(total) => point.data = total,
                Err(why) => return self.refuse(1, why),
            }
        }
        let is_end = point.is_end;
        match point.data {
            Data::Nothing => {}
            Data::Number(value) => {
                let labels = named(&mut labels, name);
                for exemplar in point.exemplars {
                    (self.take)(Item::Exemplar(labels.clone(), exemplar));
                }
                self.sample(labels, at, value, is_end);
            }
            Data::Classic(classic) if self.options.to_custom => {
                let native = classic.to_native();
                self.histogram(
                    named(&mut labels, name),
                    at,
                    native,
                    is_end,
                    point.exemplars,
                );
            }
            Data::Classic(classic) => {
                self.classic(name, labels, at, &classic, is_end, point.exemplars);
            }
            Data::Exponential(exponential) => {
                let native = exponential.to_native();
                self.histogram(
                    named(&mut labels, name),
                    at,
                    native,
                    is_end,
                    point.exemplars,
                );
            }
            Data::Summary {
                count,
                sum,
                quantiles,
            } => {
                self.sample(named(&mut labels, &format!("{name}_sum")), at, sum, is_end);
                let count_labels = named(&mut labels, &format!("{name}_count"));
                self.sample(count_labels, at, count as f64, is_end);
                for (quantile, value) in quantiles {
                    labels.set("quantile", plain(quantile));
                    self.sample(named(&mut labels, name), at, value, is_end);
                }
            }
        }
    }

    fn classic(
        &mut self,
        name: &str,
        mut labels: LabelsBuilder,
        at: Timestamp,
        classic: &Classic,
        is_end: bool,
        mut exemplars: Vec<Exemplar>,
    ) {
        if let Some(sum) = classic.sum {
            self.sample(named(&mut labels, &format!("{name}_sum")), at, sum, is_end);
        }
        let count = classic.count as f64;
        let count_labels = named(&mut labels, &format!("{name}_count"));
        self.sample(count_labels, at, count, is_end);
        let bucket = format!("{name}_bucket");
        let mut below = 0_u64;
        let buckets = classic.bounds.iter().zip(&classic.counts);
        let bounded = buckets.map(|(bound, count)| {
            below = below.saturating_add(*count);
            (*bound, below as f64)
        });
        let mut all: Vec<(f64, f64)> = bounded.collect();
        all.push((f64::INFINITY, count));
        for (bound, count) in all {
            labels.set("le", plain(bound));
            let labels = named(&mut labels, &bucket);
            for exemplar in exemplars.extract_if(.., |exemplar| exemplar.value <= bound) {
                (self.take)(Item::Exemplar(labels.clone(), exemplar));
            }
            self.sample(labels, at, count, is_end);
        }
    }

    fn sample(&mut self, labels: Labels, at: Timestamp, value: f64, is_end: bool) {
        let value = if is_end { STALE_NAN } else { value };
        if let Some(start) = self.start {
            (self.take)(Item::Beginning(labels.clone(), start, None));
        }
        (self.take)(Item::Sample(labels, Sample { at, value }));
    }

    fn histogram(
        &mut self,
        labels: Labels,
        at: Timestamp,
        native: Result<Histogram, String>,
        is_end: bool,
        exemplars: Vec<Exemplar>,
    ) {
        let histogram: Arc<Histogram> = match native {
            _ if is_end => Histogram::stale().into(),
            Ok(histogram) => histogram.into(),
            Err(why) => return self.refuse(1, format!("{labels}: {why}")),
        };
        for exemplar in exemplars {
            (self.take)(Item::Exemplar(labels.clone(), exemplar));
        }
        if let Some(start) = self.start {
            let empty = empty_of(&histogram);
            (self.take)(Item::Beginning(labels.clone(), start, Some(empty)));
        }
        (self.take)(Item::Histogram(labels, HistogramSample { at, histogram }));
    }

    /// Samples of `target_info` over the time of the points, so close that queries find one.
    fn target_info(&mut self, resource: &Resource<'_>) {
        self.start = None;
        let Some((earliest, latest)) = self.span else {
            return;
        };
        let Some(labels) = resource.target_info(self.options) else {
            return;
        };
        // Points of a hostile request may lie any time apart.
        let longest = TARGET_INFO_NANOS * TARGET_INFO_SAMPLES_MAX;
        let mut nanos = earliest.max(latest.saturating_sub(longest));
        while nanos < latest && self.n_points < POINTS_MAX {
            self.n_points += 1;
            self.sample(labels.clone(), millis(nanos), 1.0, false);
            nanos = nanos.saturating_add(TARGET_INFO_NANOS);
        }
        let before = nanos.saturating_sub(TARGET_INFO_NANOS);
        if earliest == latest || millis(before) < millis(latest) {
            self.sample(labels, millis(latest), 1.0, false);
        }
    }

    fn refuse(&mut self, points: u64, why: String) {
        (self.take)(Item::Refused { points, why });
    }
}

fn read_scope(message: Message<'_>) -> Result<Scope<'_>, Malformed> {
    let mut scope = Scope::default();
    let mut fields = message;
    while let Some((number, value)) = fields.next_field()? {
        match number {
            1 => {
                let mut fields = value.message()?;
                while let Some((number, value)) = fields.next_field()? {
                    match number {
                        1 => scope.name = value.text()?,
                        2 => scope.version = value.text()?,
                        3 => push_attribute(value.message()?, &mut scope.attributes)?,
                        _ => {}
                    }
                    if scope.attributes.len() > ATTRIBUTES_MAX {
                        return Err(TOO_MANY_ATTRIBUTES);
                    }
                }
            }
            3 => scope.schema_url = value.text()?,
            _ => {}
        }
    }
    Ok(scope)
}

fn named(labels: &mut LabelsBuilder, name: &str) -> Labels {
    labels.set(METRIC_NAME, name);
    labels.clone().build()
}

/// A bound or quantile without an exponent, such as `0.5`, `10`, `+Inf`.
fn plain(value: f64) -> String {
    if value.is_finite() {
        value.to_string()
    } else {
        format_float(value)
    }
}

/// `AggregationTemporality`
const DELTA: u64 = 1;
const CUMULATIVE: u64 = 2;
/// Points of a request, and samples of `target_info`; more are refused.
const POINTS_MAX: u64 = 1_000_000;
/// Half of the time for which a query looks back.
const TARGET_INFO_NANOS: u64 = 150_000_000_000;
/// Samples of `target_info` for one resource: the last day and a half.
const TARGET_INFO_SAMPLES_MAX: u64 = 1000;
