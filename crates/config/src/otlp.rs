//! How OpenTelemetry metrics become series: section `otlp`.
//!
//! *Sources*: Prometheus, `config/config.go` (`OTLPConfig`), with its texts.

use std::collections::BTreeSet;

use crate::fields::Fields;

/// Section `otlp`, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Otlp {
    /// How names are made.
    pub naming: OtlpNaming,
    /// Which attributes of a resource become labels of its series.
    pub promotion: OtlpPromotion,
    /// Whether `target_info` has also what `job` and `instance` are made of.
    pub keep_identifying: bool,
    /// Whether histograms with bounds become native ones with custom buckets.
    pub to_custom: bool,
    /// Whether the scope's name, version and attributes become labels.
    pub promote_scope: bool,
    /// Whether deltas are added up rather than refused; an own key, on unless it says `false`.
    pub adds_deltas: bool,
}

/// How names of metrics and labels are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtlpNaming {
    /// Names keep all their characters.
    pub is_utf8: bool,
    /// Units and `total` are appended.
    pub has_suffixes: bool,
    /// Names of labels that begin with one `_` get `key` in front, unless they keep all characters.
    pub prefixes_underscores: bool,
    /// Neighbouring `_` of names of labels stay as many as they are.
    pub keeps_underscores: bool,
}

/// Attributes of a resource that become labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OtlpPromotion {
    /// These.
    Only(BTreeSet<String>),
    /// All but these.
    AllBut(BTreeSet<String>),
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            naming: OtlpNaming {
                is_utf8: false,
                has_suffixes: true,
                prefixes_underscores: true,
                keeps_underscores: true,
            },
            promotion: OtlpPromotion::Only(BTreeSet::new()),
            keep_identifying: false,
            to_custom: false,
            promote_scope: false,
            adds_deltas: true,
        }
    }
}

impl Otlp {
    /// Reads the section; defaults when it is absent.
    pub(crate) fn read(parent: &Fields<'_, '_>) -> Self {
        let Some(node) = parent.get("otlp") else {
            return Self::default();
        };
        let fields = parent.doc.fields(node, "`otlp`");
        let is_on = |name| fields.bool(name).unwrap_or(false);
        let otlp = Self {
            naming: naming(&fields),
            promotion: promotion(&fields),
            keep_identifying: is_on("keep_identifying_resource_attributes"),
            to_custom: is_on("convert_histograms_to_nhcb"),
            promote_scope: is_on("promote_scope_metadata"),
            adds_deltas: fields.bool("delta_to_cumulative").unwrap_or(true),
        };
        fields.finish();
        otlp
    }
}

fn naming(fields: &Fields<'_, '_>) -> OtlpNaming {
    let strategy = fields.parsed("translation_strategy", |text| {
        Ok(match text {
            "UnderscoreEscapingWithSuffixes" | "" => (false, true),
            "UnderscoreEscapingWithoutSuffixes" => (false, false),
            "NoUTF8EscapingWithSuffixes" => (true, true),
            "NoTranslation" => (true, false),
            _ => return Err(format!("unsupported OTLP translation strategy {text:?}")),
        })
    });
    let (is_utf8, has_suffixes) = strategy.unwrap_or((false, true));
    let is_on = |name| fields.bool(name).unwrap_or(true);
    OtlpNaming {
        is_utf8,
        has_suffixes,
        prefixes_underscores: is_on("label_name_underscore_sanitization"),
        keeps_underscores: is_on("label_name_preserve_multiple_underscores"),
    }
}

fn promotion(fields: &Fields<'_, '_>) -> OtlpPromotion {
    let takes_all = fields
        .bool("promote_all_resource_attributes")
        .unwrap_or(false);
    let promoted = names(fields, "promote_resource_attributes", "promoted");
    let ignored = names(fields, "ignore_resource_attributes", "ignored");
    let problem = match takes_all {
        true if !promoted.is_empty() => {
            "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be \
             configured simultaneously"
        }
        false if !ignored.is_empty() => {
            "'ignore_resource_attributes' only allowed when 'promote_all_resource_attributes' is \
             true"
        }
        _ => "",
    };
    if !problem.is_empty() {
        let name = if takes_all {
            "promote_resource_attributes"
        } else {
            "ignore_resource_attributes"
        };
        fields.doc.problem(fields.at(name), problem, None);
    }
    if takes_all {
        OtlpPromotion::AllBut(ignored)
    } else {
        OtlpPromotion::Only(promoted)
    }
}

fn names(fields: &Fields<'_, '_>, name: &'static str, role: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for text in fields.texts(name) {
        let text = text.trim().to_owned();
        let problem = if text.is_empty() {
            format!("empty {role} OTel resource attribute")
        } else if names.contains(&text) {
            format!("duplicated {role} OTel resource attribute {text:?}")
        } else {
            names.insert(text);
            continue;
        };
        fields.doc.problem(fields.at(name), problem, None);
    }
    names
}
