//! `firebell pages`, `ack`, `resolve`, `snooze`, `handoff`: what people answer to pages.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::explain::Asked;
use crate::incident::{AsWhom, parsed, segment, text};
use crate::{harmless, say};

/// Which pages are listed.
#[derive(Args)]
pub(crate) struct Pages {
    /// Only this one, with who was told of it.
    #[arg(value_name = "PAGE")]
    id: Option<String>,
    /// Those that are over too.
    #[arg(long)]
    all: bool,
    /// So many at most, up to 1,000.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    asked: Asked,
}

/// Which page somebody answers.
#[derive(Args)]
pub(crate) struct Of {
    /// The number of its incident, as INC-4 or 4; the one that is open, when there is only one.
    #[arg(value_name = "PAGE")]
    id: Option<String>,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// A page that is quiet for a while.
#[derive(Args)]
pub(crate) struct Snooze {
    /// How long, up to a week.
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    time: String,
    #[command(flatten)]
    of: Of,
}

/// A page that others go on with.
#[derive(Args)]
pub(crate) struct HandOff {
    /// The number of its incident, as INC-4 or 4.
    #[arg(value_name = "PAGE")]
    id: String,
    /// Who goes on with it: a policy, from its beginning, or a person.
    #[arg(value_name = "TO", required_unless_present = "to")]
    other: Option<String>,
    /// The same; `person:ana` where a policy is called like a person.
    #[arg(long, value_name = "TO", conflicts_with = "other")]
    to: Option<String>,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// Lists pages, or shows one.
pub(crate) fn pages(options: &Pages) -> ExitCode {
    code(match &options.id {
        Some(id) => show(id, &options.asked),
        None => list(options),
    })
}

/// Somebody looks into it.
pub(crate) fn ack(of: &Of) -> ExitCode {
    code(of.answer("acknowledge", &json!({})))
}

/// It is over.
pub(crate) fn resolve(of: &Of) -> ExitCode {
    code(of.answer("resolve", &json!({})))
}

/// Nobody is told for a while.
pub(crate) fn snooze(options: &Snooze) -> ExitCode {
    code(options.of.answer("snooze", &json!({ "for": options.time })))
}

/// Another policy or a person goes on with it.
pub(crate) fn hand_off(options: &HandOff) -> ExitCode {
    let said = json!({ "to": options.to.as_ref().or(options.other.as_ref()) });
    let who = (&options.as_whom, &options.asked);
    code(answer(&options.id, "hand-over", &said, who))
}

fn code(done: Result<(), ExitCode>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

impl Of {
    fn answer(&self, act: &str, said: &Value) -> Result<(), ExitCode> {
        let id = match &self.id {
            Some(id) => id.clone(),
            None => only_one(&self.asked)?,
        };
        answer(&id, act, said, (&self.as_whom, &self.asked))
    }
}

/// The page that nobody has answered, if there is only one.
fn only_one(asked: &Asked) -> Result<String, ExitCode> {
    let listed = parsed(&asked.ask(PATH, &[("limit", "1000")])?)?;
    let open = listed["pages"].as_array().into_iter().flatten();
    let mut waiting = open.filter(|it| it["acknowledged"].is_null());
    match (waiting.next(), waiting.next()) {
        (Some(page), None) => Ok(text(page, "id").to_owned()),
        (None, _) => {
            eprintln!("firebell: there is no page that nobody has answered");
            Err(ExitCode::from(1))
        }
        (Some(first), Some(second)) => {
            let (first, second) = (text(first, "id"), text(second, "id"));
            eprintln!(
                "firebell: say which page: {first}, {second} or another one that \
                 `firebell pages` lists"
            );
            Err(ExitCode::from(2))
        }
    }
}

fn answer(
    id: &str,
    act: &str,
    said: &Value,
    (as_whom, asked): (&AsWhom, &Asked),
) -> Result<(), ExitCode> {
    let mut body = said.clone();
    body["by"] = json!(as_whom.name()?);
    let body = asked.post(&format!("{PATH}/{}/{act}", segment(id)), &body)?;
    if asked.json {
        say(format_args!("{body}"));
        return Ok(());
    }
    let answer = parsed(&body)?;
    let note = match answer["outcome"].as_str() {
        Some("already") => " (it was so already)",
        Some("over") => " (it is over)",
        Some("counted") => " (others have to answer as well)",
        _ => "",
    };
    say(format_args!("{}{note}", line(&answer["page"])));
    Ok(())
}

fn list(options: &Pages) -> Result<(), ExitCode> {
    let (limit, status) = (
        options.limit.to_string(),
        if options.all { "all" } else { "open" },
    );
    let params = [("limit", limit.as_str()), ("status", status)];
    let body = options.asked.ask(PATH, &params)?;
    if options.asked.json {
        say(format_args!("{body}"));
        return Ok(());
    }
    let listed = parsed(&body)?;
    for page in listed["pages"].as_array().into_iter().flatten() {
        say(format_args!("{}", line(page)));
    }
    if listed["next"].is_string() {
        say(format_args!("there are more: give --limit"));
    }
    Ok(())
}

fn show(id: &str, asked: &Asked) -> Result<(), ExitCode> {
    let body = asked.ask(&format!("{PATH}/{}", segment(id)), &[])?;
    if asked.json {
        say(format_args!("{body}"));
        return Ok(());
    }
    let page = parsed(&body)?;
    say(format_args!("{}", line(&page)));
    for message in page["messages"].as_array().into_iter().flatten() {
        let [at, person, by, state] = ["at", "person", "by", "state"].map(|it| text(message, it));
        say(format_args!("  {at} {} by {by}: {state}", harmless(person)));
    }
    Ok(())
}

/// One page: where it stands, and what comes next.
fn line(page: &Value) -> String {
    let by = page["acknowledged"]["by"].as_str();
    let by = by.map(|it| format!(" by {it}")).unwrap_or_default();
    let state = text(page, "state").replace('_', " ");
    harmless(&format!(
        "{} {} {state}{by}{}, policy {} run {}: {}",
        text(page, "id"),
        text(page, "severity"),
        next(&page["next"]),
        text(page, "policy"),
        page["run"],
        text(page, "title"),
    ))
}

fn next(next: &Value) -> String {
    let who = next["who"].as_array().into_iter().flatten();
    let who: Vec<&str> = who.filter_map(Value::as_str).collect();
    let who = match who.as_slice() {
        [] => "nobody".to_owned(),
        who => who.join(", "),
    };
    let what = match next["what"].as_str() {
        Some("tell") => format!("tells {who}"),
        Some("hand_over") => format!("goes on with {who}"),
        Some("hours") => "the hours of a step begin".to_owned(),
        Some("anew") => "begins anew".to_owned(),
        Some(_) => "the round ends".to_owned(),
        None => return String::new(),
    };
    format!(", next: {what} at {}", text(next, "at"))
}

const PATH: &str = "/api/firebell/v1/pages";
