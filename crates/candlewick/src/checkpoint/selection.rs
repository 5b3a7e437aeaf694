//! Which of a network's parameters are loaded from a file: those of a backbone for a new head, say.

use crate::error::{Code, Error, Result};
use crate::network::Network;

/// What is loaded, and what may be otherwise than the network has it. By default all, and nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Patterns of the names to load, of which a name needs to fit one: `*` stands for any letters, `?` for one. All, if there are
    /// none.
    pub only: Vec<String>,
    /// Whether the file may hold tensors, of names that are to be loaded, which belong to no parameter.
    pub ignore_extra: bool,
    /// Whether a parameter stays as it is whose tensor is missing or has another shape.
    pub ignore_mismatch: bool,
}

impl Selection {
    /// Whether a tensor of this name is to be loaded.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|pattern| fits(pattern.as_bytes(), name.as_bytes()))
    }

    /// Whether each pattern stands for a parameter.
    ///
    /// # Errors
    /// `InvalidArgument` names the pattern that doesn't.
    pub(super) fn check(&self, network: &Network) -> Result<()> {
        let is_idle = |pattern: &&String| {
            !network.parameters.iter().any(|parameter| fits(pattern.as_bytes(), parameter.name.as_bytes()))
        };
        let Some(pattern) = self.only.iter().find(is_idle) else { return Ok(()) };
        let names: Vec<_> = network.parameters.iter().take(4).map(|parameter| &parameter.name[..]).collect();
        let message = format!(
            "the pattern {pattern:?} fits none of the network's {} parameters ({}{}); * stands for any letters, ? for one",
            network.parameters.len(),
            names.join(", "),
            if network.parameters.len() > names.len() { ", ..." } else { "" }
        );
        Err(Error::new(Code::InvalidArgument, message))
    }
}

/// Whether a name fits a pattern, byte by byte. After a mismatch, the last `*` takes one byte more, and those before it keep theirs.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut last_star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                last_star = Some((p, n));
                p += 1;
            }
            Some(letter) if *letter == b'?' || *letter == name[n] => (p, n) = (p + 1, n + 1),
            Some(_) | None => {
                let Some((star, taken)) = last_star else { return false };
                last_star = Some((star, taken + 1));
                (p, n) = (star + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::tests::network;

    #[test]
    fn stars_stand_for_any_letters_and_question_marks_for_one() {
        for (pattern, names, others) in [
            ("conv*", &["conv0.weight", "conv"][..], &["dense0.bias", "residual0.body.conv0.weight", "con"][..]),
            ("*.bias", &["conv0.bias", ".bias"], &["conv0.bias2", "bias"]),
            ("conv?.weight", &["conv0.weight"], &["conv10.weight", "conv.weight"]),
            ("*conv*.w*", &["residual0.body.conv0.weight", "conv.w"], &["conv0.bias"]),
            ("*", &["", "a"], &[]),
            ("dense0.bias", &["dense0.bias"], &["dense0.bia", "dense0.biass"]),
            ("a*b*a", &["aba", "aabba", "abxbya"], &["ab", "abab"]),
            ("", &[""], &["a"]),
        ] {
            for name in names {
                assert!(fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
            }
            for name in others {
                assert!(!fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
            }
        }
        assert!(!fits("*a".repeat(40).as_bytes(), &b"ab".repeat(4000)), "in little time");
    }

    #[test]
    fn a_pattern_stands_for_something() {
        let selection =
            |only: &[&str]| Selection { only: only.iter().map(|&p| p.into()).collect(), ..Default::default() };
        assert_eq!(selection(&["dense0.*", "*.bias"]).check(&network()), Ok(()));
        let error = selection(&["dense*", "conv*"]).check(&network()).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        let words =
            "the pattern \"conv*\" fits none of the network's 2 parameters (dense0.weight, dense0.bias); * stands";
        assert!(error.message.starts_with(words), "{error}");
    }
}
