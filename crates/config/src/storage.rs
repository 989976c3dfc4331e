//! `storage:`, in Firebell's words and in those of a prometheus.yml.

use firebell_model::Duration;
use firebell_tsdb::Options;

use crate::fields::Fields;
use crate::load::Loader;
use crate::size::parse_bytes;

/// Reads the section; where both say something, Firebell's own key counts.
pub(crate) fn read(loader: &Loader<'_>, parent: &Fields<'_, '_>) -> Options {
    let mut options = Options::default();
    let Some(node) = parent.get("storage") else {
        return options;
    };
    let fields = parent.doc.fields(node, "`storage`");
    read_upstream(loader, &fields, &mut options);
    if let Some(window) = fields.duration("out_of_order_window") {
        options.out_of_order_window = window;
    }
    set_retention(&fields, ("retention", "retention_bytes"), &mut options);
    if let Some(max) = fields.number("max_series").filter(|max| *max > 0) {
        options.series_max = max;
    }
    fields.finish();
    options
}

/// *Sources*: Prometheus, `config/config.go`, `TSDBConfig` and `ExemplarsConfig`.
fn read_upstream(loader: &Loader<'_>, storage: &Fields<'_, '_>, options: &mut Options) {
    if let Some(node) = storage.get("tsdb") {
        let tsdb = storage.doc.fields(node, "`tsdb`");
        if let Some(window) = tsdb.duration("out_of_order_time_window") {
            options.out_of_order_window = window;
        }
        if let Some(node) = tsdb.get("retention") {
            let retention = storage.doc.fields(node, "`retention`");
            set_retention(&retention, ("time", "size"), options);
            if retention.get("percentage").is_some() {
                let file = &storage.doc.file;
                loader.note(format!(
                    "{file}: `percentage` of `retention` is not used; set `size`"
                ));
            }
            retention.finish();
        }
        tsdb.ignore(&["stale_series_compaction_threshold"]);
        tsdb.finish();
    }
    if let Some(node) = storage.get("exemplars") {
        let exemplars = storage.doc.fields(node, "`exemplars`");
        let read = |text: &str| {
            let failed = |_| format!("`{text}` is not a whole number");
            text.parse::<i64>().map_err(failed)
        };
        if let Some(max) = exemplars.parsed("max_exemplars", read) {
            // None at all where it is negative.
            options.exemplars_max = usize::try_from(max).unwrap_or(0);
        }
        exemplars.finish();
    }
}

fn set_retention(
    fields: &Fields<'_, '_>,
    (time, size): (&'static str, &'static str),
    options: &mut Options,
) {
    if let Some(retention) = fields.duration(time).filter(|it| *it > Duration::ZERO) {
        options.retention = retention;
    }
    if let Some(bytes) = fields.parsed(size, parse_bytes) {
        options.retention_bytes = Some(bytes).filter(|bytes| *bytes > 0);
    }
}
