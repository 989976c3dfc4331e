//! What people and programs said over HTTP and the data folder keeps: rules, deploys, used links.

use std::sync::Arc;

use firebell_disk::{Disk, LogOptions};
use firebell_model::Timestamp;

use crate::deploys::Deploys;
use crate::live::Live;
use crate::managed::{Managed, Namespaces, ONCALL, RULES, Texts};
use crate::pages::links::Links;
use crate::serve::ServeError;

/// What people and programs said over HTTP, besides what the engine keeps.
pub(crate) struct Kept {
    pub rules: Managed,
    pub oncall: Managed,
    pub deploys: Deploys,
    pub links: Links,
}

impl Kept {
    /// Reads all of it.
    ///
    /// # Errors
    /// When the disk fails, or another version wrote a folder.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        live: &Live,
        now: Timestamp,
    ) -> Result<Self, ServeError> {
        let (rules, oncall) = open_managed(disk, live, now)?;
        Ok(Self {
            rules,
            oncall,
            deploys: open_deploys(disk)?,
            links: open_links(disk)?,
        })
    }
}

fn open_links(disk: &Arc<dyn Disk>) -> Result<Links, ServeError> {
    let (links, damage) = Links::open(Arc::clone(disk)).map_err(ServeError::Links)?;
    for damage in damage {
        tracing::error!(
            damage,
            "what is kept of links that answer pages is damaged; the rest of it is used"
        );
    }
    Ok(links)
}

fn open_deploys(disk: &Arc<dyn Disk>) -> Result<Deploys, ServeError> {
    let (deploys, damage) = Deploys::open(Arc::clone(disk))?;
    for damage in damage {
        tracing::error!(
            damage,
            "the log of deploys is damaged; the rest of it is used"
        );
    }
    Ok(deploys)
}

/// The rules and schedules that people manage over HTTP, put in force with the configuration. Should
/// they no longer fit to it, it holds without them.
fn open_managed(
    disk: &Arc<dyn Disk>,
    live: &Live,
    now: Timestamp,
) -> Result<(Managed, Managed), ServeError> {
    let open = |options: LogOptions| {
        let (opened, damage) = Managed::open(Arc::clone(disk), options)?;
        for damage in damage {
            let folder = options.folder;
            tracing::error!(
                damage,
                folder,
                "a log of changes is damaged; the rest of it is used"
            );
        }
        Ok::<_, ServeError>(opened)
    };
    let (rules, oncall) = (open(RULES)?, open(ONCALL)?);
    let texts = Texts {
        rules: rules.namespaces(),
        oncall: oncall.namespaces(),
        new: Vec::new(),
    };
    let is_empty = texts.rules.is_empty() && texts.oncall.is_empty();
    if !is_empty && let Err(problems) = live.reload(now, &texts) {
        tracing::error!("what was set over HTTP is not in force:\n{problems}");
        // Rules that are wrong take no shift from anybody.
        let has_oncall = !texts.oncall.is_empty();
        let only_oncall = Texts {
            rules: Namespaces::new(),
            ..texts
        };
        if has_oncall && let Ok(config) = live.load(&only_oncall) {
            live.put_beside_problems(config, now);
        }
    }
    Ok((rules, oncall))
}

#[cfg(test)]
mod tests {
    use firebell_config::{ExternalUrl, OsFiles, load_with};
    use firebell_disk::MemoryDisk;
    use firebell_promql::Features;

    use super::*;

    const GROUP: &str = "name: g\nrules:\n  - {record: a, expr: up}\n";

    fn live() -> Live {
        let config = load_with(None, &ExternalUrl::default(), &OsFiles, Features::default());
        let overrides = crate::flags::Overrides::default();
        let external_url = ExternalUrl::default();
        Live::new(
            None,
            external_url,
            overrides,
            Features::default(),
            config.unwrap(),
            Timestamp(0),
        )
    }

    fn disk_with(texts: &[&str]) -> Arc<dyn Disk> {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let (rules, _) = Managed::open(Arc::clone(&disk), RULES).unwrap();
        for text in texts {
            let edits = vec![("g".to_owned(), Some((*text).to_owned()))];
            let (change, _) = rules.plan(Timestamp(1), "me", "shop", edits).unwrap();
            rules.commit(change).unwrap();
        }
        disk
    }

    #[test]
    fn rules_of_http_are_in_force_at_the_start() {
        let live = live();
        let (rules, _) = open_managed(&disk_with(&[GROUP]), &live, Timestamp(2)).unwrap();
        assert_eq!(rules.namespaces().len(), 1);
        assert_eq!((live.loaded_at(), live.problems().len()), (Timestamp(2), 0));
    }

    #[test]
    fn the_configuration_holds_without_rules_that_no_longer_fit_to_it() {
        let live = live();
        let bad = GROUP.replace("up", "up(");
        let (rules, _) = open_managed(&disk_with(&[GROUP, &bad]), &live, Timestamp(2)).unwrap();
        // They are kept, so that somebody can mend them, and said to be wrong.
        assert_eq!(rules.namespaces()["shop"]["g"], bad);
        assert_eq!(live.loaded_at(), Timestamp(0));
        let problems = live.problems().join("\n");
        assert!(problems.contains("shop:4:30"), "{problems}");
    }

    #[test]
    fn a_damaged_log_of_rules_is_read_as_far_as_it_goes_and_a_foreign_one_not_at_all() {
        let disk = disk_with(&[GROUP, GROUP]);
        let name = disk.list("rules").unwrap().remove(0);
        let path = format!("rules/{name}");
        let mut bytes = disk.read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        disk.replace(&path, &bytes).unwrap();
        let (rules, _) = open_managed(&disk, &live(), Timestamp(2)).unwrap();
        assert_eq!(rules.changes().len(), 1);

        disk.replace(&path, b"something else").unwrap();
        let error = open_managed(&disk, &live(), Timestamp(2)).err();
        let error = error.map(|it| it.to_string()).unwrap_or_default();
        assert!(!error.is_empty(), "{error}");
    }
}
