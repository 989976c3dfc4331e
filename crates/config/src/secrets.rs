//! The configuration as it may be shown: every secret is `<secret>`, and so is how people are reached.

use firebell_oncall::ContactKind;

use crate::yaml::{Node, Value};

/// The part of a file that a map takes, as if it were a file, with its secrets replaced.
pub(crate) fn text_without_secrets(source: &str, root: &Node) -> String {
    let shown = without_secrets(source, root);
    let (first, indent) = (
        root.at.line.saturating_sub(1),
        root.at.column.saturating_sub(1),
    );
    if indent == 0 {
        return shown;
    }
    let pad = " ".repeat(indent as usize);
    let mut lines = shown.lines().skip(first as usize);
    // Before an item of a list stands its dash.
    let begin = lines.next().and_then(|line| line.get(indent as usize..));
    let own = lines.take_while(|line| line.starts_with(&pad) || line.trim().is_empty());
    let own = own.map(|line| line.strip_prefix(&*pad).unwrap_or(""));
    let mut text = begin.unwrap_or_default().to_owned() + "\n";
    for line in own {
        text.push_str(line);
        text.push('\n');
    }
    text.truncate(text.trim_end().len() + 1);
    text
}

fn without_secrets(source: &str, root: &Node) -> String {
    // A block ends with its line.
    let hide = |secret: &str| {
        let end = if secret.ends_with('\n') { "\n" } else { "" };
        format!("<secret>{end}")
    };
    replaced(source, (root, Place::Top), hide)
}

/// The text of a file with every character of a secret replaced, so that places stay.
pub(crate) fn blackened(source: &str, root: &Node) -> String {
    let blacken = |c: char| if c == '\n' { c } else { '*' };
    // Whoever mends a file has to see whose number is wrong.
    let place = (root, Place::Plain);
    replaced(source, place, |secret| {
        secret.chars().map(blacken).collect()
    })
}

fn replaced(
    source: &str,
    (root, place): (&Node, Place),
    replace: impl Fn(&str) -> String,
) -> String {
    let mut places = Vec::new();
    find(root, place, &mut places);
    places.sort_unstable();
    places.dedup();
    let (mut shown, mut at) = (String::with_capacity(source.len()), 0);
    for (start, end) in places {
        let (Some(before), Some(secret)) = (source.get(at..start), source.get(start..end)) else {
            continue;
        };
        shown.push_str(before);
        shown.push_str(&replace(secret));
        at = end;
    }
    shown.push_str(source.get(at..).unwrap_or(""));
    shown
}

/// Whether a line of a file that is no YAML may hold a secret.
pub(crate) fn may_be_secret(line: &str) -> bool {
    line.split([':', '{', ',']).any(|part| {
        names_secret(part.trim_matches(|c: char| c.is_whitespace() || "-\"'".contains(c)))
    })
}

/// Where something stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The file itself, of which contacts are hidden too.
    Top,
    Oncall,
    People,
    Person,
    Secret,
    /// A map of labels, whose keys are anybody's.
    Labels,
    /// Anywhere else.
    Plain,
}

impl Place {
    /// Where the value of a key stands.
    fn below(self, key: &str) -> Self {
        let is_contact = || ContactKind::ALL.iter().any(|(name, _)| *name == key);
        match self {
            Self::Secret => Self::Secret,
            Self::People => Self::Person,
            Self::Person if is_contact() => Self::Secret,
            Self::Top if key == "oncall" => Self::Oncall,
            Self::Oncall if key == "people" => Self::People,
            Self::Labels => Self::Plain,
            _ if names_secret(key) => Self::Secret,
            _ if LABEL_MAPS.contains(&key) => Self::Labels,
            _ => Self::Plain,
        }
    }
}

fn find(node: &Node, place: Place, places: &mut Vec<(usize, usize)>) {
    match &node.value {
        Value::Null => {}
        Value::Scalar(scalar) if place == Place::Secret => places.push(scalar.range()),
        Value::Scalar(_) => {}
        Value::List(items) => {
            // What is no map of labels has fields of its own.
            let place = match place {
                Place::Labels => Place::Plain,
                place => place,
            };
            items.iter().for_each(|item| find(item, place, places));
        }
        Value::Map(entries) => {
            for entry in entries.iter() {
                find(&entry.value, place.below(&entry.key), places);
            }
        }
    }
}

