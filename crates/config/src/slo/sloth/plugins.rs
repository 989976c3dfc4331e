//! SLI plugins of Sloth: programs in Go, of which the published collection is known here by name, as
//! a table of what each one asks.
//!
//! A plugin makes a ratio of bad events out of options. Here it gives the two counts that the ratio is
//! of, so that budgets are counted in events. Options stand in the queries as they are written.
//!
//! *Sources*: `slok/sloth-common-sli-plugins`, as behaviour: ids, options, series. Where the result of
//! no traffic is 0 there, it is nothing here: neither burns a budget.

use firebell_model::Regex;
use firebell_slo::{Count, Counted, Indicator, Target, WindowQuery};

use crate::fields::{Doc, Fields};
use crate::problem::did_you_mean;
use crate::yaml::{Node, Value};

use self::Setting::{Bucket, ExcludeErrors, Filter, NeededFilter, Number, Pattern, Text};

/// A plugin of the collection.
struct Plugin {
    /// Behind [`PREFIX`].
    id: &'static str,
    options: &'static [Setting],
    asks: Asks,
}

/// What it asks for; `[W]` is the window, `@NAME` the value of an option, and `@filter` the matchers
/// of the user with a comma behind them.
enum Asks {
    Bad(&'static str, &'static str),
    Good(&'static str, &'static str),
    Ratio(&'static str),
    /// Burns at a speed that the options say.
    Fake,
    /// What is no PromQL upstream.
    Broken,
}

/// An option, and how it is read.
#[derive(Clone, Copy)]
enum Setting {
    /// Matchers, in braces or not.
    Filter,
    /// Matchers that have to be there.
    NeededFilter,
    /// The upper bound of a bucket.
    Bucket,
    /// Whether answers that are errors are left out.
    ExcludeErrors,
    /// A text that has to be there.
    Text(&'static str),
    /// A regular expression, with what it is when it is not given.
    Pattern(&'static str, Option<&'static str>),
    /// A number, with what it is when it is not given.
    Number(&'static str, Option<f64>),
}

/// Reads `plugin`.
pub(super) fn read(doc: &Doc<'_>, node: &Node, target: Option<Target>) -> Option<Indicator> {
    let fields = doc.fields(node, "`plugin`");
    let id = fields.needed_text("id");
    let options = fields.get("options");
    let at = fields.at("id");
    fields.finish();
    let id = id?;
    let known = id
        .strip_prefix(PREFIX)
        .or_else(|| id.strip_prefix("sloth_common/"));
    let Some(plugin) = PLUGINS.iter().find(|it| known == Some(it.id)) else {
        doc.problem(
            at,
            format!("there is no plugin `{id}` here"),
            Some(hint(&id)),
        );
        return None;
    };
    let none = Node {
        at,
        value: Value::Null,
    };
    let options = doc.fields(options.unwrap_or(&none), "`options`");
    let values: Option<Vec<(&str, String)>> = plugin
        .options
        .iter()
        .map(|option| option.read(&options).map(|text| (option.name(), text)))
        // All are read, so that everything that is wrong is said.
        .collect::<Vec<_>>()
        .into_iter()
        .collect();
    options.finish();
    let values = values?;
    let query = |text: &str| {
        let told = |error: firebell_slo::QueryError| {
            let message = format!("its options make no query: {}", error.message);
            doc.problem(at, message, None);
        };
        WindowQuery::new(&filled(text, &values)).map_err(told).ok()
    };
    let count = |text: &str| query(text).map(Count::Query);
    let (counted, total) = match plugin.asks {
        Asks::Bad(bad, total) => (count(bad).map(Counted::Bad), total),
        Asks::Good(good, total) => (count(good).map(Counted::Good), total),
        Asks::Ratio(ratio) => return query(ratio).map(Indicator::Ratio),
        Asks::Fake => return fake(&values, target?),
        Asks::Broken => {
            let message = format!("the query of `{id}` is no PromQL, in Sloth neither");
            let hint = "write what you mean as `events`".to_owned();
            doc.problem(at, message, Some(hint));
            return None;
        }
    };
    // What is wrong with an option is wrong in both, and said once.
    let counted = counted?;
    let total = count(total)?;
    Some(Indicator::Events { counted, total })
}

fn hint(id: &str) -> String {
    let ids = PLUGINS.iter().map(|it| format!("{PREFIX}{}", it.id));
    let ids: Vec<String> = ids.collect();
    let near = did_you_mean(id, ids.iter().map(String::as_str));
    format!(
        "{}{}a plugin is a program in Go, which cannot run here; known are those of Sloth's \
         collection: {}. Write the query that another makes as `events`",
        near.as_deref().unwrap_or_default(),
        if near.is_some() { " " } else { "" },
        ids.join(", ")
    )
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Filter | NeededFilter => "filter",
            Bucket => "bucket",
            ExcludeErrors => "exclude_errors",
            Text(name) | Pattern(name, _) | Number(name, _) => name,
        }
    }

