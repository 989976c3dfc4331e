//! `firebell oncall`: who is on call, of a configuration alone or of a running Firebell.
//!
//! Both answer in the words of the API, so what is printed is the same.

mod calendar;
mod changes;
mod set;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use firebell_model::Timestamp;
use firebell_oncall::{Oncall, by_clock_of};
use firebell_server::{OncallError, ShiftsAsked, oncall_at, oncall_calendar, oncall_shifts};
use serde_json::Value;

use crate::check::now;
use crate::explain::{Asked, ask};
use crate::slo::load_one;
use crate::{harmless, say};

/// What can be asked about on-call.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Say who is on call, until when, and who takes over from whom.
    #[command(
        after_help = "Example: firebell oncall who --config firebell.yml --at 2026-12-24T18:00:00Z\n\
                      Exit codes: 0 somebody is, everywhere; 1 a schedule has nobody and does not \
                      allow that; 2 usage or IO."
    )]
    Who {
        #[command(flatten)]
        source: Source,
        /// Not now, but at this time.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// List shifts, of two weeks where nothing else is said.
    #[command(after_help = "Example: firebell oncall show payments --from 2026-12-21 --days 14")]
    Show(Listed),
    /// List when nobody is on call, of a year where nothing else is said.
    #[command(
        after_help = "Example: firebell oncall gaps --config firebell.yml --days 90\n\
                      Exit codes: 0 never, or where it is allowed; 1 at some times; 2 usage or IO."
    )]
    Gaps(Listed),
    /// Add up what everybody carries: hours, nights and weekends by their own clocks, of a year
    /// where nothing else is said.
    #[command(after_help = "Example: firebell oncall fairness payments --from 2026-01-01")]
    Fairness(Listed),
    /// Print the shifts of a schedule or of a person as iCalendar.
    #[command(after_help = "Example: firebell oncall ical --person ana > ana.ics")]
    Ical {
        #[command(flatten)]
        source: Source,
        /// Everybody's shifts of this schedule.
        #[arg(long, value_name = "NAME", required_unless_present = "person")]
        schedule: Option<String>,
        /// This person's shifts of all schedules.
        #[arg(long, value_name = "NAME", conflicts_with = "schedule")]
        person: Option<String>,
    },
    /// Have something else hold for a while, at once, on a running Firebell.
    #[command(
        after_help = "Example: firebell oncall override payments --from 2026-01-07 --until 2026-01-08 \
                      --take ben --reason 'a wedding'\n\
                      Exit codes: 0 it is in force, 1 it is refused, 2 usage or IO."
    )]
    Override(changes::Override),
    /// Have two people swap shifts, on a running Firebell.
    #[command(
        after_help = "Example: firebell oncall swap payments ana=2026-01-11/2026-01-12 \
                      ben=2026-01-13/2026-01-14\n\
                      Exit codes: 0 it is in force, 1 it is refused, 2 usage or IO."
    )]
    Swap(changes::Swap),
    /// Put another rotation in place of a schedule's own for a while, on a running Firebell.
    #[command(
        after_help = "Example: firebell oncall temporary payments ana ben --every 1d --from 2026-08-01 \
                      --until 2026-08-15 --reason summer\n\
                      Exit codes: 0 it is in force, 1 it is refused, 2 usage or IO."
    )]
    Temporary(changes::Temporary),
    /// Read who is on call when out of a calendar (.ics) of another program, on a running Firebell.
    /// The same events again take the place of what they were.
    #[command(
        after_help = "Example: firebell oncall import-calendar payments rota.ics --dry-run\n\
                      Exit codes: 0 it is in force, 1 it is refused, 2 usage or IO."
    )]
    ImportCalendar(calendar::Import),
    /// Send somebody test messages by every contact that they have not confirmed yet; a link in them
    /// confirms it.
    #[command(after_help = "Example: firebell oncall verify ana\n\
                            Exit codes: 0 all are asked or confirmed, 1 a message failed, 2 usage or IO.")]
    Verify(changes::Verify),
    /// List what was set on a running Firebell, as far as it is not over: overrides, swaps, temporary
    /// schedules, shifts of calendars, schedules.
    #[command(
        after_help = "Example: firebell oncall list payments --kind shifts --to 2026-02-01\n\
                      Exit codes: 0 listed, 2 usage or IO."
    )]
    List(set::List),
    /// List who changed what on a running Firebell.
    Changes(Asked),
    /// Take such a change back.
    #[command(after_help = "Example: firebell oncall undo 12\n\
                            Exit codes: 0 done, 1 it cannot be taken back, 2 usage or IO.")]
    Undo(changes::Undo),
}

