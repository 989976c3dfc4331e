//! Amazon SNS: one message to a topic, a phone or an app, signed.
//!
//! *Sources*: Alertmanager, `notify/sns`; AWS, SNS, `Publish`.

use std::collections::BTreeMap;

use firebell_model::Secret;
use firebell_template::NotificationText;

use crate::aim::{Aim, page_text};
use crate::error::RenderError;
use crate::http::{HttpRequest, HttpResponse};
use crate::integration::Kind;
use crate::sigv4::AwsSigner;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate::char_end;
use crate::url::{FORM, form};
use crate::verdict::{Verdict, one_line};

/// Options of one of `sns_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct SnsConfig {
    /// Where SNS is; empty: that of the region.
    pub api_url: NotificationText,
    /// Who signs.
    pub signer: AwsSigner,
    /// The topic; one whose name ends in `.fifo` gets the group as its key.
    pub topic_arn: NotificationText,
    /// The phone; its message is cut at 1600 bytes.
    pub phone_number: NotificationText,
    /// The app on a device.
    pub target_arn: NotificationText,
    /// Headline of mails.
    pub subject: NotificationText,
    /// The text; cut at 256 KiB.
    pub message: NotificationText,
    /// By which subscriptions filter.
    pub attributes: BTreeMap<String, NotificationText>,
}

impl SnsConfig {
    /// SNS with upstream's defaults.
    #[must_use]
    pub fn new(signer: AwsSigner) -> Self {
        Self {
            api_url: NotificationText::default(),
            signer,
            topic_arn: NotificationText::default(),
            phone_number: NotificationText::default(),
            target_arn: NotificationText::default(),
            subject: NotificationText::calling("sns.default.subject"),
            message: NotificationText::calling("sns.default.message"),
            attributes: BTreeMap::new(),
        }
    }

    fn parameters(&self, telling: &Telling<'_>) -> Result<Vec<(String, String)>, RenderError> {
        let topic = telling.text("topic_arn", &self.topic_arn)?;
        let phone = telling.text("phone_number", &self.phone_number)?;
        let target = telling.text("target_arn", &self.target_arn)?;
        let is_fifo = topic.ends_with(".fifo");
        let bytes_max = if phone.is_empty() {
            MESSAGE_BYTES_MAX
        } else {
            SMS_BYTES_MAX
        };
        let mut message = telling.text("message", &self.message)?;
        let mut attributes = BTreeMap::new();
        for (name, value) in &self.attributes {
            attributes.insert(name.clone(), telling.text("attributes", value)?);
        }
        if message.len() > bytes_max {
            message.truncate(char_end(&message, bytes_max));
            attributes.insert("truncated".to_owned(), "true".to_owned());
        }
        let key = if is_fifo {
            telling.key_hash()
        } else {
            String::new()
        };
        let parameters = [
            ("Action", "Publish".to_owned()),
            ("Version", "2010-03-31".to_owned()),
            ("TopicArn", topic),
            ("PhoneNumber", phone),
            ("TargetArn", target),
            ("MessageDeduplicationId", key.clone()),
            ("MessageGroupId", key),
            ("Subject", telling.text("subject", &self.subject)?),
            ("Message", message),
        ];
        let parameters = parameters
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        let mut parameters: Vec<_> = parameters
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        for (idx, (name, value)) in attributes.into_iter().enumerate() {
            let entry = format!("MessageAttributes.entry.{}", idx + 1);
            parameters.push((format!("{entry}.Name"), name));
            parameters.push((format!("{entry}.Value.DataType"), "String".to_owned()));
            parameters.push((format!("{entry}.Value.StringValue"), value));
        }
        Ok(parameters)
    }
}

impl Kind for SnsConfig {
    fn name(&self) -> &'static str {
        "sns"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let parameters = self.parameters(telling)?;
        let pairs = parameters.iter();
        let body = form(pairs.map(|(name, value)| (name.as_str(), value.as_str())));
        let own = telling.text("api_url", &self.api_url)?;
        let url = if own.is_empty() {
            format!("https://sns.{}.amazonaws.com/", self.signer.region)
        } else if own.splitn(4, '/').count() < 4 {
            format!("{own}/")
        } else {
            own
        };
        let url = telling.address("api_url", &url)?;
        let request = HttpRequest::post(url, FORM, body);
        let now = telling.notification().at;
        let request = self.signer.sign(request, "sns", FORM, now);
        Ok(Step::ask(request, judge))
    }

    fn secrets(&self) -> Vec<Secret> {
        let AwsSigner {
            region: _,
            access_key,
            secret_key,
            session_token,
        } = &self.signer;
        let keys = [access_key.clone(), secret_key.clone()];
        keys.into_iter().chain(session_token.clone()).collect()
    }

    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        (aim.by == "sms").then(|| -> Box<dyn Kind> {
            Box::new(Self {
                api_url: self.api_url.clone(),
                phone_number: aim.number(),
                subject: NotificationText::default(),
                message: page_text("short"),
                ..Self::new(self.signer.clone())
            })
        })
    }
}

/// What AWS says stands in XML.
fn judge(answer: &HttpResponse) -> Verdict {
    Verdict::of_status_with(answer, &[], |body| {
        let text = String::from_utf8_lossy(body);
        let message = text.split_once("<Message>");
        let message = message.and_then(|(_, rest)| rest.split_once("</Message>"));
        message.map_or_else(|| one_line(body), |(said, _)| one_line(said.as_bytes()))
    })
}

/// Source: SNS's limits, as upstream reads them.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
const SMS_BYTES_MAX: usize = 1600;