    /// What stands in the query for it; `None` when something is wrong, which is noted.
    fn read(self, options: &Fields<'_, '_>) -> Option<String> {
        let name = self.name();
        let given = || options.text(name).filter(|it| !it.trim().is_empty());
        match self {
            Filter => Some(matchers(&given().unwrap_or_default())),
            NeededFilter => options.needed_text(name).map(|it| matchers(&it)),
            Text(_) => {
                let text = options.needed_text(name)?.trim().to_owned();
                if text.is_empty() {
                    options.missing(name);
                }
                (!text.is_empty()).then_some(text)
            }
            Bucket => {
                options.needed_text(name)?;
                options.parsed(name, |text| number(text).map(|_| text.to_owned()))
            }
            ExcludeErrors => match given() {
                Some(_) => options.parsed(name, boolean),
                None => Some(String::new()),
            },
            Pattern(_, default) => match (given(), default) {
                (None, Some(default)) => Some(default.to_owned()),
                _ => {
                    options.needed_text(name)?;
                    let check = |text: &str| Regex::matcher(text).map(|_| text.trim().to_owned());
                    options.parsed(name, check)
                }
            },
            Number(_, default) => match (given(), default) {
                (None, Some(default)) => Some(default.to_string()),
                _ => {
                    options.needed_text(name)?;
                    options.parsed(name, |text| number(text).map(|it| it.to_string()))
                }
            },
        }
    }
}

/// Matchers without braces around them, and with a comma behind.
fn matchers(text: &str) -> String {
    match text.trim().trim_matches(['{', '}', ',']) {
        "" => String::new(),
        matchers => format!("{matchers},"),
    }
}

fn number(text: &str) -> Result<f64, String> {
    let read = text.trim().parse::<f64>();
    read.map_err(|_| format!("`{text}` is not a number"))
}

/// As Go reads booleans; yes is a matcher that leaves errors out.
fn boolean(text: &str) -> Result<String, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(r#"code!~"5..","#.to_owned()),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(String::new()),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

/// A query with the values of options, and the window.
fn filled(text: &str, values: &[(&str, String)]) -> String {
    let mut made = String::new();
    for (nth, part) in text.split('@').enumerate() {
        let value = values
            .iter()
            .find(|(name, _)| nth > 0 && part.starts_with(name));
        let (value, rest) =
            value.map_or(("", part), |(name, value)| (&**value, &part[name.len()..]));
        made.push_str(value);
        made.push_str(&rest.replace("[W]", "[{{.window}}]"));
    }
    made
}

/// Burns the budget at a speed, with some jitter.
fn fake(values: &[(&str, String)], target: Target) -> Option<Indicator> {
    let value = |name: &str| {
        let value = values.iter().find(|(it, _)| *it == name);
        value.and_then(|(_, text)| text.parse::<f64>().ok())
    };
    let (speed, jitter) = (value("burn_rate")?, value("jitter_percent")?);
    let ratio = target.budget() * speed;
    let mut query = format!("max_over_time(vector({ratio:.6})[{{{{.window}}}}:])");
    if jitter != 0.0 {
        let chance = "(time() * minute() * hour() * day_of_week() * month())";
        let range = jitter * 2.0;
        query =
            format!("({query}) - (({ratio:.6} * ({jitter:.6} - ({chance} % {range:.6}))) / 100)");
    }
    WindowQuery::new(&query).ok().map(Indicator::Ratio)
}

const PREFIX: &str = "sloth-common/";

/// The collection, in order of id.
const PLUGINS: &[Plugin] = &[
    Plugin {
        id: "coredns/availability",
        options: &[Filter, Pattern("custom_rcode_regex", Some("SERVFAIL"))],
        asks: Asks::Bad(
            r#"sum(rate(coredns_dns_responses_total{@filterrcode=~"@custom_rcode_regex"}[W]))"#,
            "sum(rate(coredns_dns_responses_total{@filter}[W]))",
        ),
    },
    Plugin {
        id: "coredns/latency",
        options: &[Filter, Bucket],
        asks: Asks::Good(
            r#"sum(rate(coredns_dns_request_duration_seconds_bucket{@filterle="@bucket"}[W]))"#,
            "sum(rate(coredns_dns_request_duration_seconds_count{@filter}[W]))",
        ),
    },
    Plugin {
        id: "fake",
        options: &[
            Number("burn_rate", None),
            Number("jitter_percent", Some(0.0)),
        ],
        asks: Asks::Fake,
    },
    Plugin {
        id: "haproxy/frontend/availability",
        options: &[Filter],
        asks: Asks::Bad(
            r#"sum(rate(haproxy_frontend_http_responses_total{@filtercode="5xx"}[W]))"#,
            "sum(rate(haproxy_frontend_http_responses_total{@filter}[W]))",
        ),
    },
    Plugin {
        id: "istio/v1/availability",
        options: &[Filter, Text("service"), Text("namespace")],
        asks: Asks::Bad(
            r#"sum(rate(istio_requests_total{@filterdestination_service_name="@service",destination_service_namespace="@namespace",response_code=~"(5..|429)"}[W]))"#,
            r#"sum(rate(istio_requests_total{@filterdestination_service_name="@service",destination_service_namespace="@namespace"}[W]))"#,
        ),
    },
    Plugin {
        id: "istio/v1/latency",
        options: &[
            Filter,
            ExcludeErrors,
            Text("service"),
            Text("namespace"),
            Bucket,
        ],
        asks: Asks::Good(
            r#"sum(rate(istio_request_duration_milliseconds_bucket{@filter@exclude_errorsdestination_service_name="@service",destination_service_namespace="@namespace",le="@bucket"}[W]))"#,
            r#"sum(rate(istio_request_duration_milliseconds_count{@filter@exclude_errorsdestination_service_name="@service",destination_service_namespace="@namespace"}[W]))"#,
        ),
    },
    Plugin {
        id: "kubernetes/apiserver/availability",
        options: &[Filter],
        asks: Asks::Bad(
            r#"sum(rate(apiserver_request_total{@filtercode=~"(5..|429)"}[W]))"#,
            "sum(rate(apiserver_request_total{@filter}[W]))",
        ),
    },
    Plugin {
        id: "kubernetes/apiserver/latency",
        options: &[Filter, Bucket],
        asks: Asks::Good(
            r#"sum(rate(apiserver_request_duration_seconds_bucket{@filterle="@bucket",verb!="WATCH"}[W]))"#,
            r#"sum(rate(apiserver_request_duration_seconds_count{@filterverb!="WATCH"}[W]))"#,
        ),
    },
    Plugin {
        id: "kubernetes/kooper/availability",
        options: &[Filter, Text("controller")],
        asks: Asks::Bad(
            r#"sum(rate(kooper_controller_processed_event_duration_seconds_count{@filtercontroller="@controller",success="false"}[W]))"#,
            r#"sum(rate(kooper_controller_processed_event_duration_seconds_count{@filtercontroller="@controller"}[W])) - sum(rate(kooper_controller_queued_events_total{@filtercontroller="@controller",requeue="true"}[W]))"#,
        ),
    },
    Plugin {
        id: "kubernetes/kooper/latency",
        options: &[Filter, Text("controller"), Bucket],
        asks: Asks::Good(
            r#"sum(rate(kooper_controller_processed_event_duration_seconds_bucket{@filtercontroller="@controller",le="@bucket"}[W]))"#,
            r#"sum(rate(kooper_controller_processed_event_duration_seconds_count{@filtercontroller="@controller"}[W]))"#,
        ),
    },
    Plugin {
        id: "kubernetes/kooper/queue-congestion",
        options: &[Filter, Text("controller"), Bucket],
        asks: Asks::Good(
            r#"sum(rate(kooper_controller_event_in_queue_duration_seconds_bucket{@filtercontroller="@controller",le="@bucket"}[W]))"#,
            r#"sum(rate(kooper_controller_event_in_queue_duration_seconds_count{@filtercontroller="@controller"}[W]))"#,
        ),
    },
    Plugin {
        id: "kubernetes/nginx-ingress/availability",
        options: &[Filter],
        asks: Asks::Bad(
            r#"sum(rate(nginx_ingress_controller_requests{@filterstatus=~"(5..|429)"}[W]))"#,
            "sum(rate(nginx_ingress_controller_requests{@filter}[W]))",
        ),
    },
    Plugin {
        id: "linkerd/v2/availability",
        options: &[NeededFilter],
        asks: Asks::Bad(
            r#"sum(increase(response_total{@filterclassification="failure",direction="inbound"}[W]))"#,
            r#"sum(increase(response_total{@filterdirection="inbound"}[W]))"#,
        ),
    },
    Plugin {
        id: "linkerd/v2/latency",
        options: &[NeededFilter, Bucket],
        asks: Asks::Broken,
    },
    Plugin {
        id: "noop",
        options: &[],
        asks: Asks::Ratio("max_over_time(vector(0)[{{.window}}:])"),
    },
    Plugin {
        id: "prometheus/rules/eval-availability",
        options: &[Filter],
        asks: Asks::Bad(
            "sum(rate(prometheus_rule_evaluation_failures_total{@filter}[W]))",
            "sum(rate(prometheus_rule_evaluations_total{@filter}[W]))",
        ),
    },
    Plugin {
        id: "prometheus/targets/availability",
        options: &[Filter],
        asks: Asks::Bad(
            "sum(count_over_time((up{@filter} == 0)[{{.window}}:]))",
            "sum(count_over_time((up{@filter})[{{.window}}:]))",
        ),
    },
    Plugin {
        id: "slok-go-http-metrics/availability",
        options: &[NeededFilter],
        asks: Asks::Bad(
            r#"sum(rate(http_request_duration_seconds_count{@filtercode=~"(5..|429)"}[W]))"#,
            "sum(rate(http_request_duration_seconds_count{@filter}[W]))",
        ),
    },
    Plugin {
        id: "slok-go-http-metrics/latency",
        options: &[NeededFilter, ExcludeErrors, Bucket],
        asks: Asks::Good(
            r#"sum(rate(http_request_duration_seconds_bucket{@filter@exclude_errorsle="@bucket"}[W]))"#,
            "sum(rate(http_request_duration_seconds_count{@filter@exclude_errors}[W]))",
        ),
    },
    Plugin {
        id: "traefik/v1/availability",
        options: &[Filter, Pattern("backend_regex", None)],
        asks: Asks::Bad(
            r#"sum(rate(traefik_backend_requests_total{@filterbackend=~"@backend_regex",code=~"(5..|429)"}[W]))"#,
            r#"sum(rate(traefik_backend_requests_total{@filterbackend=~"@backend_regex"}[W]))"#,
        ),
    },
    Plugin {
        id: "traefik/v1/latency",
        options: &[
            Filter,
            ExcludeErrors,
            Pattern("backend_regex", None),
            Bucket,
        ],
        asks: Asks::Good(
            r#"sum(rate(traefik_backend_request_duration_seconds_bucket{@filter@exclude_errorsbackend=~"@backend_regex",le="@bucket"}[W]))"#,
            r#"sum(rate(traefik_backend_request_duration_seconds_count{@filter@exclude_errorsbackend=~"@backend_regex"}[W]))"#,
        ),
    },
    Plugin {
        id: "traefik/v2/availability",
        options: &[Filter, Pattern("service_name_regex", None)],
        asks: Asks::Bad(
            r#"sum(rate(traefik_service_requests_total{@filterservice=~"@service_name_regex",code=~"(5..)"}[W]))"#,
            r#"sum(rate(traefik_service_requests_total{@filterservice=~"@service_name_regex"}[W]))"#,
        ),
    },
    Plugin {
        id: "traefik/v2/latency",
        options: &[
            Filter,
            ExcludeErrors,
            Pattern("service_name_regex", None),
            Bucket,
        ],
        asks: Asks::Good(
            r#"sum(rate(traefik_service_request_duration_seconds_bucket{@filter@exclude_errorsservice=~"@service_name_regex",le="@bucket"}[W]))"#,
            r#"sum(rate(traefik_service_request_duration_seconds_count{@filter@exclude_errorsservice=~"@service_name_regex"}[W]))"#,
        ),
    },
];

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;

    use expect_test::{Expect, expect};
    use firebell_model::Duration;

    use super::*;

    fn read_text(text: &str) -> (Option<Indicator>, String) {
        let problems = RefCell::default();
        let doc = Doc::new(Path::new("sloth.yml"), text, &problems);
        let node = doc.parse().unwrap();
        let read = read(&doc, &node, Target::from_percent(99.0).ok());
        let told = problems.into_inner();
        let told: Vec<String> = told.iter().map(|it| it.message.clone()).collect();
        (read, told.join("; "))
    }

    /// The query of the share of bad events, as Sloth would have it of the counts.
    fn ratio(indicator: Indicator) -> String {
        let text = |count: Count| match count {
            Count::Query(query) => query.within(Duration::from_mins(5)),
            _ => String::new(),
        };
        match indicator {
            Indicator::Events { counted, total } => match counted {
                Counted::Bad(bad) => format!("{}\n  / {}", text(bad), text(total)),
                Counted::Good(good) => format!("1 - {}\n  / {}", text(good), text(total)),
            },
            Indicator::Ratio(query) => query.within(Duration::from_mins(5)),
            Indicator::Composite(_) => String::new(),
        }
    }

    fn check(text: &str, expected: Expect) {
        let (read, told) = read_text(text);
        expected.assert_eq(&match read {
            Some(indicator) if told.is_empty() => ratio(indicator),
            _ => told,
        });
    }

    /// An example of an option, as the collection's own documents have them.
    fn example(option: Setting) -> String {
        let value = match option {
            Filter | NeededFilter => r#"'{job="a",env!="dev"}'"#,
            Bucket => "0.25",
            ExcludeErrors => "\"true\"",
            Text(name) => name,
            Pattern(..) => "^github@docker$",
            Number(..) => "10",
        };
        format!("{}: {value}", option.name())
    }

    /// What the plugins ask whose ids are in a range, with an example of each option.
    fn asked(ids: impl std::ops::RangeBounds<&'static str>) -> String {
        let told = |plugin: &Plugin| {
            let options: Vec<String> = plugin.options.iter().copied().map(example).collect();
            let (id, options) = (plugin.id, options.join(", "));
            let text = format!("{{id: {PREFIX}{id}, options: {{{options}}}}}");
            let (read, told) = read_text(&text);
            let asked = read.map_or_else(|| format!("refused: {told}"), ratio);
            format!("{id}\n  {asked}\n")
        };
        let plugins = PLUGINS.iter().filter(|it| ids.contains(&it.id));
        plugins.map(told).collect()
    }

    #[test]
    fn plugins_ask_what_their_documents_say() {
        expect![[r#"
            coredns/availability
              sum(rate(coredns_dns_responses_total{job="a",env!="dev",rcode=~"^github@docker$"}[5m]))
              / sum(rate(coredns_dns_responses_total{job="a",env!="dev",}[5m]))
            coredns/latency
              1 - sum(rate(coredns_dns_request_duration_seconds_bucket{job="a",env!="dev",le="0.25"}[5m]))
              / sum(rate(coredns_dns_request_duration_seconds_count{job="a",env!="dev",}[5m]))
            fake
              (max_over_time(vector(0.100000)[5m:])) - ((0.100000 * (10.000000 - ((time() * minute() * hour() * day_of_week() * month()) % 20.000000))) / 100)
            haproxy/frontend/availability
              sum(rate(haproxy_frontend_http_responses_total{job="a",env!="dev",code="5xx"}[5m]))
              / sum(rate(haproxy_frontend_http_responses_total{job="a",env!="dev",}[5m]))
            istio/v1/availability
              sum(rate(istio_requests_total{job="a",env!="dev",destination_service_name="service",destination_service_namespace="namespace",response_code=~"(5..|429)"}[5m]))
              / sum(rate(istio_requests_total{job="a",env!="dev",destination_service_name="service",destination_service_namespace="namespace"}[5m]))
            istio/v1/latency
              1 - sum(rate(istio_request_duration_milliseconds_bucket{job="a",env!="dev",code!~"5..",destination_service_name="service",destination_service_namespace="namespace",le="0.25"}[5m]))
              / sum(rate(istio_request_duration_milliseconds_count{job="a",env!="dev",code!~"5..",destination_service_name="service",destination_service_namespace="namespace"}[5m]))
            kubernetes/apiserver/availability
              sum(rate(apiserver_request_total{job="a",env!="dev",code=~"(5..|429)"}[5m]))
              / sum(rate(apiserver_request_total{job="a",env!="dev",}[5m]))
            kubernetes/apiserver/latency
              1 - sum(rate(apiserver_request_duration_seconds_bucket{job="a",env!="dev",le="0.25",verb!="WATCH"}[5m]))
              / sum(rate(apiserver_request_duration_seconds_count{job="a",env!="dev",verb!="WATCH"}[5m]))
            kubernetes/kooper/availability
              sum(rate(kooper_controller_processed_event_duration_seconds_count{job="a",env!="dev",controller="controller",success="false"}[5m]))
              / sum(rate(kooper_controller_processed_event_duration_seconds_count{job="a",env!="dev",controller="controller"}[5m])) - sum(rate(kooper_controller_queued_events_total{job="a",env!="dev",controller="controller",requeue="true"}[5m]))
            kubernetes/kooper/latency
              1 - sum(rate(kooper_controller_processed_event_duration_seconds_bucket{job="a",env!="dev",controller="controller",le="0.25"}[5m]))
              / sum(rate(kooper_controller_processed_event_duration_seconds_count{job="a",env!="dev",controller="controller"}[5m]))
            kubernetes/kooper/queue-congestion
              1 - sum(rate(kooper_controller_event_in_queue_duration_seconds_bucket{job="a",env!="dev",controller="controller",le="0.25"}[5m]))
              / sum(rate(kooper_controller_event_in_queue_duration_seconds_count{job="a",env!="dev",controller="controller"}[5m]))
            kubernetes/nginx-ingress/availability
              sum(rate(nginx_ingress_controller_requests{job="a",env!="dev",status=~"(5..|429)"}[5m]))
              / sum(rate(nginx_ingress_controller_requests{job="a",env!="dev",}[5m]))
        "#]]
        .assert_eq(&asked(.."l"));
    }

    #[test]
    fn the_other_plugins_ask_what_their_documents_say() {
        expect![[r#"
            linkerd/v2/availability
              sum(increase(response_total{job="a",env!="dev",classification="failure",direction="inbound"}[5m]))
              / sum(increase(response_total{job="a",env!="dev",direction="inbound"}[5m]))
            linkerd/v2/latency
              refused: the query of `sloth-common/linkerd/v2/latency` is no PromQL, in Sloth neither
            noop
              max_over_time(vector(0)[5m:])
            prometheus/rules/eval-availability
              sum(rate(prometheus_rule_evaluation_failures_total{job="a",env!="dev",}[5m]))
              / sum(rate(prometheus_rule_evaluations_total{job="a",env!="dev",}[5m]))
            prometheus/targets/availability
              sum(count_over_time((up{job="a",env!="dev",} == 0)[5m:]))
              / sum(count_over_time((up{job="a",env!="dev",})[5m:]))
            slok-go-http-metrics/availability
              sum(rate(http_request_duration_seconds_count{job="a",env!="dev",code=~"(5..|429)"}[5m]))
              / sum(rate(http_request_duration_seconds_count{job="a",env!="dev",}[5m]))
            slok-go-http-metrics/latency
              1 - sum(rate(http_request_duration_seconds_bucket{job="a",env!="dev",code!~"5..",le="0.25"}[5m]))
              / sum(rate(http_request_duration_seconds_count{job="a",env!="dev",code!~"5..",}[5m]))
            traefik/v1/availability
              sum(rate(traefik_backend_requests_total{job="a",env!="dev",backend=~"^github@docker$",code=~"(5..|429)"}[5m]))
              / sum(rate(traefik_backend_requests_total{job="a",env!="dev",backend=~"^github@docker$"}[5m]))
            traefik/v1/latency
              1 - sum(rate(traefik_backend_request_duration_seconds_bucket{job="a",env!="dev",code!~"5..",backend=~"^github@docker$",le="0.25"}[5m]))
              / sum(rate(traefik_backend_request_duration_seconds_count{job="a",env!="dev",code!~"5..",backend=~"^github@docker$"}[5m]))
            traefik/v2/availability
              sum(rate(traefik_service_requests_total{job="a",env!="dev",service=~"^github@docker$",code=~"(5..)"}[5m]))
              / sum(rate(traefik_service_requests_total{job="a",env!="dev",service=~"^github@docker$"}[5m]))
            traefik/v2/latency
              1 - sum(rate(traefik_service_request_duration_seconds_bucket{job="a",env!="dev",code!~"5..",service=~"^github@docker$",le="0.25"}[5m]))
              / sum(rate(traefik_service_request_duration_seconds_count{job="a",env!="dev",code!~"5..",service=~"^github@docker$"}[5m]))
        "#]].assert_eq(&asked("l"..));
    }

    #[test]
    fn options_have_defaults_and_what_is_wrong_is_said() {
        for (text, expected) in [
            (
                "{id: sloth-common/coredns/availability}",
                expect![[r#"
                sum(rate(coredns_dns_responses_total{rcode=~"SERVFAIL"}[5m]))
                  / sum(rate(coredns_dns_responses_total{}[5m]))"#]],
            ),
            (
                "{id: sloth_common/noop}",
                expect!["max_over_time(vector(0)[5m:])"],
            ),
            (
                r#"{id: sloth-common/fake, options: {burn_rate: "3"}}"#,
                expect!["max_over_time(vector(0.030000)[5m:])"],
            ),
            (
                r#"{id: sloth-common/istio/v1/latency, options: {exclude_errors: "f", bucket: "5", service: a, namespace: b}}"#,
                expect![[r#"
                    1 - sum(rate(istio_request_duration_milliseconds_bucket{destination_service_name="a",destination_service_namespace="b",le="5"}[5m]))
                      / sum(rate(istio_request_duration_milliseconds_count{destination_service_name="a",destination_service_namespace="b"}[5m]))"#]],
            ),
            (
                "{id: sloth-common/istio/v1/latency, options: {exclude_errors: perhaps, bucket: fast, namespace: ' '}}",
                expect![
                    "`exclude_errors`: `perhaps` is neither true nor false; `options` needs `service`; `options` needs `namespace`; `bucket`: `fast` is not a number"
                ],
            ),
            (
                "{id: sloth-common/traefik/v2/availability, options: {service_name_regex: '(', regex: a}}",
                expect![
                    "`service_name_regex`: error parsing regexp: missing closing ): `(`; `options` has no field `regex`"
                ],
            ),
            (
                "{id: sloth-common/haproxy/frontend/availability, options: {filter: 'a=b'}}",
                expect![[
                    r#"its options make no query: parse error: unexpected identifier "b" in label matching, expected string"#
                ]],
            ),
            (
                "{id: sloth-common/slok-go-http-metrics/availability}",
                expect!["`options` needs `filter`"],
            ),
            (
                "{id: our/own}",
                expect!["there is no plugin `our/own` here"],
            ),
            ("{options: {}}", expect!["`plugin` needs `id`"]),
        ] {
            check(text, expected);
        }
    }
}
