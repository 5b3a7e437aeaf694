//! What evaluations count on request: as scikit-learn does, and as one counts predictions by hand, on every engine, in any pieces.

mod all_engines;
mod made_up;

use candle_core::{Device, Tensor};
use candlewick::Code;
use candlewick::dataset::Dataset;
use candlewick::engine::{Engine, Progress};
use candlewick::layers::{Conv2d, Dense, Layer};
use candlewick::losses::{Loss, MeanSquaredError};
use candlewick::metrics::{ClassFigures, Metrics, Report, Request, Tally};
use candlewick::network::Network;
use serde_json::Value;

const CLASSES: usize = 5;
const KS: [u32; 3] = [1, 2, 4];

fn everything() -> Tally {
    Tally::new(Request { top_k: KS.to_vec(), per_class: true, confusion: true })
}

/// tests/fixtures/metrics.py made it.
#[test]
fn figures_are_those_of_scikit_learn() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("fixtures/metrics.json")).unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let numbers = |value: &Value| value.as_array().unwrap().iter().map(|z| z.as_f64().unwrap()).collect::<Vec<_>>();
        let rows: Vec<_> = case["logits"].as_array().unwrap().iter().map(numbers).collect();
        let logits: Vec<f32> = rows.iter().flatten().map(|z| *z as f32).collect();
        let top_k = case["topK"].as_object().unwrap().keys().map(|k| k.parse().unwrap()).collect();
        let mut tally = Tally::new(Request { top_k, per_class: true, confusion: true });
        tally.begin(&Loss::default(), rows[0].len()).unwrap();
        tally.count(&logits, numbers(&case["labels"]).into_iter().map(|label| label as u32));
        let found = serde_json::to_value(tally.report().unwrap()).unwrap();
        for key in ["topK", "perClass", "macro", "confusion"] {
            assert!(is_close(&found[key], &case[key]), "{key}: {}, not {}", found[key], case[key]);
        }
    }
}

/// The same JSON, but for the last digits of what is no whole number.
fn is_close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_close(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(key, a)| is_close(a, &b[key])),
        (Value::Number(a), Value::Number(b)) => (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-12,
        _ => false,
    }
}

fn network() -> Network {
    let layers = [Layer::Conv2d(Conv2d::new(3, [3, 3])), Layer::Dense(Dense::new(CLASSES))];
    Network::new(&layers, [1, 4, 4]).unwrap()
}

fn engines() -> Vec<(&'static str, Box<dyn Engine>)> {
    all_engines::engines(&network())
}

fn dataset() -> Dataset {
    made_up::dataset(5000, [1, 4, 4], |i| i * i % 7 % CLASSES)
}

/// More than any engine answers at once, in an order of their own, some of them twice.
fn indices() -> Vec<u32> {
    (0..4500).map(|i| i * 1777 % 4999).chain([4999, 3, 3]).collect()
}

/// Row by row, of what the engine predicts.
fn by_hand(engine: &mut dyn Engine, dataset: &Dataset, indices: &[u32]) -> Report {
    let images = Tensor::from_slice(dataset.pixels(), (dataset.len(), 1, 4, 4), &Device::Cpu).unwrap();
    let logits = engine.predict(&images).unwrap().to_vec2::<f32>().unwrap();
    let mut confusion = vec![vec![0u32; CLASSES]; CLASSES];
    let mut right = KS.map(|_| 0);
    for index in indices {
        let (row, label) = (&logits[*index as usize], usize::from(dataset.labels()[*index as usize]));
        let mut order: Vec<usize> = (0..CLASSES).collect();
        let key = |class: &usize| if row[*class].is_nan() { f32::INFINITY } else { row[*class] };
        order.sort_by(|a, b| key(b).total_cmp(&key(a))); // which keeps equals as they are
        confusion[label][order[0]] += 1;
        for (right, k) in right.iter_mut().zip(KS) {
            *right += u32::from(order[..k as usize].contains(&label));
        }
    }
    let sum = |counts: &mut dyn Iterator<Item = u32>| f64::from(counts.sum::<u32>());
    let figures = |class: usize| {
        let of_it = sum(&mut confusion[class].iter().copied());
        let answers = sum(&mut confusion.iter().map(|row| row[class]));
        let hits = f64::from(confusion[class][class]);
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let (precision, recall) = (share(hits, answers), share(hits, of_it));
        ClassFigures { precision, recall, f1: share(2.0 * hits, of_it + answers), support: of_it as u64 }
    };
    Report {
        top_k: Some(KS.into_iter().zip(right.map(|right| f64::from(right) / indices.len() as f64)).collect()),
        per_class: Some((0..CLASSES).map(figures).collect()),
        means: None,
        confusion: Some(confusion),
    }
}

