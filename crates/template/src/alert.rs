//! Templates of alerting rules: labels and annotations, as in Prometheus.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{Labels, SampleValue, Timestamp};

use crate::ast::Definition;
use crate::error::TemplateError;
use crate::exec::{Context, run};
use crate::functions::Functions;
use crate::mention::{Mention, mentions};
use crate::parser::{Parsed, parse};
use crate::value::Value;

/// A compiled text of a rule; `Send`, `Sync`, cheap to expand. A text without an action is kept as
/// it is and costs nothing.
#[derive(Clone, Debug)]
pub struct Template(Form);

#[derive(Clone, Debug)]
enum Form {
    Plain(Arc<str>),
    Parsed(Arc<Parsed>),
}

/// What a rule's template sees.
#[derive(Clone, Copy, Debug)]
pub struct AlertData<'a> {
    /// `$labels`, `.Labels`: those of the sample, with `__name__`.
    pub labels: &'a Labels,
    /// `$externalLabels`, `.ExternalLabels`.
    pub external_labels: &'a Labels,
    /// `$externalURL`, `.ExternalURL`, `externalURL`; its path is `pathPrefix`.
    pub external_url: &'a str,
    /// `$value`, `.Value`: a native histogram shows as its text, and is no number.
    pub value: &'a SampleValue,
    /// `now`, and the moment at which `query` asks: that of the evaluation.
    pub now: Timestamp,
}

/// Answers the function `query`: an instant query at a moment. An error fails the expansion.
pub type Query<'a> = dyn Fn(&str, Timestamp) -> Result<Vec<QuerySample>, String> + 'a;

/// One sample of an answer to `query`.
#[derive(Clone, PartialEq, Debug)]
pub struct QuerySample {
    /// All labels of the series, with `__name__`.
    pub labels: Labels,
    /// Its value at the moment.
    pub value: SampleValue,
}

impl Template {
    /// Parses a text, and checks its syntax and the names of functions and variables.
    ///
    /// # Errors
    /// With the place inside `text` of the first mistake.
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        Self::compile_with(text, &[])
    }

    /// The same for a text that may name further numbers, such as `$score`, whose values
    /// [`Template::expand_with`] is given.
    ///
    /// # Errors
    /// As [`Template::compile`].
    pub fn compile_with(text: &str, numbers: &[&str]) -> Result<Self, TemplateError> {
        if !text.contains("{{") {
            return Ok(Self(Form::Plain(text.into())));
        }
        let variables = [&VARIABLES, numbers].concat();
        let parsed = parse(text, Functions::Prometheus, &variables)?;
        Ok(Self(Form::Parsed(Arc::new(parsed))))
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        match &self.0 {
            Form::Plain(text) => text,
            Form::Parsed(parsed) => &parsed.main.text,
        }
    }

    /// Whether the text has no action: every expansion is the text itself.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.0, Form::Plain(_))
    }

    /// What the text asks for, in its order.
    #[must_use]
    pub fn mentions(&self) -> Vec<Mention> {
        match &self.0 {
            Form::Plain(_) => Vec::new(),
            Form::Parsed(parsed) => mentions(parsed),
        }
    }

    /// The text for one alert. A missing label is the empty string.
    ///
    /// # Errors
    /// When a function fails, a value has the wrong type, or a bound is hit (1 MiB of text,
    /// 1,000,000 steps); with the place inside the text. Upstream shows
    /// `<error expanding template: …>` then.
    pub fn expand(&self, data: &AlertData<'_>, query: &Query<'_>) -> Result<String, TemplateError> {
        self.expand_with(data, &[], query)
    }

    /// The same with the values of the numbers that the text was compiled with.
    ///
    /// # Errors
    /// As [`Template::expand`].
    pub fn expand_with(
        &self,
        data: &AlertData<'_>,
        numbers: &[f64],
        query: &Query<'_>,
    ) -> Result<String, TemplateError> {
        let parsed = match &self.0 {
            Form::Plain(text) => return Ok(text.as_ref().to_owned()),
            Form::Parsed(parsed) => parsed,
        };
        let definitions: &BTreeMap<Arc<str>, Arc<Definition>> = &parsed.definitions;
        let context = Context {
            now: data.now,
            external_url: data.external_url,
            query: Some(query),
            route_label: None,
            measured: None,
        };
        let mut variables = vec![
            Value::Labels(data.labels.clone()),
            Value::Labels(data.external_labels.clone()),
            Value::text(data.external_url),
            data.value.clone().into(),
        ];
        let dot = if parsed.uses_dot {
            let fields = FIELDS.into_iter().zip(variables.iter().cloned());
            Value::structure("struct", fields.collect())
        } else {
            Value::Nil
        };
        variables.extend(numbers.iter().copied().map(Value::Float));
        run(&parsed.main, &[definitions], &context, dot, variables)
    }
}

const VARIABLES: [&str; 4] = ["$labels", "$externalLabels", "$externalURL", "$value"];
/// The same, as fields of the dot.
pub(crate) const FIELDS: [&str; 4] = ["Labels", "ExternalLabels", "ExternalURL", "Value"];
