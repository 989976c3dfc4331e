//! The configuration in force, and its reload.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use firebell_config::{Config, ExternalUrl, Problems, load_with};
use firebell_model::Timestamp;
use firebell_promql::Features;
use tokio::sync::watch;

use crate::flags::Overrides;
use crate::managed::Texts;

/// What is in force now. Shared; a reload swaps the configuration whole.
pub(crate) struct Live {
    file: Option<PathBuf>,
    external_url: ExternalUrl,
    overrides: Overrides,
    features: Features,
    state: RwLock<State>,
    /// Counts the configurations.
    changes: watch::Sender<u64>,
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
            changes: watch::Sender::new(0),
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

    /// Reads the file again, with what is managed over HTTP; a bad one leaves everything
    /// as it was.
    ///
    /// # Errors
    /// Every problem of the file.
    pub(crate) fn reload(&self, now: Timestamp, texts: &Texts) -> Result<Arc<Config>, Problems> {
        self.load(texts)
            .map(|config| {
                for note in &config.notes {
                    tracing::info!("{note}");
                }
                self.put(config, now)
            })
            .inspect_err(|problems| {
                let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
                state.problems = problems.iter().map(ToString::to_string).collect();
            })
    }

    /// Reads the file again, without putting anything in force.
    ///
    /// # Errors
    /// Every problem of the file.
    pub(crate) fn load(&self, texts: &Texts) -> Result<Config, Problems> {
        let file = self.file.as_deref();
        let mut config = load_with(file, &self.external_url, texts, self.features)?;
        self.overrides.apply(&mut config);
        Ok(config)
    }

    /// Puts a configuration in force that lacks a part, and goes on to say what is wrong with that.
    pub(crate) fn put_beside_problems(&self, config: Config, now: Timestamp) {
        let problems = self.problems();
        self.put(config, now);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.problems = problems;
    }

    /// Puts a configuration in force.
    pub(crate) fn put(&self, config: Config, now: Timestamp) -> Arc<Config> {
        let config = Arc::new(config);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State {
            config: Arc::clone(&config),
            loaded_at: now,
            problems: Vec::new(),
        };
        self.changes.send_modify(|n| *n += 1);
        config
    }

    /// Tells when another configuration is in force.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