/// Who answers.
#[derive(Args)]
pub(crate) struct Source {
    /// Read this configuration, without any server.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    config: Option<PathBuf>,
    /// Ask this running Firebell [default: http://127.0.0.1:9494].
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A header of the request, such as 'Authorization: Bearer TOKEN'; may be given again.
    #[arg(long, value_name = "NAME: VALUE", conflicts_with = "config")]
    header: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which schedules, from when to when, and who answers.
#[derive(Args)]
pub(crate) struct Listed {
    /// The schedule; all of them when none is named.
    schedule: Option<String>,
    #[command(flatten)]
    source: Source,
    /// Not before this time, by the schedule's clock, as 2026-01-05 or 2026-01-05T09:00; now when
    /// not given.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Not after this time.
    #[arg(long, value_name = "TIME", conflicts_with = "days")]
    to: Option<String>,
    /// How many days, where it is not said when to end.
    #[arg(long)]
    days: Option<String>,
}

/// Does it.
pub(crate) fn oncall(command: &Command) -> ExitCode {
    let done = match command {
        Command::Who { source, at } => who(source, at.as_deref()),
        Command::Show(listed) => each(listed, "14", show, |_| false).inspect(|_| {
            // What is missing is said once, and is no reason for shifts to fail.
            if !listed.source.json
                && let Ok(said) = listed.source.open().and_then(|it| it.at(None))
            {
                name_unverified(&said);
            }
        }),
        Command::Gaps(listed) => each(listed, "365", gaps, is_missed),
        Command::Fairness(listed) => each(listed, "365", fairness, |_| false),
        Command::Ical {
            source,
            schedule,
            person,
        } => ical(source, schedule.as_deref(), person.as_deref()),
        Command::Override(options) => changes::add_override(options),
        Command::Swap(options) => changes::add_swap(options),
        Command::Temporary(options) => changes::add_temporary(options),
        Command::ImportCalendar(options) => calendar::import(options),
        Command::Verify(options) => changes::verify(options),
        Command::List(options) => set::list(options),
        Command::Changes(asked) => changes::changes(asked),
        Command::Undo(options) => changes::undo(options),
    };
    done.unwrap_or_else(|code| code)
}

/// Where answers come from.
enum Answers<'s> {
    Config(std::sync::Arc<Oncall>),
    Server(&'s str, &'s [String]),
}

impl Source {
    fn open(&self) -> Result<Answers<'_>, ExitCode> {
        match (&self.config, &self.server) {
            (Some(file), _) => Ok(Answers::Config(load_one(file)?.oncall.oncall)),
            (None, Some(url)) => Ok(Answers::Server(url, &self.header)),
            (None, None) => Ok(Answers::Server(SERVER, &self.header)),
        }
    }
}

impl Answers<'_> {
    /// A text: of a configuration what `local` says, of a server what it answers at the path.
    fn text(
        &self,
        path: &str,
        params: &[(&str, Option<&str>)],
        local: impl FnOnce(&Oncall) -> Result<String, OncallError>,
    ) -> Result<String, ExitCode> {
        match self {
            Answers::Config(oncall) => local(oncall).map_err(|error| {
                eprintln!("firebell: {error}");
                ExitCode::from(2)
            }),
            Answers::Server(url, headers) => {
                let params = params.iter();
                let params = params.filter_map(|(name, value)| Some((*name, (*value)?)));
                let path = format!("/api/firebell/v1/oncall{path}");
                ask(url, headers, &path, &params.collect::<Vec<_>>())
            }
        }
    }

    fn at(&self, at: Option<&str>) -> Result<Value, ExitCode> {
        let local = |oncall: &Oncall| Ok(oncall_at(oncall, at, now(), None)?.to_string());
        parsed(&self.text("", &[("at", at)], local)?)
    }

    fn shifts(&self, asked: ShiftsAsked<'_>) -> Result<Value, ExitCode> {
        let params = [
            ("schedule", asked.schedule),
            ("from", asked.from),
            ("to", asked.to),
            ("days", asked.days),
        ];
        let local = |oncall: &Oncall| Ok(oncall_shifts(oncall, asked, now())?.to_string());
        parsed(&self.text("/shifts", &params, local)?)
    }
}

