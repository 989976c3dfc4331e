//! Bodies and parameters of any bytes.

use firebell_model::Timestamp;
use firebell_wire::alertmanager_json::{AlertFilter, parse_alerts, parse_silence};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{InstantQuery, RangeQuery};
use proptest::prelude::*;

const SILENCE: &str = r#"{"matchers":[{"name":"a","value":"b|c","isRegex":true}],"startsAt":
    "2026-01-02T03:04:05Z","endsAt":"2026-01-02T04:04:05Z","createdBy":"me","comment":"c"}"#;
const ALERTS: &str = r#"[{"labels":{"a":"1"},"startsAt":"2026-01-02T03:04:05.678+01:00"}]"#;

proptest! {
    #[test]
    fn no_body_makes_a_reader_panic(
        body in prop_oneof![Just(SILENCE), Just(ALERTS)],
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut body = body.as_bytes().to_vec();
        for (at, byte) in changes {
            *at.get_mut(&mut body) = byte;
        }
        let _ = parse_alerts(&body);
        let _ = parse_silence(&body);
    }

    #[test]
    fn no_parameters_make_a_reader_panic(
        text in "(query|start|end|step|time|limit|filter|receiver|active|[a=&%]|=[0-9e.+-]{1,9}|\\PC){0,9}",
    ) {
        let params = Params::parse([&*text]);
        let _ = InstantQuery::parse(&params, Timestamp(0));
        let _ = RangeQuery::parse(&params);
        let _ = AlertFilter::parse(&params);
    }

    #[test]
    fn what_is_encoded_is_decoded(name in "\\PC{1,8}", value in "\\PC{0,8}") {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
        let params = Params::parse([&*format!("{}={}", encode(&name), encode(&value))]);
        prop_assert_eq!(params.get(&name), Some(&*value));
    }
}
