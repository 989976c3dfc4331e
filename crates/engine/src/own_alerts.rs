//! Which alerts Firebell raises about itself.

use firebell_dispatch::{DELIVERY_ALERT, SILENCE_EXPIRES};
use firebell_rules::REPORTS;

use crate::pages::PAGE_ALERT;

/// Whether an alert of this name is Firebell's own: about rules, receivers, silences and pages, and
/// not about what people watch.
#[must_use]
pub fn is_own_alert(name: &str) -> bool {
    let own = [PAGE_ALERT, DELIVERY_ALERT, SILENCE_EXPIRES];
    own.iter().chain(&REPORTS).any(|it| *it == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_that_firebell_raises_about_itself_is_known() {
        for name in [
            "FirebellPageUnanswered",
            "FirebellNotificationsFailing",
            "FirebellSilenceExpires",
            "FirebellRuleFailing",
            "DatasourceNoData",
            "DatasourceError",
        ] {
            assert!(is_own_alert(name), "{name}");
        }
        assert!(!is_own_alert("CartSlow"));
        assert!(!is_own_alert(""));
    }
}
