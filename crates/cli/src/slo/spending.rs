//! Where the budgets of an objective went, in lines for a terminal: `firebell slo show`.

use firebell_model::Deploy;
use firebell_slo::{DeploySpending, Episode, IncidentSpending, Objective, Stretch, spending};

use super::{Books, named, percent};
use crate::say;

/// Prints episodes, incidents and deploys of each budget.
///
/// # Errors
/// What a query says is wrong.
pub(super) fn describe(objective: &Objective, books: &Books) -> Result<(), String> {
    let found = books.ask(|querier| {
        let (deploys, incidents) = (&books.deploys, &books.incidents);
        spending(objective, deploys, incidents, books.at, querier)
    })?;
    for budget in &found.budgets {
        let name = named(&budget.labels);
        for episode in &budget.episodes {
            say(format_args!("episode  {name}{}", of_episode(episode)));
        }
        if budget.n_more > 0 {
            let n_more = budget.n_more;
            say(format_args!("episode  {name}and {n_more} that took less"));
        }
        for incident in &budget.incidents {
            say(format_args!("incident {name}{}", of_incident(incident)));
        }
        if budget.n_more_incidents > 0 {
            let n_more = budget.n_more_incidents;
            say(format_args!("incident {name}and {n_more} that took less"));
        }
        for deploy in &budget.deploys {
            say(format_args!("deploy   {name}{}", of_deploy(deploy)));
        }
    }
    Ok(())
}

fn of_episode(episode: &Episode) -> String {
    let told = match episode.alerts.is_empty() {
        true => "nobody told".to_owned(),
        false => episode.alerts.join(", "),
    };
    let live = episode
        .deploy
        .as_ref()
        .map(|it| format!(", {} live", version(it)));
    let incidents = match episode.incidents.is_empty() {
        true => ", outside any incident".to_owned(),
        false => format!(", {}", episode.incidents.join(", ")),
    };
    let goes_on = if episode.is_open { ", goes on" } else { "" };
    let (stretch, live) = (of_stretch(&episode.stretch), live.unwrap_or_default());
    format!("{stretch}; {told}{incidents}{live}{goes_on}")
}

fn of_incident(of: &IncidentSpending) -> String {
    let stretch = of_stretch(&of.stretch);
    let name = match &of.incident {
        None => "outside any incident".to_owned(),
        Some(it) if it.is_declined => format!("{} (declined) {}", it.name, it.title),
        Some(it) => format!("{} {}", it.name, it.title),
    };
    let s = if of.n_parts == 1 { "" } else { "s" };
    format!("{name}, {stretch}; {} part{s} of episodes", of.n_parts)
}

fn of_deploy(of: &DeploySpending) -> String {
    let name = of
        .deploy
        .as_ref()
        .map_or("before any that is known".to_owned(), version);
    let stretch = of_stretch(&of.stretch);
    let hours = match (of.before, of.after) {
        (None, None) => String::new(),
        (before, after) => format!("; {} before it, {} after", rate(before), rate(after)),
    };
    format!("{name}, {stretch}{hours}")
}

fn version(deploy: &Deploy) -> String {
    match deploy.environment.is_empty() {
        true => deploy.version.clone(),
        false => format!("{} in {}", deploy.version, deploy.environment),
    }
}

fn of_stretch(stretch: &Stretch) -> String {
    let bad = stretch.bad.map(|bad| format!(", {bad:.0} bad events"));
    format!(
        "{} to {}: {} of the budget{}, burn rate {}",
        stretch.from,
        stretch.until,
        percent(stretch.share),
        bad.unwrap_or_default(),
        rate(stretch.rate),
    )
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or("-".to_owned(), |rate| format!("{rate:.2}"))
}