fn parsed(text: &str) -> Result<Value, ExitCode> {
    serde_json::from_str(text).map_err(|error| {
        eprintln!("firebell: no Firebell answers there: {error}");
        ExitCode::from(2)
    })
}

fn who(source: &Source, at: Option<&str>) -> Result<ExitCode, ExitCode> {
    let said = source.open()?.at(at)?;
    let schedules = list(&said["schedules"]);
    let is_empty = |it: &Value| it["onCall"].is_null() && it["gapsAllowed"] != true;
    let code = ExitCode::from(u8::from(schedules.iter().any(is_empty)));
    if source.json {
        say(format_args!("{said}"));
        return Ok(code);
    }
    for schedule in schedules {
        let (name, zone) = (text(&schedule["name"]), text(&schedule["zone"]));
        let on_call = &schedule["onCall"];
        let until = match schedule["handOverAt"].as_str() {
            Some(_) => format!(" until {}", clock(zone, &schedule["handOverAt"])),
            None => String::new(),
        };
        let mut line = format!("{name}: {}{until}", people(on_call));
        if !schedule["next"].is_null() {
            line.push_str(&format!(", then {}", people(&schedule["next"])));
        }
        if !schedule["before"].is_null() {
            line.push_str(&format!("; before: {}", people(&schedule["before"])));
        }
        let line = format!("{line} ({zone}){}", cause(on_call));
        say(format_args!("{}", harmless(&line)));
    }
    for team in list(&said["teams"]) {
        let names = names(&team["onCall"]);
        let by = match team["schedule"].as_str() {
            Some(schedule) => format!("by the schedule {schedule}"),
            None => "all members: it has no schedule".to_owned(),
        };
        let line = format!("team {}: {names} ({by})", text(&team["name"]));
        say(format_args!("{}", harmless(&line)));
    }
    if schedules.is_empty() {
        say(format_args!("there are no schedules"));
    }
    name_unverified(&said);
    Ok(code)
}

/// Names whose contacts nobody has confirmed, as far as that is known.
fn name_unverified(said: &Value) {
    for person in list(&said["people"]) {
        let contacts = list(&person["contacts"]).iter();
        let unverified = contacts.filter(|it| it["verified"] == false);
        let kinds: Vec<&str> = unverified.map(|it| text(&it["kind"])).collect();
        if !kinds.is_empty() {
            let name = text(&person["name"]);
            let kinds = kinds.join(", ");
            let line = format!(
                "not confirmed: {name} by {kinds}; `firebell oncall verify {name}` sends a test"
            );
            say(format_args!("{}", harmless(&line)));
        }
    }
}

/// Asks for the shifts of one schedule or of each, and prints what is to be shown of them.
fn each(
    listed: &Listed,
    days: &str,
    show: fn(&Value),
    is_wrong: fn(&Value) -> bool,
) -> Result<ExitCode, ExitCode> {
    let answers = listed.source.open()?;
    let names: Vec<String> = match &listed.schedule {
        Some(name) => vec![name.clone()],
        None => {
            let said = answers.at(None)?;
            let schedules = list(&said["schedules"]).iter();
            schedules.map(|it| text(&it["name"]).to_owned()).collect()
        }
    };
    let mut code = ExitCode::SUCCESS;
    for name in &names {
        let said = answers.shifts(ShiftsAsked {
            schedule: Some(name),
            from: listed.from.as_deref(),
            to: listed.to.as_deref(),
            days: listed.days.as_deref().or(Some(days)),
        })?;
        if is_wrong(&said) {
            code = ExitCode::from(1);
        }
        match listed.source.json {
            true => say(format_args!("{said}")),
            false => show(&said),
        }
    }
    Ok(code)
}

fn is_missed(said: &Value) -> bool {
    !list(&said["gaps"]).is_empty() && said["gapsAllowed"] != true
}

