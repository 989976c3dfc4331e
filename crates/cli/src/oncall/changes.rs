//! `firebell oncall override`, `swap`, `temporary`, `changes`, `undo`: what people change on a running Firebell.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::explain::Asked;
use crate::incident::{AsWhom, parsed, segment, text};
use crate::{harmless, say};

/// For a while something else holds.
#[derive(Args)]
pub(crate) struct Override {
    /// The schedule.
    schedule: String,
    /// From this time, by the schedule's clock, as 2026-01-05 or 2026-01-05T09:00.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Until this time.
    #[arg(long, value_name = "TIME")]
    until: String,
    #[command(flatten)]
    change: Change,
    /// Why.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// What else holds.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// This person is on call, whoever else would be; may be given again.
    #[arg(long, value_name = "PERSON", conflicts_with_all = ["replace", "add", "remove"])]
    take: Vec<String>,
    /// Somebody stands in for this person: see `--with`.
    #[arg(long, value_name = "PERSON", requires = "with", conflicts_with_all = ["add", "remove"])]
    replace: Option<String>,
    /// Who stands in.
    #[arg(long, value_name = "PERSON", requires = "replace")]
    with: Option<String>,
    /// One more person is on call.
    #[arg(long, value_name = "PERSON", conflicts_with = "remove")]
    add: Option<String>,
    /// This person is not.
    #[arg(long, value_name = "PERSON")]
    remove: Option<String>,
}