#[test]
fn every_engine_counts_what_it_predicts_through_all_pauses() {
    let (dataset, indices, loss) = (dataset(), indices(), Loss::default());
    for (name, mut engine) in engines() {
        let expected = by_hand(&mut *engine, &dataset, &indices);
        let plain = engine.evaluate(&dataset, &indices, &loss, &Progress::default()).unwrap();
        for pauses in [false, true] {
            let (progress, mut metrics, mut tally, mut turns) =
                (Progress::default(), Metrics::default(), everything(), 0);
            progress.pause(pauses);
            while metrics.count < plain.count {
                engine.evaluate_on(&dataset, &indices, &loss, &progress, &mut metrics, Some(&mut tally)).unwrap();
                turns += 1;
            }
            assert_eq!((metrics, turns > 1), (plain, pauses), "{name}");
            let report = tally.report().unwrap();
            assert_eq!(report.top_k.as_ref().map(|top_k| top_k[&1]), Some(plain.accuracy()), "{name}");
            assert_eq!(Report { means: None, ..report }, expected, "{name}");
        }
    }
}

/// The first that is NaN, and the first of equals, are the answer in the counts as in the accuracy.
#[test]
fn broken_networks_are_counted_as_their_accuracy_is() {
    let (dataset, indices, loss) = (dataset(), &indices()[..300], Loss::default());
    let count = network().parameter_count();
    for (broken, answer) in [(f32::NAN, 2), (0.0, 0)] {
        for (name, mut engine) in engines() {
            let mut parameters = vec![0.0; count];
            parameters[count - CLASSES + 2] = broken;
            engine.set_flat_parameters(parameters).unwrap();
            let (mut metrics, mut tally) = (Metrics::default(), everything());
            let progress = Progress::default();
            engine.evaluate_on(&dataset, indices, &loss, &progress, &mut metrics, Some(&mut tally)).unwrap();
            let report = tally.report().unwrap();
            assert_eq!(report.top_k.unwrap()[&1], metrics.accuracy(), "{name}");
            for row in report.confusion.unwrap() {
                assert_eq!(row[answer], row.iter().sum::<u32>(), "{name}: all are taken for {answer}");
            }
        }
    }
}

#[test]
fn what_cannot_be_counted_is_refused_before_the_first_image() {
    let dataset = dataset();
    for (name, mut engine) in engines() {
        let (progress, mut metrics) = (Progress::default(), Metrics::default());
        let mut tally = Tally::new(Request { top_k: vec![6], ..Request::default() });
        let error = engine
            .evaluate_on(&dataset, &[0, 1], &Loss::default(), &progress, &mut metrics, Some(&mut tally))
            .unwrap_err();
        assert_eq!((error.code, metrics, progress.images()), (Code::InvalidArgument, Metrics::default(), 0), "{name}");
        assert!(error.message.starts_with("topK asks for the first 6 classes, of 5"), "{error}");
    }
    let error = everything().begin(&Loss::MeanSquaredError(MeanSquaredError {}), CLASSES).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
}
