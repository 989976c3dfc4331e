//! Measures the readers of the two hot formats: `cargo run --release --example readers`.

use std::hint::black_box;
use std::time::Duration;

use firebell_wire::exposition::{Entry, Format, Parser};
use firebell_wire::remote_write::WriteRequest;

fn main() {
    let text = exposition();
    measure("exposition, series looked up by text", || {
        read_exposition(&text, false)
    });
    measure("exposition, labels made", || read_exposition(&text, true));
    let body = write_request();
    measure("remote write, labels borrowed", || {
        read_write_request(&body, false)
    });
    measure("remote write, labels made", || {
        read_write_request(&body, true)
    });
}

/// Runs until a second has passed and prints the rate; `run` gives the number of samples.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn measure(what: &str, mut run: impl FnMut() -> usize) {
    let start = std::time::Instant::now();
    let (mut n_samples, mut spent) = (0, Duration::ZERO);
    while spent < Duration::from_secs(1) {
        n_samples += black_box(run());
        spent = start.elapsed();
    }
    let rate = n_samples as f64 / spent.as_secs_f64() / 1e6;
    println!("{what}: {rate:.2} million samples per second");
}

fn exposition() -> String {
    let mut text =
        String::from("# HELP http_requests_total Requests.\n# TYPE http_requests_total counter\n");
    for idx in 0..2000 {
        text += &format!(
            "http_requests_total{{method=\"get\",status=\"{}\",handler=\"/api/v{}/orders\",\
             instance_id=\"shop-{idx}\",region=\"eu-west-1\"}} {}\n",
            200 + idx % 5,
            idx % 7,
            idx * 1234,
        );
    }
    text
}

fn read_exposition(text: &str, with_labels: bool) -> usize {
    let mut parser = Parser::new(text.as_bytes(), Format::Text).expect("the text is good");
    let mut n_samples = 0;
    while let Some(entry) = parser.next_entry().expect("the text is good") {
        if let Entry::Sample(sample) = entry {
            n_samples += 1;
            black_box((sample.series.text(), sample.value));
            if with_labels {
                black_box(sample.series.labels().expect("names are unique"));
            }
        }
    }
    n_samples
}

/// 2,000 series of ten labels and one sample each, compressed.
fn write_request() -> Vec<u8> {
    fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
        out.push(number << 3 | 2);
        let mut len = bytes.len();
        while len >= 0x80 {
            out.push(len as u8 | 0x80);
            len >>= 7;
        }
        out.push(len as u8);
        out.extend(bytes);
    }
    let mut body = Vec::new();
    for idx in 0..2000 {
        let mut series = Vec::new();
        for label in 0..10 {
            let (name, value) = match label {
                0 => ("__name__".to_owned(), "http_requests_total".to_owned()),
                1 => ("instance".to_owned(), format!("shop-{idx}:9100")),
                _ => (format!("label_{label}"), format!("value-{}", idx % label)),
            };
            let mut pair = Vec::new();
            field(1, name.as_bytes(), &mut pair);
            field(2, value.as_bytes(), &mut pair);
            field(1, &pair, &mut series);
        }
        let mut sample = vec![0x09];
        sample.extend(f64::from(idx).to_bits().to_le_bytes());
        sample.extend([0x10, 0x80, 0xa0, 0x94, 0xa5, 0x8d, 0x33]);
        field(2, &sample, &mut series);
        field(1, &series, &mut body);
    }
    snap::raw::Encoder::new()
        .compress_vec(&body)
        .expect("it fits")
}

fn read_write_request(body: &[u8], with_labels: bool) -> usize {
    let request = WriteRequest::decode(body, 1 << 24).expect("the body is good");
    let mut reader = request.series();
    let mut n_samples = 0;
    while let Some(series) = reader.next_series().expect("the body is good") {
        n_samples += series.samples.len();
        black_box(series.pairs);
        if with_labels {
            black_box(series.labels().expect("the labels are good"));
        }
    }
    n_samples
}
