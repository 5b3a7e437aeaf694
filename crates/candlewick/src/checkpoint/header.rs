//! The header of a safetensors file, read without believing it: of what a network does not ask for, only places are kept.

use super::layout::SEAL;
use super::run::PREFIX;
use super::{Selection, shorten};
use crate::network::Network;
use safetensors::Dtype;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value::StrDeserializer,
};
use serde::{Deserialize, de};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io::Read;

/// As many axes as NumPy and PyTorch know; a header may otherwise be one endless shape.
const MOST_AXES: usize = 64;

/// What a header says of a tensor.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// `F32`, `BF16`, ..., or a type that this version of safetensors has never heard of.
    pub dtype: String,
    #[serde(deserialize_with = "axes")]
    pub shape: Vec<usize>,
    /// First byte and the byte after the last, counted from the end of the header.
    pub data_offsets: (u64, u64),
}

/// The tensors of a file.
#[derive(Debug, Default)]
pub struct Header {
    /// Those of the network's parameters that are to be loaded, by name.
    pub tensors: HashMap<String, Entry>,
    /// The first tensor to be loaded that belongs to no parameter.
    pub extra: Option<String>,
    /// How many of them belong to no parameter.
    pub extras: usize,
    /// Bytes of all tensors together.
    pub data_len: u64,
    /// Whether the file ends with a checksum of all before.
    pub is_sealed: bool,
}

impl Header {
    /// Reads the JSON of a header to its end.
    pub fn read(json: impl Read, network: &Network, selection: &Selection) -> serde_json::Result<Self> {
        let mut json = serde_json::Deserializer::from_reader(json);
        let wanted = network.parameters.iter().map(|p| p.name.as_str()).collect();
        let header = Wanted { parameters: wanted, selection }.deserialize(&mut json)?;
        json.end()?;
        Ok(header)
    }
}

impl Entry {
    /// Fails unless shape and type fill the tensor's place; what an unknown type would fill, nobody knows.
    fn check(&self, name: &str) -> Result<(), String> {
        let name = shorten(name);
        let (start, end) = self.data_offsets;
        let held = end.checked_sub(start).ok_or_else(|| format!("tensor {name} ends before it begins"))?;
        let dtype: Result<Dtype, de::value::Error> = Dtype::deserialize(StrDeserializer::new(&self.dtype));
        let Ok(dtype) = dtype else { return Ok(()) };
        let bits = self.shape.iter().try_fold(dtype.bitsize() as u64, |bits, size| bits.checked_mul(*size as u64));
        if held.checked_mul(8).is_none_or(|held| bits != Some(held)) {
            return Err(format!("tensor {name} has {held} bytes, which its shape and type do not fill"));
        }
        Ok(())
    }
}

/// What is made of a tensor's name.
struct Wanted<'a> {
    parameters: HashSet<&'a str>,
    selection: &'a Selection,
}

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Header;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Header, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        let mut places = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let entry: Entry = map.next_value()?;
            entry.check(&name).map_err(A::Error::custom)?;
            places.try_reserve(1).map_err(A::Error::custom)?;
            places.push(entry.data_offsets);
            header.is_sealed |= name == SEAL;
            if name.starts_with(PREFIX) || !self.selection.takes(&name) {
                continue; // a checkpoint's, beside its parameters
            }
            if !self.parameters.contains(name.as_str()) {
                header.extras += 1;
                header.extra.get_or_insert(name);
            } else if header.tensors.insert(name.clone(), entry).is_some() {
                return Err(A::Error::custom(format!("tensor {name} is there twice")));
            }
        }
        header.data_len = end_of(places).map_err(A::Error::custom)?;
        Ok(header)
    }
}

/// Where the last tensor ends, if each begins where the one before it ends.
fn end_of(mut places: Vec<(u64, u64)>) -> Result<u64, String> {
    places.sort_unstable();
    places.into_iter().try_fold(0, |reached, (start, end)| match start {
        _ if start == reached => Ok(end),
        _ => Err(format!("a tensor begins at byte {start}, but those before it end at {reached}")),
    })
}

