//! Parameters of queries, with upstream's messages.

use firebell_model::{Duration, Timestamp};

use super::{ApiError, ErrorKind};
use crate::go;
use crate::params::Params;

/// What `/api/v1/query` and `/api/v1/query_range` both take.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct QuerySettings {
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// At most so many series; `None` is no limit.
    pub limit: Option<usize>,
    /// How old a sample may be to count as the current value; longer than zero.
    pub lookback: Option<Duration>,
    /// What is to be told of what it cost: nothing, or `true`, or `all`, each step then.
    pub stats: String,
}

/// Parameters of `/api/v1/query`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstantQuery {
    /// The expression.
    pub query: String,
    /// At which moment.
    pub at: Timestamp,
    /// What both kinds of queries take.
    pub settings: QuerySettings,
}

/// Parameters of `/api/v1/query_range`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangeQuery {
    /// The expression.
    pub query: String,
    /// The first moment.
    pub start: Timestamp,
    /// No moment is later.
    pub end: Timestamp,
    /// Between two moments; longer than zero.
    pub step: Duration,
    /// What both kinds of queries take.
    pub settings: QuerySettings,
}

impl InstantQuery {
    /// Reads the parameters; `time` is `now` unless given.
    ///
    /// # Errors
    /// At the first parameter that cannot be read.
    pub fn parse(params: &Params, now: Timestamp) -> Result<Self, ApiError> {
        let limit = limit_of(params)?;
        let at = moment_of(params, "time", now)?;
        Ok(Self {
            query: params.get("query").unwrap_or("").to_owned(),
            at,
            settings: QuerySettings::parse(params, limit)?,
        })
    }
}

impl RangeQuery {
    /// Reads the parameters.
    ///
    /// # Errors
    /// At the first parameter that cannot be read, and when the range has too many points.
    pub fn parse(params: &Params) -> Result<Self, ApiError> {
        let limit = limit_of(params)?;
        let start = required(params, "start", parse_time)?;
        let end = required(params, "end", parse_time)?;
        if end < start {
            let why = "end timestamp must not be before start time";
            return Err(ApiError::parameter("end", why));
        }
        let step = required(params, "step", parse_step)?;
        if step <= Duration::ZERO {
            let why = "zero or negative query resolution step widths are not accepted. \
                       Try a positive integer";
            return Err(ApiError::parameter("step", why));
        }
        if (end - start).0 / step.0 > POINTS_MAX {
            let why = "exceeded maximum resolution of 11,000 points per timeseries. \
                       Try decreasing the query resolution (?step=XX)";
            return Err(ApiError::new(ErrorKind::BadData, why));
        }
        Ok(Self {
            query: params.get("query").unwrap_or("").to_owned(),
            start,
            end,
            step,
            settings: QuerySettings::parse(params, limit)?,
        })
    }
}

impl QuerySettings {
    /// Reads what upstream reads last.
    fn parse(params: &Params, limit: Option<usize>) -> Result<Self, ApiError> {
        let timeout = optional(params, "timeout", parse_step)?;
        let given = params.get("lookback_delta").filter(|text| !text.is_empty());
        let lookback = given.map(parse_step).transpose().map_err(|why| {
            let message = format!("error parsing lookback delta duration: {why}");
            ApiError::new(ErrorKind::BadData, message)
        })?;
        Ok(Self {
            timeout,
            limit,
            // Zero and less stand for the server's own.
            lookback: lookback.filter(|it| *it > Duration::ZERO),
            stats: params.get("stats").unwrap_or_default().to_owned(),
        })
    }

    /// What is wrong with `stats`; any text means `true` for now.
    #[must_use]
    pub fn stats_warning(&self) -> Option<String> {
        let stats = &self.stats;
        (!matches!(&**stats, "" | "true" | "all")).then(|| {
            format!(
                "value {stats:?} for parameter \"stats\" is deprecated and will be rejected in the \
                 next major release, use \"true\" or \"all\""
            )
        })
    }
}

/// `start` and `end` of `/series`, `/labels` and `/label/…/values`: all of time unless given.
///
/// # Errors
/// When one cannot be read.
pub fn time_range(params: &Params) -> Result<(Timestamp, Timestamp), ApiError> {
    let start = moment_of(params, "start", Timestamp::MIN)?;
    Ok((start, moment_of(params, "end", Timestamp::MAX)?))
}

/// The parameter `limit`; absent and 0 are no limit.
///
/// # Errors
/// When it is no number, or negative.
pub fn limit_of(params: &Params) -> Result<Option<usize>, ApiError> {
    let Some(text) = params.get("limit").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let limit = go::int(text).map_err(|why| ApiError::parameter("limit", why))?;
    if limit < 0 {
        return Err(ApiError::parameter("limit", "limit must be non-negative"));
    }
    Ok(usize::try_from(limit).ok().filter(|limit| *limit > 0))
}

/// The moment that a parameter says, or another one when it is absent.
///
/// # Errors
/// When it cannot be read.
pub fn moment_of(params: &Params, name: &str, default: Timestamp) -> Result<Timestamp, ApiError> {
    let read = |text: &str| {
        let failed = |why| format!("invalid time value for '{name}': {why}");
        parse_time(text).map_err(failed)
    };
    Ok(optional(params, name, read)?.unwrap_or(default))
}

