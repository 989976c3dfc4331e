//! The configuration as it may be shown: every secret is `<secret>`, and so is how people are reached.
//! Comments are left out, as in upstream: an old password may stand in one.

use firebell_oncall::ContactKind;

use crate::yaml::{Node, Value};

/// The part of a file that a map takes, as if it were a file, with its secrets replaced and without
/// what is [`unread`](crate::yaml::unread). `all` are the [`secret_places`] of the file: in the lines of
/// the map others may stand, too.
pub(crate) fn text_without_secrets(
    source: &str,
    unread: &[(usize, usize)],
    all: &[(usize, usize)],
    root: &Node,
) -> String {
    let (first, indent) = (
        root.at.line.saturating_sub(1),
        root.at.column.saturating_sub(1),
    );
    if indent == 0 {
        return without_secrets(source, unread, all, root);
    }
    // Lines before the map stay, which are counted off.
    let lines = source.split_inclusive('\n').take(first as usize);
    let start = lines.map(str::len).sum();
    let own = unread.partition_point(|(comment, _)| *comment < start);
    let all: Vec<_> = all.iter().copied().filter(|it| it.0 >= start).collect();
    let shown = without_secrets(source, &unread[own..], &all, root);
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

/// Where a file has secrets.
pub(crate) fn secret_places(source: &str, root: &Node) -> Vec<(usize, usize)> {
    let places = secrets(source, root, Place::Top).into_iter();
    places.map(|(start, end, _)| (start, end)).collect()
}

fn without_secrets(
    source: &str,
    unread: &[(usize, usize)],
    all: &[(usize, usize)],
    root: &Node,
) -> String {
    let mut places = secrets(source, root, Place::Top);
    places.extend(all.iter().map(|&(start, end)| (start, end, What::Secret)));
    let unread = unread.iter().map(|range| with_blanks(source, *range));
    places.extend(unread.map(|(start, end)| (start, end, What::Unread)));
    replaced(source, places, |what, text| match what {
        What::Unread => String::new(),
        // A block ends with its line.
        What::Secret if text.ends_with('\n') => "<secret>\n".to_owned(),
        What::Secret => "<secret>".to_owned(),
    })
}

/// The text of a file with every character of a secret replaced, so that places stay.
pub(crate) fn blackened(source: &str, root: &Node) -> String {
    let blacken = |c: char| if c == '\n' { c } else { '*' };
    // Whoever mends a file has to see whose number is wrong.
    let places = secrets(source, root, Place::Plain);
    replaced(source, places, |_, secret| {
        secret.chars().map(blacken).collect()
    })
}

/// Why a part of a file is not shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Secret,
    Unread,
}

fn secrets(source: &str, root: &Node, place: Place) -> Vec<(usize, usize, What)> {
    let mut ranges = Vec::new();
    find(root, place, &mut ranges);
    let places = ranges.into_iter().map(|(start, end)| {
        // A block is said to end where the next line has its first word.
        let text = source.get(start..end).unwrap_or_default();
        let block = text.trim_end_matches([' ', '\t']);
        let end = match block.ends_with('\n') {
            true => start + block.len(),
            false => end,
        };
        (start, end, What::Secret)
    });
    places.collect()
}

/// A comment with the blanks before it, and its line where there is nothing else in it.
fn with_blanks(source: &str, (start, end): (usize, usize)) -> (usize, usize) {
    let (before, after) = (source.get(..start), source.get(end..));
    let (Some(before), Some(after)) = (before, after) else {
        return (start, end);
    };
    let start = before.trim_end_matches([' ', '\t']).len();
    if !before[..start].is_empty() && !before[..start].ends_with('\n') {
        return (start, end);
    }
    let rest = after.strip_prefix('\r').unwrap_or(after);
    let rest = rest.strip_prefix('\n').unwrap_or(rest);
    (start, source.len() - rest.len())
}

