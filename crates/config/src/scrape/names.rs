//! Which names of metrics and labels a target may give: `metric_name_validation_scheme` and
//! `metric_name_escaping_scheme`.

use crate::fields::Fields;

/// Which names a job takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScrapeNames {
    /// Only names of letters, digits and `_` (in a metric's name also `:`); with another one, the
    /// scrape fails.
    pub are_classic: bool,
    /// How targets are asked to spell other names.
    pub escaping: NameEscaping,
}

/// How names with other characters are spelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "upstream's names")]
pub enum NameEscaping {
    #[default]
    AllowUtf8,
    Underscores,
    Dots,
    Values,
}

impl NameEscaping {
    /// Upstream's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }

    fn parse(text: &str) -> Result<Option<Self>, String> {
        let all = [Self::AllowUtf8, Self::Underscores, Self::Dots, Self::Values];
        match all.into_iter().find(|it| it.name() == text) {
            None if !text.is_empty() => {
                let names = all.map(Self::name).join(", ");
                Err(format!("`{text}` is none of {names}"))
            }
            found => Ok(found),
        }
    }
}

/// What `global` says: those who take classic names only are given underscores.
pub(super) fn of_global(fields: &Fields<'_, '_>) -> ScrapeNames {
    let are_classic = are_classic(fields).unwrap_or(false);
    let usual = match are_classic {
        true => NameEscaping::Underscores,
        false => NameEscaping::AllowUtf8,
    };
    ScrapeNames {
        are_classic,
        escaping: escaping(fields).unwrap_or(usual),
    }
}

/// What a job says, or else `global`.
pub(super) fn of_job(fields: &Fields<'_, '_>, global: ScrapeNames) -> ScrapeNames {
    let names = ScrapeNames {
        are_classic: are_classic(fields).unwrap_or(global.are_classic),
        escaping: escaping(fields).unwrap_or(global.escaping),
    };
    if names.are_classic && names.escaping == NameEscaping::AllowUtf8 {
        let field = match fields.get(ESCAPING) {
            Some(_) => ESCAPING,
            None => VALIDATION,
        };
        let message = "the job asks for names in UTF-8, which it does not take";
        let hint = format!("set `{ESCAPING}: underscores`");
        let at = fields.at(field);
        fields.doc.problem(at, message.to_owned(), Some(hint));
    }
    names
}

fn are_classic(fields: &Fields<'_, '_>) -> Option<bool> {
    let read = |text: &str| match text {
        "" => Ok(None),
        "legacy" => Ok(Some(true)),
        "utf8" => Ok(Some(false)),
        _ => Err(format!("`{text}` is neither utf8 nor legacy")),
    };
    fields.parsed(VALIDATION, read).flatten()
}

fn escaping(fields: &Fields<'_, '_>) -> Option<NameEscaping> {
    fields.parsed(ESCAPING, NameEscaping::parse).flatten()
}

const VALIDATION: &str = "metric_name_validation_scheme";
const ESCAPING: &str = "metric_name_escaping_scheme";
