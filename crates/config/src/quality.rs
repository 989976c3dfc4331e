//! `quality` of firebell.yml: what stands beside the figures of how good alerts were.
//!
//! ```yaml
//! quality:
//!   figures:
//!     orders a day: sum(increase(orders_total[1d]))
//! ```

use std::sync::Arc;

use firebell_promql::Plan;

use crate::fields::Fields;

/// A figure of the business.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BusinessFigure {
    /// As people call it.
    pub name: String,
    /// What it is: PromQL, of one series.
    pub expr: String,
}

/// Reads the section.
pub(crate) fn read(parent: &Fields<'_, '_>) -> Arc<[BusinessFigure]> {
    let Some(node) = parent.get("quality") else {
        return Arc::default();
    };
    let fields = parent.doc.fields(node, "`quality`");
    let figures = fields.get("figures");
    let pairs = figures.map_or(Vec::new(), |it| fields.doc.text_map(it, "figures"));
    if pairs.len() > FIGURES_MAX {
        let message = format!("`figures` has more than {FIGURES_MAX} entries");
        fields.doc.problem(fields.at("figures"), message, None);
    }
    let read = pairs.into_iter().filter_map(|(entry, expr)| {
        let planned = Plan::with_features(&expr, fields.doc.features);
        match planned {
            Ok(_) => Some(BusinessFigure {
                name: entry.key.clone(),
                expr,
            }),
            Err(error) => {
                let message = format!("`figures`: `{}` is no PromQL: {error}", entry.key);
                fields.doc.problem(entry.value.at, message, None);
                None
            }
        }
    });
    let read = read.collect();
    fields.finish();
    read
}

/// The most figures: each is a query whenever somebody looks at a month.
const FIGURES_MAX: usize = 20;
