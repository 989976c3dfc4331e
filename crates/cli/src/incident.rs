//! `firebell incident`: what people do with the incidents of a running Firebell.

mod note;

use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use self::note::{Note, TakeBack};
use crate::explain::Asked;
use crate::{harmless, say};

/// What can be done with incidents.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List incidents, the newest first.
    #[command(after_help = "Example: firebell incident list --status open --severity sev1")]
    List(List),
    /// Show one, with its timeline.
    Show(Show),
    /// Open one.
    #[command(
        after_help = "Example: firebell incident declare 'nobody can pay' --severity sev1 --service pay"
    )]
    Declare(Declare),
    /// Say that you look into it.
    Ack(Of),
    /// Write something down, or show a picture, for the team or for stakeholders.
    #[command(
        after_help = "Example: firebell incident note 4 'restarted the database'\n\
                      firebell incident note 4 'latency doubled' --picture graph.png"
    )]
    Note(Note),
    /// Take a picture back that was the wrong one: nobody can look at it any more.
    #[command(after_help = "Example: firebell incident take-back 4 \
                      http://localhost:9494/api/firebell/v1/incidents/INC-4/pictures/5d1b3f…")]
    TakeBack(TakeBack),
    /// Move it to another state: triage, active, mitigated, resolved, review, closed or declined.
    Move {
        #[command(flatten)]
        of: Of,
        /// There.
        #[arg(value_name = "STATE")]
        to: String,
        /// Only if it is here now.
        #[arg(long, value_name = "STATE")]
        from: Option<String>,
        /// What it was.
        #[arg(long, value_name = "VERDICT")]
        verdict: Option<String>,
    },
    /// Say how bad it is: sev1 to sev4.
    Severity {
        #[command(flatten)]
        of: Of,
        /// From now on.
        #[arg(value_name = "SEVERITY")]
        to: String,
    },
    /// Call it otherwise.
    Title {
        #[command(flatten)]
        of: Of,
        /// From now on.
        #[arg(value_name = "TITLE")]
        to: String,
    },
    /// Give a role (commander, operations, liaison, scribe) to somebody, or back.
    Role {
        #[command(flatten)]
        of: Of,
        /// Which.
        #[arg(value_name = "ROLE")]
        role: String,
        /// Who; nobody has it without.
        #[arg(value_name = "PERSON")]
        person: Option<String>,
    },
    /// Add something to do, or say that it is done.
    #[command(
        after_help = "Example: firebell incident task 4 'fail over to b' --owner ben\n\
                            firebell incident task 4 --done 1"
    )]
    Task {
        #[command(flatten)]
        of: Of,
        /// What is to be done.
        #[arg(value_name = "TEXT", required_unless_present = "done")]
        text: Option<String>,
        /// Who does it.
        #[arg(long, value_name = "PERSON", conflicts_with = "done")]
        owner: Option<String>,
        /// The number of what is done.
        #[arg(long, value_name = "N", conflicts_with = "text")]
        done: Option<u64>,
    },
    /// Print its runbooks: what to check, what to do next, when to hand over.
    Runbooks(Show),
    /// Say that a step of a runbook is done.
    #[command(after_help = "Example: firebell incident step 4 database 2")]
    Step {
        #[command(flatten)]
        of: Of,
        /// The runbook's name.
        #[arg(value_name = "RUNBOOK")]
        runbook: String,
        /// The step's number, from 1.
        #[arg(value_name = "N")]
        step: u64,
    },
    /// Add something to look at.
    Link {
        #[command(flatten)]
        of: Of,
        /// Its address.
        #[arg(value_name = "URL")]
        link: String,
        /// What it is.
        #[arg(value_name = "TITLE", default_value = "")]
        title: String,
    },
    /// Say what users notice.
    Impact {
        #[command(flatten)]
        of: Of,
        /// In words.
        #[arg(value_name = "TEXT")]
        text: String,
        /// How many.
        #[arg(long, value_name = "N")]
        users: Option<u64>,
    },
    /// Say what is hit; all of it.
    Components {
        #[command(flatten)]
        of: Of,
        /// Each of them.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Say how data is: unknown, intact, `at_risk` or lost.
    Data {
        #[command(flatten)]
        of: Of,
        /// In a word.
        #[arg(value_name = "STATE")]
        state: String,
        /// How that is known.
        #[arg(value_name = "TEXT", default_value = "")]
        text: String,
    },
    /// Take an alert out that belongs elsewhere.
    Detach {
        #[command(flatten)]
        of: Of,
        /// Its fingerprint.
        #[arg(value_name = "FINGERPRINT")]
        alert: String,
    },
    /// Have it go on as another one.
    Merge {
        #[command(flatten)]
        of: Of,
        /// That one.
        #[arg(value_name = "INCIDENT")]
        into: String,
    },
    /// Say what it was; may be said again.
    Verdict {
        #[command(flatten)]
        of: Of,
        /// acted, elsewhere, `wrong_time`, `planned_work`, threshold, `broken_check`, duplicate or
        /// false.
        #[arg(value_name = "VERDICT")]
        verdict: String,
    },
    /// Write a part of its postmortem: summary, cause, `went_well`, `went_badly` or gaps.
    #[command(after_help = "Example: firebell incident write 4 cause \"$(cat cause.md)\"")]
    Write {
        #[command(flatten)]
        of: Of,
        /// Which part.
        #[arg(value_name = "PART")]
        part: String,
        /// All of it, as Markdown.
        #[arg(value_name = "TEXT")]
        text: String,
    },
    /// Add something to be done so that it does not come back.
    #[command(
        after_help = "Example: firebell incident follow-up 4 'alert on replication lag' --owner ben \
                      --due 2026-12-01"
    )]
    FollowUp {
        #[command(flatten)]
        of: Of,
        /// What.
        #[arg(value_name = "TEXT")]
        text: String,
        /// Who does it.
        #[arg(long, value_name = "PERSON")]
        owner: String,
        /// Until the end of this day, such as 2026-12-01.
        #[arg(long, value_name = "DAY")]
        due: String,
    },
    /// Say what proves that a follow-up is done.
    Prove {
        #[command(flatten)]
        of: Of,
        /// Its number.
        #[arg(value_name = "N")]
        follow_up: u64,
        /// What proves it: a test, a drill, a graph, in words or as an address.
        #[arg(value_name = "PROOF")]
        proof: String,
    },
    /// Say that it is none.
    Decline(Of),
    /// Close it, and say what it was.
    #[command(after_help = "Example: firebell incident close 4 --verdict acted")]
    Close {
        #[command(flatten)]
        of: Of,
        /// acted, elsewhere, `wrong_time`, `planned_work`, threshold, `broken_check`, duplicate or
        /// false.
        #[arg(long, value_name = "VERDICT")]
        verdict: Option<String>,
    },
}