/// Each of two people has the other's shifts.
#[derive(Args)]
pub(crate) struct Swap {
    /// The schedule.
    schedule: String,
    /// Who gives away which time, as ana=2026-01-11/2026-01-12.
    #[arg(value_name = "PERSON=FROM/UNTIL")]
    one: String,
    /// The other one.
    #[arg(value_name = "PERSON=FROM/UNTIL")]
    other: String,
    /// Why.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// For a while another rotation holds, in place of the schedule's own.
#[derive(Args)]
pub(crate) struct Temporary {
    /// The schedule.
    schedule: String,
    /// Who has which turn, in order and then again.
    #[arg(required = true)]
    people: Vec<String>,
    /// From this time, by the schedule's clock, as 2026-01-05 or 2026-01-05T09:00.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Until this time.
    #[arg(long, value_name = "TIME")]
    until: String,
    /// How long a turn is, such as 1d.
    #[arg(long, value_name = "TIME", default_value = "1w")]
    every: String,
    /// Why.
    #[arg(long, default_value = "", hide_default_value = true)]
    reason: String,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// A change that is taken back.
#[derive(Args)]
pub(crate) struct Undo {
    /// Its number, as `firebell oncall changes` lists it.
    change: u64,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// Who is asked to confirm their contacts.
#[derive(Args)]
pub(crate) struct Verify {
    /// The person, as the configuration names them.
    person: String,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// Sends test messages.
pub(crate) fn verify(options: &Verify) -> Result<ExitCode, ExitCode> {
    let body = json!({ "by": options.as_whom.name()? });
    let path = format!("{PATH}/people/{}/verify", segment(&options.person));
    let body = options.asked.post(&path, &body)?;
    let answer = parsed(&body)?;
    let contacts = answer["contacts"].as_array().into_iter().flatten();
    let mut code = ExitCode::SUCCESS;
    let mut lines = Vec::new();
    for contact in contacts {
        let state = match (&contact["verified"], contact["error"].as_str()) {
            (Value::Bool(true), _) => "is confirmed".to_owned(),
            (_, None) => "test message sent: its link confirms it, for a day".to_owned(),
            (_, Some(why)) => {
                code = ExitCode::from(1);
                format!("could not be sent: {why}")
            }
        };
        lines.push(format!("{}: {state}", text(contact, "kind")));
    }
    if options.asked.json {
        say(format_args!("{body}"));
        return Ok(code);
    }
    if lines.is_empty() {
        lines.push(format!("{} has no contact", options.person));
    }
    for line in lines {
        say(format_args!("{}", harmless(&line)));
    }
    Ok(code)
}

/// Puts an override in force.
pub(crate) fn add_override(options: &Override) -> Result<ExitCode, ExitCode> {
    let Change {
        take,
        replace,
        with,
        add,
        remove,
    } = &options.change;
    let mut said = json!({
        "schedule": options.schedule,
        "from": options.from,
        "until": options.until,
        "reason": options.reason,
    });
    if !take.is_empty() {
        said["take"] = json!(take);
    }
    let names = [
        ("replace", replace),
        ("by", with),
        ("add", add),
        ("remove", remove),
    ];
    for (name, person) in names {
        if let Some(person) = person {
            said[name] = json!(person);
        }
    }
    post(
        "overrides",
        "override",
        &said,
        (&options.as_whom, &options.asked),
    )
}

/// Puts a temporary schedule in force.
pub(crate) fn add_temporary(options: &Temporary) -> Result<ExitCode, ExitCode> {
    let said = json!({
        "schedule": options.schedule,
        "from": options.from,
        "until": options.until,
        "every": options.every,
        "people": options.people,
        "reason": options.reason,
    });
    let who = (&options.as_whom, &options.asked);
    post("temporary", "temporary", &said, who)
}

/// Puts a swap in force.
pub(crate) fn add_swap(options: &Swap) -> Result<ExitCode, ExitCode> {
    let mut said = Map::new();
    said.insert("schedule".to_owned(), json!(options.schedule));
    for side in [&options.one, &options.other] {
        let Some((person, from, until)) = parse_side(side) else {
            eprintln!(
                "firebell: `{side}` is not PERSON=FROM/UNTIL, such as ana=2026-01-11/2026-01-12"
            );
            return Err(ExitCode::from(2));
        };
        let times = json!({ "from": from, "until": until, "reason": options.reason });
        said.insert(person.to_owned(), times);
    }
    let who = (&options.as_whom, &options.asked);
    post("swaps", "swap", &Value::Object(said), who)
}

fn parse_side(side: &str) -> Option<(&str, &str, &str)> {
    let (person, times) = side.split_once('=')?;
    let (from, until) = times.split_once('/')?;
    Some((person, from, until))
}

fn post(
    path: &str,
    name: &str,
    said: &Value,
    (as_whom, asked): (&AsWhom, &Asked),
) -> Result<ExitCode, ExitCode> {
    let body = json!({ "by": as_whom.name()?, name: said });
    done(&asked.post_change(&format!("{PATH}/{path}"), &body)?, asked)
}

/// Takes a change back.
pub(crate) fn undo(options: &Undo) -> Result<ExitCode, ExitCode> {
    let body = json!({ "by": options.as_whom.name()? });
    let number = options.change.to_string();
    let path = format!("{PATH}/changes/{}/revert", segment(&number));
    done(&options.asked.post(&path, &body)?, &options.asked)
}

fn done(body: &str, asked: &Asked) -> Result<ExitCode, ExitCode> {
    if asked.json {
        say(format_args!("{body}"));
        return Ok(ExitCode::SUCCESS);
    }
    let answer = parsed(body)?;
    let number = &answer["change"];
    say(format_args!(
        "change {number} is in force; `firebell oncall undo {number}` takes it back"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Lists who changed what, the newest first.
pub(crate) fn changes(asked: &Asked) -> Result<ExitCode, ExitCode> {
    let body = asked.ask(&format!("{PATH}/changes"), &[])?;
    if asked.json {
        say(format_args!("{body}"));
        return Ok(ExitCode::SUCCESS);
    }
    let listed = parsed(&body)?;
    for change in listed["changes"].as_array().into_iter().flatten() {
        let [at, who, kind] = ["at", "who", "namespace"].map(|it| text(change, it));
        let reverts = change["reverts"].as_u64();
        let reverts = reverts
            .map(|it| format!(", takes {it} back"))
            .unwrap_or_default();
        let groups = change["groups"].as_array().into_iter().flatten();
        let what = groups.map(|it| match it["after"].as_str() {
            Some(object) => object.to_owned(),
            None => format!("removed {}", it["before"].as_str().unwrap_or_default()),
        });
        let what = what.collect::<Vec<_>>().join("; ");
        let line = format!("{} {at} {who}{reverts}: {kind} {what}", change["id"]);
        say(format_args!("{}", harmless(&line)));
    }
    Ok(ExitCode::SUCCESS)
}

const PATH: &str = "/api/firebell/v1/oncall";
