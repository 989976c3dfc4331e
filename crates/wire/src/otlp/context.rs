//! Spans and log records of a request.
//!
//! *Sources*: `opentelemetry-proto`, `trace.proto` and `logs.proto`.

use std::borrow::Cow;

use firebell_telemetry::{
    Attributes, LogRecord, Origin, Record, Span, SpanEvent, SpanId, SpanKind, TraceId,
};

use super::answer::{Encoding, Signal};
use super::attributes::{push_attribute, text_of};
use super::{OtlpError, json};
use crate::protobuf::{Malformed, Message, Value};

/// What of a request can be kept, and how much of it cannot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Context<R> {
    /// By who sent it, in the order of the request.
    pub kept: Vec<(Origin, Vec<R>)>,
    /// How many cannot be kept.
    pub n_refused: u64,
    /// Why; empty when all can.
    pub why: String,
}

/// Spans and log records, as requests have them.
pub trait ContextRecord: Record {
    /// What its requests are.
    const SIGNAL: Signal;

    /// Reads one; `None` when it is none that can be kept.
    #[doc(hidden)]
    fn read(message: &[u8], room: &mut Room) -> Result<Option<Self>, OtlpError>;
}

/// Reads an `ExportTraceServiceRequest` or `ExportLogsServiceRequest` that is not compressed any
/// more.
///
/// # Errors
/// When the body is malformed, or has more pieces than a request may have.
pub fn read_context<R: ContextRecord>(
    body: &[u8],
    encoding: Encoding,
) -> Result<Context<R>, OtlpError> {
    let body = match encoding {
        Encoding::Protobuf => Cow::Borrowed(body),
        Encoding::Json => Cow::Owned(json::to_protobuf(body, R::SIGNAL).map_err(OtlpError)?),
    };
    let mut context = Context {
        kept: Vec::new(),
        n_refused: 0,
        why: String::new(),
    };
    let mut room = Room(PIECES_MAX);
    let mut request = Message::new(&body);
    while let Some((number, value)) = request.next_field()? {
        if number == 1 {
            read_resource(value.message()?, &mut room, &mut context)?;
        }
    }
    if context.n_refused > 0 {
        context.why = match R::SIGNAL {
            Signal::Traces => "a span needs a trace id of 16 bytes and an id of 8, not all zero",
            _ => "it cannot be kept",
        }
        .to_owned();
    }
    Ok(context)
}

/// How many more pieces a request may have.
#[doc(hidden)]
#[derive(Debug)]
pub struct Room(usize);

impl Room {
    fn take(&mut self) -> Result<(), Malformed> {
        self.0 = self.0.checked_sub(1).ok_or(TOO_MANY)?;
        Ok(())
    }

    /// An attribute, cut where it is very long.
    fn attribute(&mut self, value: Value<'_>, out: &mut Attributes) -> Result<(), Malformed> {
        self.take()?;
        let mut pair = Vec::with_capacity(1);
        push_attribute(value.message()?, &mut pair)?;
        out.extend(pair.into_iter().map(|(name, text)| (cut(name), cut(&text))));
        Ok(())
    }
}

/// `ResourceSpans`, `ResourceLogs`
fn read_resource<R: ContextRecord>(
    message: Message<'_>,
    room: &mut Room,
    context: &mut Context<R>,
) -> Result<(), OtlpError> {
    room.take()?;
    let mut origin = Origin::default();
    let mut records = Vec::new();
    let mut fields = message;
    while let Some((number, value)) = fields.next_field()? {
        match number {
            1 => {
                let mut resource = value.message()?;
                while let Some((number, value)) = resource.next_field()? {
                    if number == 1 {
                        room.attribute(value, &mut origin.attributes)?;
                    }
                }
            }
            2 => read_scope(value.message()?, room, context, &mut records)?,
            _ => {}
        }
    }
    let service = origin
        .attributes
        .iter()
        .find(|(name, _)| name == "service.name");
    origin.service = service.map(|(_, name)| name.clone()).unwrap_or_default();
    if !records.is_empty() {
        context.kept.push((origin, records));
    }
    Ok(())
}

/// `ScopeSpans`, `ScopeLogs`
fn read_scope<R: ContextRecord>(
    mut message: Message<'_>,
    room: &mut Room,
    context: &mut Context<R>,
    records: &mut Vec<R>,
) -> Result<(), OtlpError> {
    while let Some((number, value)) = message.next_field()? {
        if number == 2 {
            room.take()?;
            match R::read(value.bytes()?, room)? {
                Some(record) => records.push(record),
                None => context.n_refused += 1,
            }
        }
    }
    Ok(())
}

