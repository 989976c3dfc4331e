//! The configuration in force, and its reload.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use firebell_config::{Config, ExternalUrl, OsFiles, Problems, load_with};
use firebell_model::Timestamp;
use firebell_promql::Features;

use crate::flags::Overrides;

/// What is in force now. Shared; a reload swaps the configuration whole.
pub(crate) struct Live {
    file: Option<PathBuf>,
    external_url: ExternalUrl,
    overrides: Overrides,
    features: Features,
    state: RwLock<State>,
}

struct State {
    config: Arc<Config>,
    loaded_at: Timestamp,
    problems: Vec<String>,
}

impl Live {
    /// Puts a first configuration in force.
    pub(crate) fn new(
        file: Option<PathBuf>,
        external_url: ExternalUrl,
        overrides: Overrides,
        features: Features,
        mut config: Config,
        loaded_at: Timestamp,
    ) -> Self {
        overrides.apply(&mut config);
        let state = State {
            config: Arc::new(config),
            loaded_at,
            problems: Vec::new(),
        };
        Self {
            file,
            external_url,
            overrides,
            features,
            state: RwLock::new(state),
        }
    }

    /// The configuration in force.
    pub(crate) fn config(&self) -> Arc<Config> {
        Arc::clone(
            &self
                .state
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .config,
        )
    }

    /// When it was loaded.
    pub(crate) fn loaded_at(&self) -> Timestamp {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .loaded_at
    }

    /// Why the last reload was refused; empty when it was fine.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .problems
            .clone()
    }

    /// The configuration file; `None` when Firebell runs without one.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// Reads the file again; a bad one leaves everything as it was.
    ///
    /// # Errors
    /// Every problem of the file.
    pub(crate) fn reload(&self, now: Timestamp) -> Result<Arc<Config>, Problems> {
        let loaded = load_with(
            self.file.as_deref(),
            &self.external_url,
            &OsFiles,
            self.features,
        );
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match loaded {
            Ok(mut config) => {
                self.overrides.apply(&mut config);
                let config = Arc::new(config);
                let problems = Vec::new();
                *state = State {
                    config: Arc::clone(&config),
                    loaded_at: now,
                    problems,
                };
                Ok(config)
            }
            Err(problems) => {
                state.problems = problems.iter().map(ToString::to_string).collect();
                Err(problems)
            }
        }
    }
}
