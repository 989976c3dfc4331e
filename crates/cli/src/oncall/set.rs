//! `firebell oncall list`: what of on-call was set on a running Firebell.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{list as items, names, text};
use crate::check::now;
use crate::explain::Asked;
use crate::incident::parsed;
use crate::{harmless, say};

/// Which of it.
#[derive(Args)]
pub(crate) struct List {
    /// The schedule; all of them when none is named.
    schedule: Option<String>,
    /// Only of this kind: overrides, swaps, temporary, shifts or schedules; may be given again.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// What holds after this time, by the schedule's clock, as 2026-01-05 or 2026-01-05T09:00; now
    /// when not given.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// What holds before this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// So many at most.
    #[arg(long, value_name = "N", default_value = "100")]
    limit: NonZeroUsize,
    #[command(flatten)]
    asked: Asked,
}

/// Lists it. A page at a time is asked for; of JSON all of them are one.
pub(crate) fn list(options: &List) -> Result<ExitCode, ExitCode> {
    let from = options.from.clone();
    let from = from.unwrap_or_else(|| now().to_string());
    let (mut left, mut page, mut whole) = (options.limit.get(), String::new(), Map::new());
    let mut next = Value::Null;
    while left > 0 {
        let limit = left.min(PAGE_MAX).to_string();
        let mut params = vec![("from", &*from), ("limit", &*limit), ("page", &*page)];
        let named = [("schedule", &options.schedule), ("to", &options.to)];
        let named = named.into_iter();
        params.extend(named.filter_map(|(name, value)| Some((name, value.as_deref()?))));
        params.extend(options.kind.iter().map(|it| ("kind", it.as_str())));
        let answer = parsed(&options.asked.ask(PATH, &params)?)?;
        for kind in KINDS {
            let found = items(&answer[kind]);
            left = left.saturating_sub(found.len());
            match options.asked.json {
                true => {
                    let all = whole.entry(kind).or_insert_with(|| json!([]));
                    if let Value::Array(all) = all {
                        all.extend(found.iter().cloned());
                    }
                }
                false => found.iter().for_each(|it| print(kind, it)),
            }
        }
        next = answer["next"].clone();
        match next.as_str() {
            Some(next) => next.clone_into(&mut page),
            None => break,
        }
    }
    if options.asked.json {
        whole.insert("next".to_owned(), next);
        say(format_args!("{}", Value::Object(whole)));
    } else if !next.is_null() {
        let n = options.limit;
        eprintln!("firebell: there are more than {n}: see --limit, or narrow them");
    }
    Ok(ExitCode::SUCCESS)
}

fn print(kind: &str, it: &Value) {
    let (id, object) = (text(&it["id"]), &it["object"]);
    let what = match kind {
        "swaps" => swapped(object),
        "schedules" => said(object),
        _ => format!("{}  {}", during(object), said(object)),
    };
    let schedule = match kind {
        "schedules" => String::new(),
        _ => format!("{}  ", text(&object["schedule"])),
    };
    let reason = match text(&object["reason"]) {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let by = match it["by"].as_str() {
        Some(by) => format!(" (set by {by})"),
        None => String::new(),
    };
    let line = format!("{kind} {id}  {schedule}{what}{reason}{by}");
    say(format_args!("{}", harmless(&line)));
}

/// Times as they were written: by the clock of the schedule, or of UTC.
fn during(object: &Value) -> String {
    format!("{} .. {}", text(&object["from"]), text(&object["until"]))
}

fn swapped(object: &Value) -> String {
    let sides = object.as_object().into_iter().flatten();
    let sides = sides.filter(|(_, side)| side.is_object());
    let sides = sides.map(|(who, side)| format!("{who} gives away {}", during(side)));
    sides.collect::<Vec<_>>().join(", ")
}

/// Who is on call, or what else is said of it.
fn said(object: &Value) -> String {
    let who = |name: &str| match &object[name] {
        Value::Null => None,
        Value::String(name) => Some(name.clone()),
        all => Some(names(all)),
    };
    let ways = [
        ("people", ""),
        ("take", ""),
        ("add", "and "),
        ("remove", "not "),
    ];
    let mut found = ways
        .into_iter()
        .filter_map(|(name, before)| Some(format!("{before}{}", who(name)?)));
    let said = match (who("replace"), who("by")) {
        (Some(of), Some(by)) => format!("{by} for {of}"),
        _ => found.next().unwrap_or_default(),
    };
    let shadows = match items(&object["shadows"]) {
        [] => String::new(),
        _ => format!(", shadow: {}", names(&object["shadows"])),
    };
    let turns = match object["every"].as_str() {
        Some(every) => format!(", in turns of {every}"),
        None => String::new(),
    };
    format!("{said}{shadows}{turns}")
}

const PATH: &str = "/api/firebell/v1/oncall/overrides";
const KINDS: [&str; 5] = ["overrides", "swaps", "temporary", "shifts", "schedules"];
/// So many are asked for at once.
const PAGE_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::Cli;

    #[test]
    fn a_limit_of_nothing_is_wrong_usage() {
        for command in [["oncall", "list"], ["history", "list"]] {
            let refusal = |limit: &str| {
                let line = ["firebell", command[0], command[1], "--limit", limit];
                Cli::try_parse_from(line).err().map(|it| it.exit_code())
            };
            for (limit, expected) in [("0", Some(2)), ("-1", Some(2)), ("x", Some(2)), ("1", None)]
            {
                assert_eq!(refusal(limit), expected, "{command:?} {limit}");
            }
        }
    }
}
