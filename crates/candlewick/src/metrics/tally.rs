//! What is counted of an evaluation on request. Counts are whole numbers, so neither threads nor pauses change them.

use super::confusion::Confusion;
use super::per_class::PerClass;
use super::report::Report;
use super::top_k::TopK;
use crate::error::{Code, Error, Result};
use crate::losses::{self, Loss, Takes};
use crate::memory;
use serde::Deserialize;

/// What is to be counted. As JSON, `{ "topK": [3, 5], "perClass": true }`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Request {
    /// For each of these, whether an image's class is among so many that the network takes it for first.
    pub top_k: Vec<u32>,
    /// How well each class is found.
    pub per_class: bool,
    /// Which class is taken for which.
    pub confusion: bool,
}

/// The counts of an evaluation. One that pauses is gone on with by the same tally.
#[derive(Debug)]
pub struct Tally {
    request: Request,
    images: u64,
    /// None before it is known how many classes there are.
    counts: Option<Counts>,
}

#[derive(Debug)]
struct Counts {
    classes: usize,
    top_k: Option<TopK>,
    per_class: Option<PerClass>,
    confusion: Option<Confusion>,
}

impl Tally {
    /// Of no images.
    pub fn new(request: Request) -> Self {
        Self { request, images: 0, counts: None }
    }

    /// Takes room for images of so many classes, as it does not have any; before the first image, and after each pause.
    ///
    /// # Errors
    /// `InvalidArgument` for a loss that takes no labels, and for more classes than there are; `OutOfMemory`.
    pub fn begin(&mut self, loss: &Loss, classes: usize) -> Result<()> {
        let refused = |message| Err(Error::new(Code::InvalidArgument, message));
        match loss.takes() {
            Takes::Labels => {}
            Takes::Values => {
                return refused(format!(
                    "metrics count the classes of images, which the loss {} has none of; ask for them with softmaxCrossEntropy",
                    loss.kind()
                ));
            }
        }
        let Request { top_k, per_class, confusion } = &self.request;
        if let Some(k) = top_k.iter().find(|k| !(1..=classes).contains(&(**k as usize))) {
            return refused(format!("topK asks for the first {k} classes, of {classes}; ask for 1 to {classes}"));
        }
        if self.counts.as_ref().is_some_and(|counts| counts.classes == classes) {
            return Ok(());
        }
        self.images = 0;
        self.counts = Some(Counts {
            classes,
            top_k: (!top_k.is_empty()).then(|| TopK::new(top_k)).transpose()?,
            per_class: per_class.then(|| PerClass::new(classes)).transpose()?,
            confusion: confusion.then(|| Confusion::new(classes)).transpose()?,
        });
        Ok(())
    }

    /// Counts images by their rows of logits, end to end, and their labels.
    pub fn count(&mut self, logits: &[f32], labels: impl Iterator<Item = u32>) {
        let Some(Counts { classes, top_k, per_class, confusion }) = &mut self.counts else { return };
        for (row, label) in logits.chunks_exact(*classes).zip(labels) {
            let (class, answer) = (label as usize, losses::label(row.iter().copied()) as usize);
            self.images += 1;
            if let Some(top_k) = top_k {
                top_k.count(losses::rank(row, class));
            }
            if let Some(per_class) = per_class {
                per_class.count(class, answer);
            }
            if let Some(confusion) = confusion {
                confusion.count(class, answer);
            }
        }
    }

    /// What the images counted so far come to.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn report(&self) -> Result<Report> {
        let Some(Counts { top_k, per_class, confusion, .. }) = &self.counts else { return Ok(Report::default()) };
        let row = |row: &[u32]| memory::copy(row);
        Ok(Report {
            top_k: top_k.as_ref().map(|top_k| top_k.accuracies(self.images).collect()),
            per_class: per_class.as_ref().map(|per_class| per_class.figures().collect()),
            means: per_class.as_ref().map(PerClass::macro_figures),
            confusion: confusion.as_ref().map(|confusion| confusion.rows().map(row).collect()).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::losses::MeanSquaredError;

    fn all() -> Request {
        Request { top_k: vec![1, 2], per_class: true, confusion: true }
    }

    #[test]
    fn images_come_in_several_pieces() {
        let (mut tally, mut whole) = (Tally::new(all()), Tally::new(all()));
        let (logits, labels) = ([0.0, 1.0, 2.0, 5.0, 4.0, 3.0, 1.0, 1.0, 0.0], [1, 0, 1]);
        for tally in [&mut tally, &mut whole] {
            tally.begin(&Loss::default(), 3).unwrap();
        }
        whole.count(&logits, labels.into_iter());
        tally.count(&logits[..3], labels[..1].iter().copied());
        tally.begin(&Loss::default(), 3).unwrap(); // after a pause
        tally.count(&logits[3..], labels[1..].iter().copied());
        let report = tally.report().unwrap();
        assert_eq!(report, whole.report().unwrap());
        assert_eq!(report.confusion, Some(vec![vec![1, 0, 0], vec![1, 0, 1], vec![0; 3]]));
        assert_eq!(report.top_k.unwrap().into_iter().collect::<Vec<_>>(), [(1, 1.0 / 3.0), (2, 1.0)]);
    }

    #[test]
    fn json_has_what_was_asked_for() {
        for (request, json) in [
            ("{}", "{}"),
            (r#"{"topK":[2]}"#, r#"{"topK":{"2":1.0}}"#),
            (r#"{"confusion":true}"#, r#"{"confusion":[[0,1],[0,0]]}"#),
            (
                r#"{"perClass":true}"#,
                r#"{"perClass":[{"precision":0.0,"recall":0.0,"f1":0.0,"support":1},{"precision":0.0,"recall":0.0,"f1":0.0,"support":0}],"macro":{"precision":0.0,"recall":0.0,"f1":0.0}}"#,
            ),
        ] {
            let mut tally = Tally::new(serde_json::from_str(request).unwrap());
            tally.begin(&Loss::default(), 2).unwrap();
            tally.count(&[0.0, 1.0], [0].into_iter());
            assert_eq!(serde_json::to_string(&tally.report().unwrap()).unwrap(), json);
        }
        assert!(serde_json::from_str::<Request>(r#"{"top":[1]}"#).unwrap_err().to_string().contains("`topK`"));
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        let mse = Loss::MeanSquaredError(MeanSquaredError {});
        for (loss, k, expected) in [
            (&mse, 1, "metrics count the classes of images, which the loss meanSquaredError has none of"),
            (&Loss::default(), 4, "topK asks for the first 4 classes, of 3; ask for 1 to 3"),
            (&Loss::default(), 0, "topK asks for the first 0 classes, of 3"),
        ] {
            let error = Tally::new(Request { top_k: vec![k], ..Request::default() }).begin(loss, 3).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.starts_with(expected), "{error}");
        }
        assert_eq!(Tally::new(all()).report(), Ok(Report::default()), "of nothing");
    }
}