fn required<T>(
    params: &Params,
    name: &str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<T, ApiError> {
    parse(params.get(name).unwrap_or("")).map_err(|why| ApiError::parameter(name, why))
}

fn optional<T>(
    params: &Params,
    name: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, ApiError> {
    match params.get(name).filter(|text| !text.is_empty()) {
        Some(text) => match parse(text) {
            Ok(value) => Ok(Some(value)),
            Err(why) => Err(ApiError::parameter(name, why)),
        },
        None => Ok(None),
    }
}

/// A moment: seconds since the epoch, with a fraction, or RFC 3339.
///
/// # Errors
/// Upstream's message.
pub fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Some(secs) = text.parse().ok().filter(|secs: &f64| secs.is_finite()) {
        // The part behind the second is rounded by itself, as upstream does it.
        let millis = (secs.fract() * 1000.0).round() as i64;
        return Ok(Timestamp::from_secs_f64(secs.trunc()) + Duration(millis));
    }
    match text {
        // The ends of Go's time, which clients send for "all of it".
        "-292273086-05-16T16:47:06Z" => Ok(Timestamp::MIN),
        "292277025-08-18T07:12:54.999999999Z" => Ok(Timestamp::MAX),
        _ => {
            let failed = || format!("cannot parse {text:?} to a valid timestamp");
            // RFC 3339 has small letters and leap seconds, Go has not.
            let is_of_go = !text.contains(['t', 'z']) && text.get(17..19) != Some("60");
            let at = text.parse().ok().filter(|_| is_of_go);
            at.ok_or_else(failed)
        }
    }
}

/// A length of time: seconds, with a fraction, or `1h30m`.
///
/// # Errors
/// Upstream's message.
pub fn parse_step(text: &str) -> Result<Duration, String> {
    let failed = || format!("cannot parse {text:?} to a valid duration");
    if let Ok(secs) = text.parse::<f64>() {
        // Go counts nanoseconds in 64 bits.
        if !(secs * 1e9).is_finite() || (secs * 1e9).abs() > i64::MAX as f64 {
            return Err(format!("{}. It overflows int64", failed()));
        }
        return Ok(Duration::from_secs_f64(secs));
    }
    let length = text.parse().ok();
    length
        .filter(|it: &Duration| it.0 <= i64::MAX / NANOS_PER_MILLI)
        .ok_or_else(failed)
}

const NANOS_PER_MILLI: i64 = 1_000_000;

/// The most points a range may have per series; one more is refused.
pub const POINTS_MAX: i64 = 11_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> String {
        match RangeQuery::parse(&Params::parse([text])) {
            Ok(range) => format!("{}..{} by {}", range.start.0, range.end.0, range.step),
            Err(error) => error.message,
        }
    }

    #[test]
    fn ranges_are_read_or_refused_with_upstreams_words() {
        for (text, expected) in [
            (
                "start=1.5&end=2026-01-02T03:04:05Z&step=1w",
                "1500..1767323045000 by 1w",
            ),
            ("start=0&end=10&step=0.25", "0..10000 by 250ms"),
            (
                "end=1&step=1",
                r#"invalid parameter "start": cannot parse "" to a valid timestamp"#,
            ),
            (
                "start=2&end=1&step=1",
                r#"invalid parameter "end": end timestamp must not be before start time"#,
            ),
            (
                "start=1&end=2&step=-1",
                r#"invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer"#,
            ),
            (
                "start=1&end=2&step=1x",
                r#"invalid parameter "step": cannot parse "1x" to a valid duration"#,
            ),
            (
                "start=1&end=2&step=1e300",
                r#"invalid parameter "step": cannot parse "1e300" to a valid duration. It overflows int64"#,
            ),
            ("start=0&end=11000&step=1", "0..11000000 by 1s"),
            (
                "start=0&end=11001&step=1",
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
            ),
            (
                "start=0&end=1&step=1&limit=-1",
                r#"invalid parameter "limit": limit must be non-negative"#,
            ),
        ] {
            assert_eq!(range(text), expected);
        }
    }

    #[test]
    fn times_are_rounded_and_refused_as_in_go() {
        for (text, expected) in [
            ("1.5", Some(1500)),
            ("1.0005", Some(1000)),
            ("1795443000.0005", Some(1_795_443_000_000)),
            ("1.0006", Some(1001)),
            ("-1.5", Some(-1500)),
            ("1e300", Some(i64::MAX)),
            ("1970-01-01T00:00:59Z", Some(59_000)),
            ("1970-01-01T00:00:60Z", None),
            ("1970-01-01t00:00:00Z", None),
            ("1970-01-01T00:00:00z", None),
        ] {
            let found = parse_time(text).ok().map(|at| at.0);
            assert_eq!(found, expected, "{text}");
        }
        assert!(parse_step("292y").is_ok() && parse_step("300y").is_err());
    }

    #[test]
    fn an_instant_query_is_at_now_unless_it_says_otherwise() {
        let query = |text| InstantQuery::parse(&Params::parse([text]), Timestamp(7));
        let plain = query("query=up&timeout=5s&lookback_delta=-1&stats=").unwrap();
        let settings = QuerySettings {
            timeout: Some(Duration::from_secs(5)),
            ..QuerySettings::default()
        };
        assert_eq!((plain.at, plain.settings), (Timestamp(7), settings));
        let settings = query("time=1&lookback_delta=1m&stats=all&limit=3")
            .unwrap()
            .settings;
        assert_eq!(settings.lookback, Some(Duration::from_mins(1)));
        assert_eq!((settings.limit, &*settings.stats), (Some(3), "all"));
        for (text, expected) in [
            (
                "lookback_delta=x",
                r#"error parsing lookback delta duration: cannot parse "x" to a valid duration"#,
            ),
            (
                "limit=x&time=y",
                r#"invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax"#,
            ),
        ] {
            assert_eq!(query(text).unwrap_err().message, expected);
        }
        assert_eq!(
            time_range(&Params::default()),
            Ok((Timestamp::MIN, Timestamp::MAX))
        );
    }
}