/// Which ones.
#[derive(Args)]
pub(crate) struct List {
    /// Those in a state, or open, over or merged; may be given again.
    #[arg(long, value_name = "STATE")]
    status: Vec<String>,
    /// Those that are so bad; may be given again.
    #[arg(long, value_name = "SEVERITY")]
    severity: Vec<String>,
    /// Those of a service.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// Opened not before this time, as 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Opened not after this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// So many at most, up to 1,000.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    asked: Asked,
}

/// Which one.
#[derive(Args)]
pub(crate) struct Show {
    /// Its number, as INC-4 or 4.
    #[arg(value_name = "INCIDENT", value_parser = NonEmptyStringValueParser::new())]
    id: String,
    #[command(flatten)]
    asked: Asked,
}

/// A new one.
#[derive(Args)]
pub(crate) struct Declare {
    /// What it is called.
    #[arg(value_name = "TITLE")]
    title: String,
    /// How bad it is: sev1 to sev4.
    #[arg(long, default_value = "sev3")]
    severity: String,
    /// The service that it is about; its alerts join.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
    /// The fingerprint of an alert that fires; may be given again.
    #[arg(long = "alert", value_name = "FINGERPRINT")]
    alerts: Vec<String>,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// Who does it.
#[derive(Args)]
pub(crate) struct AsWhom {
    /// Your name; by default that of the account.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Which incident somebody acts on.
#[derive(Args)]
pub(crate) struct Of {
    /// Its number, as INC-4 or 4.
    #[arg(value_name = "INCIDENT", value_parser = NonEmptyStringValueParser::new())]
    id: String,
    #[command(flatten)]
    as_whom: AsWhom,
    #[command(flatten)]
    asked: Asked,
}

/// Does it.
pub(crate) fn incident(command: &Command) -> ExitCode {
    let done = match command {
        Command::List(options) => list(options),
        Command::Show(options) => show(options),
        Command::Runbooks(options) => runbooks(options),
        Command::Declare(options) => declare(options),
        Command::Note(note) if !note.pictures.is_empty() => note.show(),
        Command::TakeBack(picture) => picture.take_back(),
        act => match act_of(act) {
            Some((of, act)) => of.act(act),
            None => Err(ExitCode::from(2)),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

/// What is posted, but for who does it.
fn act_of(command: &Command) -> Option<(&Of, Value)> {
    Some(match command {
        Command::List(_)
        | Command::Show(_)
        | Command::Runbooks(_)
        | Command::Declare(_)
        | Command::TakeBack(_) => return None,
        Command::Ack(of) => (of, json!({ "do": "ack" })),
        Command::Note(note) => (&note.of, note.act()),
        Command::Move {
            of,
            to,
            from,
            verdict,
        } => (of, moved(to, from.as_deref(), verdict.as_deref())),
        Command::Severity { of, to } => (of, json!({ "do": "severity", "to": to })),
        Command::Title { of, to } => (of, json!({ "do": "title", "to": to })),
        Command::Role { of, role, person } => {
            (of, json!({ "do": "role", "role": role, "person": person }))
        }
        Command::Task {
            of, done: Some(n), ..
        } => (of, json!({ "do": "task_done", "task": n })),
        Command::Task {
            of, text, owner, ..
        } => (of, json!({ "do": "task", "text": text, "owner": owner })),
        Command::Step { of, runbook, step } => (
            of,
            json!({ "do": "step", "runbook": runbook, "step": step }),
        ),
        Command::Link { of, link, title } => {
            (of, json!({ "do": "link", "url": link, "title": title }))
        }
        Command::Impact { of, text, users } => {
            (of, json!({ "do": "impact", "text": text, "users": users }))
        }
        Command::Components { of, names } => (of, json!({ "do": "components", "names": names })),
        Command::Data { of, state, text } => {
            (of, json!({ "do": "data", "state": state, "text": text }))
        }
        Command::Detach { of, alert } => (of, json!({ "do": "detach", "alert": alert })),
        Command::Merge { of, into } => (of, json!({ "do": "merge", "into": into })),
        Command::Verdict { of, verdict } => (of, json!({ "do": "verdict", "verdict": verdict })),
        Command::Write { of, part, text } => {
            (of, json!({ "do": "part", "part": part, "text": text }))
        }
        Command::FollowUp {
            of,
            text,
            owner,
            due,
        } => (
            of,
            json!({ "do": "follow_up", "text": text, "owner": owner, "due": due }),
        ),
        Command::Prove {
            of,
            follow_up,
            proof,
        } => (
            of,
            json!({ "do": "proven", "follow_up": follow_up, "proof": proof }),
        ),
        Command::Decline(of) => (of, moved("declined", None, None)),
        Command::Close { of, verdict } => (of, moved("closed", None, verdict.as_deref())),
    })
}

fn moved(to: &str, from: Option<&str>, verdict: Option<&str>) -> Value {
    json!({ "do": "state", "to": to, "from": from, "verdict": verdict })
}

impl AsWhom {
    /// The name. Without one nothing is done: what people do is kept with who did it.
    pub(crate) fn name(&self) -> Result<String, ExitCode> {
        let of_account = || std::env::var("USER").ok();
        let name = self.by.clone().or_else(of_account);
        name.filter(|name| !name.is_empty()).ok_or_else(|| {
            eprintln!(
                "firebell: the account has no name (USER is not set): say yours with --by NAME"
            );
            ExitCode::FAILURE
        })
    }
}

impl Of {
    fn act(&self, act: Value) -> Result<(), ExitCode> {
        let mut fields = Map::from_iter([("by".to_owned(), json!(self.as_whom.name()?))]);
        fields.extend(act.as_object().cloned().unwrap_or_default());
        let path = format!("{PATH}/{}/acts", segment(&self.id));
        let body = self.asked.post(&path, &Value::Object(fields))?;
        told(&body, &self.asked)
    }
}

fn declare(options: &Declare) -> Result<(), ExitCode> {
    let opening = json!({
        "by": options.as_whom.name()?,
        "title": options.title,
        "severity": options.severity,
        "service": options.service,
        "alerts": options.alerts,
    });
    told(&options.asked.post(PATH, &opening)?, &options.asked)
}

/// Prints what an act has come to.
fn told(body: &str, asked: &Asked) -> Result<(), ExitCode> {
    if asked.json {
        say(format_args!("{body}"));
        return Ok(());
    }
    let answer = parsed(body)?;
    let already = match answer["outcome"].as_str() {
        Some("already") => " (it was so already)",
        _ => "",
    };
    say(format_args!("{}{already}", line(&answer["incident"])));
    Ok(())
}

fn list(options: &List) -> Result<(), ExitCode> {
    let limit = options.limit.to_string();
    let mut params = vec![("limit", limit.as_str())];
    params.extend(options.status.iter().map(|it| ("status", it.as_str())));
    params.extend(options.severity.iter().map(|it| ("severity", it.as_str())));
    let others = [
        ("service", &options.service),
        ("from", &options.from),
        ("to", &options.to),
    ];
    let others = others.into_iter();
    params.extend(others.filter_map(|(name, value)| Some((name, value.as_deref()?))));
    let body = options.asked.ask(PATH, &params)?;
    if options.asked.json {
        say(format_args!("{body}"));
        return Ok(());
    }
    let answer = parsed(&body)?;
    for incident in answer["incidents"].as_array().into_iter().flatten() {
        say(format_args!("{}", line(incident)));
    }
    if answer["next"].is_string() {
        say(format_args!(
            "there are more: narrow it down, or give --limit"
        ));
    }
    Ok(())
}

fn show(options: &Show) -> Result<(), ExitCode> {
    let path = format!("{PATH}/{}", segment(&options.id));
    let body = options.asked.ask(&path, &[])?;
    if options.asked.json {
        say(format_args!("{body}"));
        return Ok(());
    }
    let it = parsed(&body)?;
    say(format_args!("{}", line(&it)));
    facts(&it);
    for alert in it["alerts"].as_array().into_iter().flatten() {
        let state = if alert["endedAt"].is_null() {
            "fires"
        } else {
            "has ended"
        };
        let what = harmless(&format!("{} {state}", text(alert, "text")));
        say(format_args!(
            "  alert {} {what}",
            text(alert, "fingerprint")
        ));
    }
    for entry in it["timeline"].as_array().into_iter().flatten() {
        let by = entry["by"].as_str().unwrap_or("firebell");
        let what = harmless(&format!("{by} {}", text(entry, "text")));
        say(format_args!("{} {what}", text(entry, "at")));
        note::print_picture(&it, entry, &options.asked);
    }
    Ok(())
}

/// Each as Markdown, and what comes next by it.
fn runbooks(options: &Show) -> Result<(), ExitCode> {
    let id = segment(&options.id);
    let body = options.asked.ask(&format!("{PATH}/{id}/runbooks"), &[])?;
    if options.asked.json {
        say(format_args!("{body}"));
        return Ok(());
    }
    let answer = parsed(&body)?;
    let all = answer["runbooks"].as_array().map_or(&[][..], Vec::as_slice);
    if all.is_empty() {
        say(format_args!(
            "it has no runbook: they stand under `incidents`, `runbooks`"
        ));
    }
    for runbook in all {
        let name = harmless(text(runbook, "name"));
        say(format_args!("<!-- {name} -->"));
        for line in text(runbook, "text").lines() {
            say(format_args!("{}", harmless(line)));
        }
        let mut steps = runbook["steps"].as_array().into_iter().flatten();
        if let Some(next) = steps.find(|it| it["done"].is_null()) {
            let (n, what) = (&next["n"], harmless(text(next, "text")));
            say(format_args!(
                "\nnext: {what}; done: `firebell incident step {id} {name} {n}`\n"
            ));
        }
    }
    Ok(())
}

/// Those facts that are known.
fn facts(it: &Value) {
    let fact = |name: &str, text: &str| {
        if !text.is_empty() {
            say(format_args!("  {name}: {}", harmless(text)));
        }
    };
    fact("acknowledged by", text(&it["acknowledged"], "by"));
    for role in it["roles"].as_array().into_iter().flatten() {
        fact(text(role, "role"), text(role, "person"));
    }
    fact("impact", text(&it["impact"], "text"));
    let components = it["components"].as_array().into_iter().flatten();
    let components: Vec<&str> = components.filter_map(Value::as_str).collect();
    fact("components", &components.join(", "));
    let data = &it["data"];
    let known = format!("{} {}", text(data, "state"), text(data, "text"));
    fact("data", known.trim());
    if let Some(left) = it["budget"]["left"].as_f64() {
        let of = text(&it["budget"], "objective");
        fact(
            "error budget",
            &format!("{:.2} % of {of} left", left * 100.0),
        );
    }
    for task in it["tasks"].as_array().into_iter().flatten() {
        let tick = if task["done"].is_null() { ' ' } else { 'x' };
        let owner = task["owner"].as_str().map(|it| format!(" ({it})"));
        let what = format!(
            "[{tick}] {}{}",
            text(task, "text"),
            owner.unwrap_or_default()
        );
        fact(&format!("task {}", task["n"]), &what);
    }
    let next = it["next"].as_array().into_iter().flatten();
    let next: Vec<&str> = next.filter_map(Value::as_str).collect();
    fact("goes to", &next.join(", "));
}

fn line(incident: &Value) -> String {
    let verdict = incident["verdict"]["words"].as_str().map(|words| {
        let is_guessed = incident["verdict"]["guessed"] == true;
        format!(", {words}{}", if is_guessed { " (guessed)" } else { "" })
    });
    let into = incident["mergedInto"]
        .as_str()
        .map(|it| format!(" into {it}"));
    harmless(&format!(
        "{} {} {}{} since {}, {} of {} alerts fire{}: {}",
        text(incident, "id"),
        text(incident, "severity"),
        text(incident, "state"),
        into.unwrap_or_default(),
        text(incident, "movedAt"),
        incident["firingCount"],
        incident["alertCount"],
        verdict.unwrap_or_default(),
        text(incident, "title"),
    ))
}

/// A field that is a text; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// An answer as JSON. What went wrong is printed.
pub(crate) fn parsed(body: &str) -> Result<Value, ExitCode> {
    serde_json::from_str(body).map_err(|error| {
        eprintln!("firebell: the answer is no JSON: {error}");
        ExitCode::from(2)
    })
}

/// What somebody typed, as a part of a path: nothing in it leads elsewhere.
pub(crate) fn segment(id: &str) -> String {
    let mut segment = String::new();
    for byte in id.bytes() {
        match byte {
            b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => segment.push(char::from(byte)),
            other => segment.push_str(&format!("%{other:02X}")),
        }
    }
    segment
}

const PATH: &str = "/api/firebell/v1/incidents";