fn show(said: &Value) {
    let (name, zone) = (text(&said["schedule"]), text(&said["zone"]));
    say(format_args!("{} ({zone})", harmless(name)));
    let turns = list(&said["shifts"]).iter().map(|it| {
        let shadows = match list(&it["shadows"]) {
            [] => String::new(),
            _ => format!(", shadow: {}", names(&it["shadows"])),
        };
        let what = format!("{}{shadows}{}", people(it), cause(it));
        (text(&it["from"]), what, it)
    });
    let gaps = list(&said["gaps"]).iter();
    let gaps = gaps.map(|it| (text(&it["from"]), "nobody".to_owned(), it));
    let mut lines: Vec<_> = turns.chain(gaps).collect();
    // Times of the API are of one length and in UTC: their text has their order.
    lines.sort_by_key(|(from, ..)| *from);
    for (_, what, it) in lines {
        say(format_args!("  {}  {}", during(zone, it), harmless(&what)));
    }
}

fn gaps(said: &Value) {
    let (name, zone) = (text(&said["schedule"]), text(&said["zone"]));
    let gaps = list(&said["gaps"]);
    let allowed = match said["gapsAllowed"] == true {
        true => ", which is allowed",
        false => "",
    };
    let head = match gaps.len() {
        0 => "no gaps".to_owned(),
        1 => format!("1 gap{allowed}"),
        n => format!("{n} gaps{allowed}"),
    };
    say(format_args!("{} ({zone}): {head}", harmless(name)));
    for gap in gaps {
        say(format_args!("  {}", during(zone, gap)));
    }
}

fn fairness(said: &Value) {
    let (name, zone) = (text(&said["schedule"]), text(&said["zone"]));
    let balance = said["fairness"]["balance"].as_f64().unwrap_or_default();
    say(format_args!(
        "{} ({zone}), {} to {}: balance {balance:.2}",
        harmless(name),
        clock(zone, &said["from"]),
        clock(zone, &said["to"]),
    ));
    say(format_args!(
        "  {:>8} {:>6} {:>8} {:>6} {:>8} {:>8}",
        "hours", "shifts", "at night", "nights", "weekend", "weekends"
    ));
    for load in list(&said["fairness"]["people"]) {
        let hours = |name: &str| load[name].as_f64().unwrap_or_default();
        say(format_args!(
            "  {:>8.1} {:>6} {:>8.1} {:>6} {:>8.1} {:>8}  {}",
            hours("hours"),
            load["shifts"],
            hours("nightHours"),
            load["nights"],
            hours("weekendHours"),
            load["weekends"],
            harmless(text(&load["name"])),
        ));
    }
}

fn ical(
    source: &Source,
    schedule: Option<&str>,
    person: Option<&str>,
) -> Result<ExitCode, ExitCode> {
    let params = [("schedule", schedule), ("person", person)];
    let said = source.open()?.text("/calendar.ics", &params, |oncall| {
        let now = now();
        oncall_calendar(oncall, schedule, person, (now, now))
    })?;
    say(format_args!("{}", said.trim_end_matches(['\r', '\n'])));
    Ok(ExitCode::SUCCESS)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn names(value: &Value) -> String {
    match list(value) {
        [] => "nobody".to_owned(),
        names => names.iter().map(text).collect::<Vec<_>>().join(", "),
    }
}

fn people(shift: &Value) -> String {
    names(&shift["people"])
}

/// What says so, where that is not a layer.
fn cause(shift: &Value) -> String {
    let (kind, reason) = (&shift["cause"]["kind"], text(&shift["cause"]["reason"]));
    match (kind.as_str(), reason) {
        (None | Some("layer"), _) => String::new(),
        (Some(kind), "") => format!(", {kind}"),
        (Some(kind), reason) => format!(", {kind}: {reason}"),
    }
}

fn during(zone: &str, it: &Value) -> String {
    format!(
        "{} .. {}",
        clock(zone, &it["from"]),
        clock(zone, &it["until"])
    )
}

fn clock(zone: &str, at: &Value) -> String {
    match text(at).parse::<Timestamp>() {
        Ok(at) => by_clock_of(zone, at),
        Err(_) => "?".to_owned(),
    }
}

/// Where a Firebell is that nobody has configured.
const SERVER: &str = "http://127.0.0.1:9494";