fn replaced(
    source: &str,
    mut places: Vec<(usize, usize, What)>,
    replace: impl Fn(What, &str) -> String,
) -> String {
    places.sort_unstable();
    places.dedup();
    let (mut shown, mut at) = (String::with_capacity(source.len()), 0);
    for (start, end, what) in places {
        if start < at && end <= at {
            continue;
        }
        let start = start.max(at);
        let (Some(before), Some(hidden)) = (source.get(at..start), source.get(start..end)) else {
            continue;
        };
        shown.push_str(before);
        shown.push_str(&replace(what, hidden));
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
    /// Parameters of an address, whose keys are those of whoever answers.
    Params,
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
            Self::Params if is_secret_param(key) => Self::Secret,
            _ if names_secret(key) => Self::Secret,
            _ if LABEL_MAPS.contains(&key) => Self::Labels,
            _ if PARAM_MAPS.contains(&key) => Self::Params,
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
                Place::Labels | Place::Params => Place::Plain,
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

fn is_secret_param(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_PARAMS.iter().any(|word| key.contains(word))
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
/// Fields that hold parameters of an address.
const PARAM_MAPS: [&str; 2] = ["params", "endpoint_params"];
/// What the name of a parameter has in it that is a secret.
const SECRET_PARAMS: [&str; 8] = [
    "auth",
    "credential",
    "key",
    "passw",
    "pwd",
    "secret",
    "signature",
    "token",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{parse, unread};

    fn shown(source: &str) -> String {
        let root = parse(source).0.unwrap();
        let all = secret_places(source, &root);
        text_without_secrets(source, &unread(source), &all, &root)
    }

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
        .assert_eq(&shown(source));
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
        .assert_eq(&shown(source));
    }

    #[test]
    fn labels_are_shown_whatever_they_are_called() {
        let source = "global: {external_labels: {env: prod, api_token: a}}\n\
                      scrape_configs:\n- static_configs: [{targets: [t], labels: {env: prod, key: k}}]\n\
                      route: {routes: [{match: {env: e}, match_re: {headers: h}}]}\n\
                      inhibit_rules: [{source_match: {key: k}, target_match_re: {url: u}}]\n\
                      receivers: [{exec_configs: [{env: {labels: hidden}, labels: {env: {token: t}}}]}]\n\
                      jira: {labels: [{token: t}]}\n";
        expect_test::expect![[r#"
            global: {external_labels: {env: prod, api_token: a}}
            scrape_configs:
            - static_configs: [{targets: [t], labels: {env: prod, key: k}}]
            route: {routes: [{match: {env: e}, match_re: {headers: h}}]}
            inhibit_rules: [{source_match: {key: k}, target_match_re: {url: u}}]
            receivers: [{exec_configs: [{env: {labels: <secret>}, labels: {env: {token: <secret>}}}]}]
            jira: {labels: [{token: <secret>}]}
        "#]]
        .assert_eq(&shown(source));
    }

    #[test]
    fn parameters_that_are_secrets_are_hidden() {
        let source = "source: {prometheus: {params: {apikey: X, dedup: 'true', Access-Token: Y}}}\n\
                      scrape_configs: [{params: {'match[]': [up], key: [a, b], module: [m]}}]\n\
                      oauth2: {endpoint_params: {audience: a, client_auth: c}}\n";
        expect_test::expect![[r#"
            source: {prometheus: {params: {apikey: <secret>, dedup: 'true', Access-Token: <secret>}}}
            scrape_configs: [{params: {'match[]': [up], key: [<secret>, <secret>], module: [m]}}]
            oauth2: {endpoint_params: {audience: a, client_auth: <secret>}}
        "#]]
        .assert_eq(&shown(source));
    }

    #[test]
    fn comments_and_further_documents_are_left_out() {
        let source = "# HIDE first\n\nglobal: # HIDE\n  a: 'x # y'  # HIDE\n  # HIDE\n\n  b: |  # HIDE\n    \
                      # text\n    more # text\n# HIDE\n  password: |\n    one\n    two\n  # HIDE\n  \
                      c: x#y\n  d: \"q\n    # text\"\n  e: [1, # HIDE\n    # HIDE\n    2]\r\n  # HIDE\r\n  \
                      f: é # HIDE\n# HIDE\n---\ntoken: HIDE # HIDE\n";
        let text = shown(source);
        expect_test::expect![[r#"

            global:
              a: 'x # y'

              b: |
                # text
                more # text
              password: |
                <secret>
              c: x#y
              d: "q
                # text"
              e: [1,
                2]<cr>
              f: é
        "#]]
        .assert_eq(&text.replace('\r', "<cr>"));
        assert!(!text.contains("HIDE") && parse(&text).1.is_empty());
        for source in [
            "a: 1 # HIDE",
            "a: 1\n...\nHIDE\n",
            "--- # HIDE\na: 1\n# HIDE",
            "# HIDE\na: 1\n",
        ] {
            let text = shown(source);
            assert!(
                text.contains("a: 1") && !text.contains("HIDE"),
                "{source}: {text}"
            );
        }
    }

    #[test]
    fn a_part_of_a_file_shows_no_secrets_of_others_in_its_lines() {
        for source in [
            r#"{"jobs": [
  {"job_name": "a"},
  {"job_name": "b", "basic_auth": {"password": "HIDE"}}
]}"#,
            r#"jobs: [{job_name: a}, {job_name: b, basic_auth: {password: HIDE}}]"#,
        ] {
            let root = parse(source).0.unwrap();
            let all = secret_places(source, &root);
            for part in root.items("jobs") {
                let shown = text_without_secrets(source, &unread(source), &all, part);
                assert!(
                    shown.contains("job_name") && !shown.contains("HIDE"),
                    "{shown}"
                );
            }
        }
    }

    #[test]
    fn a_part_of_a_file_is_shown_without_its_comments() {
        let source = "# HIDE\njobs:\n# HIDE\n- name: a # HIDE\n# HIDE\n  token: |\n    one\n    two\n  \
                      # HIDE\n  x: 1\n# HIDE\n- name: b\n";
        let root = parse(source).0.unwrap();
        let all = secret_places(source, &root);
        let parts = root.items("jobs").iter();
        let parts: Vec<String> = parts
            .map(|part| text_without_secrets(source, &unread(source), &all, part))
            .collect();
        expect_test::expect![[r#"
            name: a
            token: |
              <secret>
            x: 1
            --
            name: b
        "#]]
        .assert_eq(&parts.join("--\n"));
    }
}