fn axes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<usize>, D::Error> {
    struct Axes;
    impl<'de> Visitor<'de> for Axes {
        type Value = Vec<usize>;

        fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
            f.write_str("a shape")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<usize>, A::Error> {
            let mut shape = Vec::new();
            while let Some(size) = seq.next_element()? {
                if shape.len() == MOST_AXES {
                    return Err(A::Error::custom(format!("a shape has more than {MOST_AXES} axes")));
                }
                shape.push(size);
            }
            Ok(shape)
        }
    }
    deserializer.deserialize_seq(Axes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::tests::network;

    fn read(json: &str) -> Result<Header, String> {
        Header::read(json.as_bytes(), &network(), &Selection::default()).map_err(|e| e.to_string())
    }

    fn entry(dtype: &str, shape: &str, (start, end): (u64, u64)) -> String {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    }

    #[test]
    fn what_is_not_asked_for_is_counted_and_not_kept() {
        let (weight, more) = (entry("F32", "[2,3]", (4, 28)), entry("BOOL", "[4]", (0, 4)));
        let json = format!(
            r#"{{"__metadata__":{{"format":"pt","n":[null]}},"more":{more},"dense0.weight":{weight},"\u00e9":{}}}  "#,
            entry("F4", "[2]", (28, 29))
        );
        let header = read(&json).unwrap();
        assert_eq!((header.extra.as_deref(), header.extras, header.data_len), (Some("more"), 2, 29));
        assert_eq!(header.tensors.keys().collect::<Vec<_>>(), ["dense0.weight"]);
        assert_eq!(header.tensors["dense0.weight"].shape, [2, 3]);
        assert_eq!(read("{}").unwrap().data_len, 0);
    }

    #[test]
    fn types_that_nobody_knows_yet_are_passed_over() {
        for (dtype, bytes) in [("BOOL", 4), ("I8", 4), ("U64", 32), ("F8_E5M2", 4), ("C64", 32), ("Q3_NEW", 7)] {
            let header = read(&format!(r#"{{"mask":{}}}"#, entry(dtype, "[4]", (0, bytes)))).unwrap();
            assert_eq!((header.extras, header.data_len), (1, bytes), "{dtype}");
        }
    }

    #[test]
    fn places_have_no_holes_and_do_not_overlap() {
        let two = |a, b| {
            let [a, b] = [a, b].map(|(start, end)| entry("U8", &format!("[{}]", end - start), (start, end)));
            read(&format!(r#"{{"a":{a},"b":{b}}}"#))
        };
        assert_eq!(two((3, 5), (0, 3)).unwrap().data_len, 5);
        assert_eq!(two((3, 3), (0, 3)).unwrap().data_len, 3);
        assert_eq!(two((0, 0), (0, 3)).unwrap().data_len, 3);
        for (a, b) in [((0, 3), (4, 5)), ((0, 3), (2, 5)), ((0, 3), (0, 3)), ((1, 3), (3, 5))] {
            let error = two(a, b).unwrap_err();
            assert!(error.contains("begins at byte"), "{a:?} {b:?}: {error}");
        }
    }

    #[test]
    fn a_tensor_fills_its_place() {
        let place = |dtype, shape, place| read(&format!(r#"{{"a":{}}}"#, entry(dtype, shape, place))).map(drop);
        for (dtype, shape, bytes) in [("F32", "[]", 4), ("F32", "[0, 7]", 0), ("F4", "[3, 2]", 3), ("F16", "[3]", 6)] {
            place(dtype, shape, (0, bytes)).unwrap();
            assert!(place(dtype, shape, (0, bytes + 1)).unwrap_err().contains("do not fill"), "{dtype} {shape}");
        }
        assert!(place("F4", "[3]", (0, 1)).unwrap_err().contains("do not fill"));
        assert!(place("U8", "[4294967296, 4294967296]", (0, 0)).unwrap_err().contains("do not fill"));
        assert!(place("U8", "[4294967296, 4294967296, 0]", (0, 0)).is_err(), "as safetensors itself has it");
        assert!(place("U8", "[0]", (1, 0)).unwrap_err().contains("ends before it begins"));
        assert!(place("NEW", "[0]", (1, 0)).unwrap_err().contains("ends before it begins"));
    }

    #[test]
    fn a_header_of_nonsense_is_refused() {
        let weight = entry("F32", "[2,3]", (0, 24));
        let long = format!("[1{}]", ",1".repeat(MOST_AXES));
        for (json, reason) in [
            (String::new(), "EOF"),
            ("[]".into(), "tensors by name"),
            ("{}x".into(), "trailing"),
            (r#"{"a":{"dtype":"F32","shape":[1]}}"#.into(), "data_offsets"),
            (format!(r#"{{"a":{}}}"#, entry("F32", "[-1]", (0, 4))), "-1"),
            (format!(r#"{{"a":{}}}"#, entry("U8", &long, (0, 1))), "more than 64 axes"),
            (format!(r#"{{"dense0.weight":{weight},"dense0.weight":{weight}}}"#), "dense0.weight is there twice"),
            ("[".repeat(1 << 20), "tensors by name"),
            (format!(r#"{{"__metadata__":{}"#, "[".repeat(1 << 20)), "EOF"),
        ] {
            let error = read(&json).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        assert!(Header::read(&b"{\"\xff\":1}"[..], &network(), &Selection::default()).is_err(), "not UTF-8");
    }
}
