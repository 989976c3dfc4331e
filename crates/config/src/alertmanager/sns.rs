//! `sns_configs`.

use firebell_model::Secret;
use firebell_notify::{AwsSigner, SnsConfig};

use super::options::Options;

pub(super) fn read(options: &Options<'_, '_>) -> Option<SnsConfig> {
    let signer = match options.get("sigv4") {
        Some(node) => {
            let part = options.part(node, "`sigv4`");
            let signer = signer(&part);
            part.fields.finish();
            signer
        }
        None => of_environment(options, None),
    };
    let is_complete = signer.is_some();
    let mut config = SnsConfig::new(signer.unwrap_or_else(nobody));
    options.set_all([
        ("api_url", &mut config.api_url),
        ("topic_arn", &mut config.topic_arn),
        ("phone_number", &mut config.phone_number),
        ("target_arn", &mut config.target_arn),
        ("subject", &mut config.subject),
        ("message", &mut config.message),
    ]);
    config.attributes = options.texts_by_name("attributes");
    let targets = [&config.topic_arn, &config.phone_number, &config.target_arn];
    let n_targets = targets.iter().filter(|it| !it.text().is_empty()).count();
    // As upstream: all three are taken as well.
    if !matches!(n_targets, 1 | 3) {
        options.missing("topic_arn`, `phone_number` or `target_arn");
    }
    options.ignore(&["use_aws_http_client"]);
    is_complete.then_some(config)
}

/// The keys that are written, else those of the environment.
fn signer(options: &Options<'_, '_>) -> Option<AwsSigner> {
    let region = options.text("region").filter(|region| !region.is_empty());
    let named = |name| options.text(name).filter(|text| !text.is_empty());
    let keys = (named("access_key"), named("secret_key"));
    for name in ["profile", "role_arn", "external_id"] {
        options.refuse(name);
    }
    options.ignore(&["use_fips_sts_endpoint", "service_name"]);
    match keys {
        (None, None) => of_environment(options, region),
        (Some(access_key), Some(secret_key)) => {
            let region = region.or_else(region_of_environment);
            if region.is_none() {
                options.missing("region");
            }
            Some(AwsSigner {
                region: region?,
                access_key: Secret::new(access_key),
                secret_key: Secret::new(secret_key),
                session_token: None,
            })
        }
        _ => {
            let message = "`access_key` and `secret_key` have to be there together";
            options.doc.problem(options.fields.at, message, None);
            None
        }
    }
}

fn of_environment(options: &Options<'_, '_>, region: Option<String>) -> Option<AwsSigner> {
    let region = region.or_else(region_of_environment);
    let key = |name| variable(name).map(Secret::new);
    let keys = (key("AWS_ACCESS_KEY_ID"), key("AWS_SECRET_ACCESS_KEY"));
    let (Some(region), (Some(access_key), Some(secret_key))) = (region, keys) else {
        let message = "`sigv4` needs `region`, `access_key` and `secret_key`";
        let hint = "put them here, or into AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
        let hint = Some(hint.to_owned());
        options.doc.problem(options.fields.at, message, hint);
        return None;
    };
    Some(AwsSigner {
        region,
        access_key,
        secret_key,
        session_token: key("AWS_SESSION_TOKEN"),
    })
}

fn region_of_environment() -> Option<String> {
    variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn nobody() -> AwsSigner {
    AwsSigner {
        region: String::new(),
        access_key: Secret::default(),
        secret_key: Secret::default(),
        session_token: None,
    }
}
