//! Kind and unit of a metric as labels of its series: `--enable-feature=type-and-unit-labels`.
//!
//! *Sources*: Prometheus, `model/textparse` and `schema/labels.go`, as behaviour.

use firebell_model::{Metadata, MetricKind};

use super::{Given, Taking};

impl Taking<'_> {
    /// What the body says holds for the samples that follow, whatever they are called: as upstream, a
    /// kind until another is named, and so a unit.
    pub(in crate::scrape) fn say(&mut self, change: impl FnOnce(&mut Metadata)) {
        if self.treatment.has_type_labels {
            change(&mut self.said);
            if self.said.kind == MetricKind::Histogram {
                self.said_of_histogram.clone_from(&self.said);
            }
        }
    }

    /// Does something with what was said last of a histogram: one that was put together is done when
    /// the next metric has begun.
    pub(in crate::scrape) fn as_histogram<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        let said = std::mem::replace(&mut self.said, self.said_of_histogram.clone());
        let done = run(self);
        self.said = said;
        done
    }

    /// The labels of a series with what its metric is, where that is to be in labels.
    pub(super) fn typed(&self, mut given: Given) -> Given {
        if self.treatment.has_type_labels {
            let mut labels = given.labels.to_builder();
            self.said.set_labels(&mut labels);
            given.labels = labels.build();
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use expect_test::{Expect, expect};
    use firebell_config::{ExternalUrl, Files, load};
    use firebell_disk::MemoryDisk;
    use firebell_model::{Labels, Source as _, TimeRange, Timestamp};
    use firebell_tsdb::{Options, Store};
    use firebell_wire::exposition::{BodyFormat, Format};

    use super::super::{TargetSeries, Treatment};

    struct OneFile(&'static str);

    impl Files for OneFile {
        fn read(&self, _path: &Path) -> std::io::Result<String> {
            Ok(self.0.to_owned())
        }

        fn glob(&self, _pattern: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
            Ok(Vec::new())
        }
    }

    fn check(config: &'static str, format: Format, body: &str, expected: &Expect) {
        let file = Some(Path::new("firebell.yml"));
        let config = load(file, &ExternalUrl::default(), &OneFile(config)).unwrap();
        let treatment = Treatment {
            labels: Labels::empty(),
            job: Arc::new(config.scrape[0].clone()),
            zero_at_creation: false,
            has_type_labels: true,
        };
        let disk = Arc::new(MemoryDisk::default());
        let (store, _) = Store::open(disk, Options::default()).unwrap();
        let (body, at) = (body.replace("; ", "\n") + "\n", Timestamp(1000));
        let format = BodyFormat::Text(format);
        let mut series = TargetSeries::default();
        let taken = series.take(body.as_bytes(), format, at, &treatment, &store);
        assert_eq!(taken.refused, None);
        store.append(&taken.batch).unwrap();
        let range = TimeRange {
            after: Timestamp(0),
            until: at,
        };
        let all = store.view().select(&[], range).unwrap();
        let lines = all.iter().map(|it| format!("{}\n", it.labels()));
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn what_a_metric_is_goes_into_labels() {
        check(
            "scrape_configs: [{job_name: a}]",
            Format::Text,
            "# TYPE a counter; a 1; # TYPE h histogram; h_sum{__type__=\"mine\",__unit__=\"x\"} 2; \
             h_bucket{le=\"+Inf\"} 1; h_count 1; # TYPE u untyped; u{__type__=\"mine\"} 1",
            &expect![[r#"
                a{__type__="counter"}
                h_bucket{__type__="histogram", le="+Inf"}
                h_count{__type__="histogram"}
                h_sum{__type__="histogram", __unit__="x"}
                u{__type__="mine"}
            "#]],
        );
        check(
            "scrape_configs: [{job_name: a, convert_classic_histograms_to_nhcb: true}]",
            Format::OpenMetrics,
            "# TYPE h_seconds histogram; # UNIT h_seconds seconds; h_seconds_bucket{le=\"+Inf\"} 1; \
             h_seconds_sum 2; h_seconds_count 1; # TYPE s stateset; s{s=\"a\"} 1; # EOF",
            // The unit stays until another one comes, as upstream.
            &expect![[r#"
                h_seconds{__type__="histogram", __unit__="seconds"}
                s{__type__="stateset", __unit__="seconds", s="a"}
            "#]],
        );
    }

    #[test]
    fn relabelling_sees_what_a_metric_is() {
        check(
            "scrape_configs: [{job_name: a, metric_relabel_configs: [{source_labels: [__type__], \
             regex: gauge, action: drop}]}]",
            Format::Text,
            "# TYPE a counter; a 1; # TYPE b gauge; b 1",
            &expect![[r#"
                a{__type__="counter"}
            "#]],
        );
    }
}