impl ContextRecord for Span {
    const SIGNAL: Signal = Signal::Traces;

    fn read(message: &[u8], room: &mut Room) -> Result<Option<Self>, OtlpError> {
        let Some((trace, id)) = read_ids(Message::new(message))? else {
            return Ok(None);
        };
        let mut span = Self {
            trace,
            id,
            parent: None,
            name: String::new(),
            kind: SpanKind::default(),
            start_nanos: 0,
            end_nanos: 0,
            failure: None,
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
        };
        let mut fields = Message::new(message);
        while let Some((number, value)) = fields.next_field()? {
            match number {
                4 => span.parent = SpanId::of_bytes(value.bytes()?),
                5 => span.name = cut(value.text()?),
                6 => span.kind = SpanKind::of_number(value.varint()?),
                7 => span.start_nanos = value.fixed()?,
                8 => span.end_nanos = value.fixed()?,
                9 => room.attribute(value, &mut span.attributes)?,
                11 => span.events.push(read_event(value.message()?, room)?),
                13 => {
                    room.take()?;
                    span.links.extend(read_ids(value.message()?)?);
                }
                15 => span.failure = read_status(value.message()?)?,
                _ => {}
            }
        }
        Ok(Some(span))
    }
}

fn read_event(mut message: Message<'_>, room: &mut Room) -> Result<SpanEvent, Malformed> {
    room.take()?;
    let mut event = SpanEvent {
        nanos: 0,
        name: String::new(),
        attributes: Vec::new(),
    };
    while let Some((number, value)) = message.next_field()? {
        match number {
            1 => event.nanos = value.fixed()?,
            2 => event.name = cut(value.text()?),
            3 => room.attribute(value, &mut event.attributes)?,
            _ => {}
        }
    }
    Ok(event)
}

/// The ids of a span or of a link to one; `None` when they are none.
fn read_ids(mut message: Message<'_>) -> Result<Option<(TraceId, SpanId)>, Malformed> {
    let (mut trace, mut id) = (None, None);
    while let Some((number, value)) = message.next_field()? {
        match number {
            1 => trace = TraceId::of_bytes(value.bytes()?),
            2 => id = SpanId::of_bytes(value.bytes()?),
            _ => {}
        }
    }
    Ok(trace.zip(id))
}

/// Why a span failed, if it did.
fn read_status(mut message: Message<'_>) -> Result<Option<String>, Malformed> {
    let (mut why, mut code) = ("", 0);
    while let Some((number, value)) = message.next_field()? {
        match number {
            2 => why = value.text()?,
            3 => code = value.varint()?,
            _ => {}
        }
    }
    Ok((code == STATUS_ERROR).then(|| cut(why)))
}

impl ContextRecord for LogRecord {
    const SIGNAL: Signal = Signal::Logs;

    fn read(message: &[u8], room: &mut Room) -> Result<Option<Self>, OtlpError> {
        let mut record = Self::default();
        let mut seen_nanos = 0;
        let mut fields = Message::new(message);
        while let Some((number, value)) = fields.next_field()? {
            match number {
                1 => record.nanos = value.fixed()?,
                2 => record.severity = value.varint()?.min(SEVERITY_MAX) as u8,
                3 => record.severity_text = cut(value.text()?),
                5 => record.body = cut(&text_of(value.message()?)?),
                6 => room.attribute(value, &mut record.attributes)?,
                9 => record.trace = TraceId::of_bytes(value.bytes()?),
                10 => record.span = SpanId::of_bytes(value.bytes()?),
                11 => seen_nanos = value.fixed()?,
                12 => record.event = cut(value.text()?),
                _ => {}
            }
        }
        if record.nanos == 0 {
            record.nanos = seen_nanos;
        }
        Ok(Some(record))
    }
}

/// A text; one that is very long is cut, and shows it.
fn cut(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    let ends = (0..=TEXT_BYTES_MAX).rev();
    let kept = ends.into_iter().find_map(|end| text.get(..end));
    format!("{}…", kept.unwrap_or_default())
}

/// `STATUS_CODE_ERROR`
const STATUS_ERROR: u64 = 2;
/// `SEVERITY_NUMBER_FATAL4`
const SEVERITY_MAX: u64 = 24;
/// Resources, records, attributes, events and links of a request, together: an empty one takes two
/// bytes in a request and some hundred in memory.
const PIECES_MAX: usize = 300_000;
const TOO_MANY: Malformed =
    Malformed("it has more than 300000 records, attributes, events and links: send it in parts");
const TEXT_BYTES_MAX: usize = 16 << 10;