fn names_secret(key: &str) -> bool {
    let endings = [
        "password",
        "secret",
        "secrets",
        "token",
        "token_id",
        "credentials",
        "_key",
        "webhook_url",
    ];
    matches!(
        key,
        "url"
            | "api_url"
            | "slack_api_url"
            | "proxy_url"
            | "proxy_connect_header"
            | "headers"
            | "env"
            | "remote_write_url"
            | "key"
    ) || (endings.iter().any(|ending| key.ends_with(ending)) && key != "routing_key_file")
}

/// Fields that hold labels or annotations.
const LABEL_MAPS: [&str; 11] = [
    "annotations",
    "exp_annotations",
    "exp_labels",
    "external_labels",
    "labels",
    "match",
    "match_re",
    "source_match",
    "source_match_re",
    "target_match",
    "target_match_re",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::parse;

    #[test]
    fn how_people_are_reached_is_shown_to_nobody() {
        let source = "oncall:\n  people:\n    ana: {email: ana@a.example, phone: [\"+34600\", \"+34700\"], \
                      zone: UTC}\n    token: {ntfy: t}\n  teams: {shop: [ana]}\n\
                      paging: {via: {phone: calls}}\n";
        let root = parse(source).0.unwrap();
        expect_test::expect![[r#"
            oncall:
              people:
                ana: {email: <secret>, phone: [<secret>, <secret>], zone: UTC}
                token: {ntfy: <secret>}
              teams: {shop: [ana]}
            paging: {via: {phone: calls}}
        "#]]
        .assert_eq(&without_secrets(source, &root));
        assert!(blackened(source, &root).contains("ana@a.example"));
    }

    #[test]
    fn secrets_of_every_style_are_replaced() {
        let source = "global:\n  slack_api_url: 'https://x'\n  smtp_auth_password: |\n    s3cret\n\
                      receivers:\n- name: a\n  webhook_configs: [{url: \"http://u:p@h\"}]\n\
                      x: {credentials: &c abc, bearer_token: *c, password_file: f}\n\
                      tls_config: {cert: c, key: k, key_file: f}\n\
                      y: {proxy_url: 'http://u:p@h', proxy_connect_header: {A: [b]}}\n\
                      oauth2: {client_id: i, client_secret: s, client_secret_file: f}\n";
        let root = parse(source).0.unwrap();
        expect_test::expect![[r#"
            global:
              slack_api_url: <secret>
              smtp_auth_password: |
                <secret>
            receivers:
            - name: a
              webhook_configs: [{url: <secret>}]
            x: {credentials: &c <secret>, bearer_token: *c, password_file: f}
            tls_config: {cert: c, key: <secret>, key_file: f}
            y: {proxy_url: <secret>, proxy_connect_header: {A: [<secret>]}}
            oauth2: {client_id: i, client_secret: <secret>, client_secret_file: f}
        "#]]
        .assert_eq(&without_secrets(source, &root));
    }

    #[test]
    fn labels_are_shown_whatever_they_are_called() {
        let source = "global: {external_labels: {env: prod, api_token: a}}\n\
                      scrape_configs:\n- static_configs: [{targets: [t], labels: {env: prod, key: k}}]\n\
                      route: {routes: [{match: {env: e}, match_re: {headers: h}}]}\n\
                      inhibit_rules: [{source_match: {key: k}, target_match_re: {url: u}}]\n\
                      receivers: [{exec_configs: [{env: {labels: hidden}, labels: {env: {token: t}}}]}]\n\
                      jira: {labels: [{token: t}]}\n";
        let root = parse(source).0.unwrap();
        expect_test::expect![[r#"
            global: {external_labels: {env: prod, api_token: a}}
            scrape_configs:
            - static_configs: [{targets: [t], labels: {env: prod, key: k}}]
            route: {routes: [{match: {env: e}, match_re: {headers: h}}]}
            inhibit_rules: [{source_match: {key: k}, target_match_re: {url: u}}]
            receivers: [{exec_configs: [{env: {labels: <secret>}, labels: {env: {token: <secret>}}}]}]
            jira: {labels: [{token: <secret>}]}
        "#]]
        .assert_eq(&without_secrets(source, &root));
    }
}
