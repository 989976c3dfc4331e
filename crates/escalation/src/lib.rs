//! Escalation: a page that nobody answers climbs, until somebody does or nobody is left.
//!
//! *Not here*: who is on call (`firebell-oncall`), how messages are sent (`firebell-notify`),
//! reading configuration (`firebell-config`).

mod policy;

mod window;

mod check;

pub use self::check::{
    CONDITIONS_MAX, Fault, FaultKind, HAND_OVERS_MAX, POLICIES_MAX, REPEAT_MAX, STEPS_MAX,
    TARGETS_MAX, check,
};
pub use self::policy::{
    AckMode, Act, BudgetLeft, Condition, Level, Policy, Severity, Step, Target, Who,
};
pub use self::window::{Window, WindowError};
