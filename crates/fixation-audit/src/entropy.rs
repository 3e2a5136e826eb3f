//! What a sample of identifiers tells about how they are made. Pure.

use super::shape;

/// How far apart the values of a counter may lie: other users log in between.
const LARGEST_STEP: i128 = 1_000;

/// A rule that the sample follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Numbers that rise by small steps.
    Counter {
        radix: u32,
        step: i128,
        prefix: usize,
    },
    /// Version 1 UUIDs: a clock and a network card.
    TimeBasedUuid,
    /// The same value more than once.
    Repeats,
}

impl Pattern {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Counter { step, .. } => format!("counts up, by {step} at a time"),
            Self::TimeBasedUuid => "is a version 1 UUID: a clock and a network card".to_owned(),
            Self::Repeats => "is the same for different logins".to_owned(),
        }
    }

    /// What the next identifiers will be, where the rule says so.
    pub(super) fn next_values(&self, values: &[String]) -> Vec<String> {
        if let (Self::Repeats, Some(last)) = (self, values.last()) {
            return vec![last.clone()];
        }
        let (
            Self::Counter {
                radix,
                step,
                prefix,
            },
            Some(last),
        ) = (self, values.last())
        else {
            return Vec::new();
        };
        let Some(number) = number(&last[*prefix..], *radix) else {
            return Vec::new();
        };
        let width = last.len() - prefix;
        let upper = last.bytes().any(|b| b.is_ascii_uppercase());
        let text = |value: i128| match (radix, upper) {
            (16, false) => format!("{}{value:0width$x}", &last[..*prefix]),
            (16, true) => format!("{}{value:0width$X}", &last[..*prefix]),
            _ => format!("{}{value:0width$}", &last[..*prefix]),
        };
        let steps = [*step, 1, 2, 3];
        let mut next: Vec<_> = steps.into_iter().map(|step| text(number + step)).collect();
        next.dedup();
        next
    }
}

/// The rule that all values of the sample follow, in the order in which they were issued.
pub(super) fn pattern(values: &[String]) -> Option<Pattern> {
    if values.len() < 3 {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        return Some(Pattern::Repeats);
    }
    let is_v1 = |value: &String| {
        let hyphens = value.len() == 36
            && [8, 13, 18, 23]
                .iter()
                .all(|&at| value.as_bytes()[at] == b'-');
        hyphens && value.as_bytes()[14] == b'1'
    };
    if values.iter().all(is_v1) {
        return Some(Pattern::TimeBasedUuid);
    }
    // A letter or two before the number, as in `user-0042`; not half of a long random value.
    let prefix = word_prefix(values);
    [10, 16].into_iter().find_map(|radix| {
        let numbers: Option<Vec<_>> = values
            .iter()
            .map(|v| number(v.get(prefix..)?, radix))
            .collect();
        counter(&numbers?).map(|step| Pattern::Counter {
            radix,
            step,
            prefix,
        })
    })
}

/// The smallest step, where all of them are small and go up.
fn counter(numbers: &[i128]) -> Option<i128> {
    let steps: Vec<_> = numbers.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps
        .iter()
        .all(|step| (1..=LARGEST_STEP).contains(step))
        .then(|| steps.iter().min().copied())?
}

fn number(text: &str, radix: u32) -> Option<i128> {
    let digits = !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    digits.then(|| i128::from_str_radix(text, radix).ok())?
}

/// The length of the common beginning up to its last character that no number has.
fn word_prefix(values: &[String]) -> usize {
    let shared = shared_prefix(values);
    let Some(first) = values.first() else {
        return 0;
    };
    let head = first.get(..shared).unwrap_or_default();
    head.rfind(|c: char| !c.is_ascii_hexdigit())
        .map_or(0, |at| at + 1)
}

/// How many characters all values start with alike.
pub(super) fn shared_prefix(values: &[String]) -> usize {
    let Some(first) = values.first() else {
        return 0;
    };
    let alike = |at: usize| {
        values
            .iter()
            .all(|v| v.as_bytes().get(at) == first.as_bytes().get(at))
    };
    (0..first.len()).take_while(|&at| alike(at)).count()
}

/// An estimate of the bits in which the values differ: the collision entropy of each position, summed up.
///
/// An upper bound, for what looks random may be computed; a sample of twelve tells 32 bits from 128, not 120 from 128.
pub(super) fn bits(values: &[String]) -> f64 {
    let text = sum(&values
        .iter()
        .map(|v| v.as_bytes().to_vec())
        .collect::<Vec<_>>());
    // What is random text may be the base64 of less: whichever view shows less is believed.
    let decoded: Option<Vec<_>> = values.iter().map(|value| shape::decode(value)).collect();
    let readable = |bytes: &Vec<Vec<u8>>| bytes.iter().flatten().all(u8::is_ascii_graphic);
    match decoded.filter(readable) {
        Some(decoded) => text.min(sum(&decoded)),
        None => text,
    }
}

fn sum(values: &[Vec<u8>]) -> f64 {
    let shortest = values.iter().map(Vec::len).min().unwrap_or(0);
    let all: Vec<u8> = values.iter().flatten().copied().collect();
    let most = alphabet_bits(&all);
    let bits: f64 = (0..shortest)
        .map(|at| position_bits(values, at).min(most))
        .sum();
    // A position that never changes gives minus zero.
    bits.max(0.0) + 0.0
}

fn position_bits(values: &[Vec<u8>], at: usize) -> f64 {
    let mut counts = [0_u32; 256];
    for value in values {
        counts[usize::from(value[at])] += 1;
    }
    let pairs = |n: u32| f64::from(n) * f64::from(n.saturating_sub(1)) / 2.0;
    let alike: f64 = counts.iter().map(|&n| pairs(n)).sum();
    let total = pairs(u32::try_from(values.len()).unwrap_or(u32::MAX));
    if total == 0.0 {
        return 0.0;
    }
    // No collision at all: half a one, so that the estimate stays finite.
    -(alike.max(0.5) / total).log2()
}

fn alphabet_bits(all: &[u8]) -> f64 {
    let has = |test: fn(&u8) -> bool| all.iter().any(test);
    let beyond_hex = all
        .iter()
        .any(|b| b.is_ascii_alphabetic() && !b.is_ascii_hexdigit());
    if !beyond_hex && has(u8::is_ascii_alphabetic) {
        return 4.0;
    }
    let sizes = [
        (has(u8::is_ascii_digit), 10.0),
        (has(u8::is_ascii_lowercase), 26.0),
        (has(u8::is_ascii_uppercase), 26.0),
        (all.iter().any(|b| !b.is_ascii_alphanumeric()), 2.0),
    ];
    sizes
        .iter()
        .filter(|(there, _)| *there)
        .map(|(_, size)| size)
        .sum::<f64>()
        .max(1.0)
        .log2()
}

#[cfg(test)]
mod tests {
    use super::{Pattern, bits, pattern};

    fn hex(length: usize) -> Vec<String> {
        let one = || {
            (0..length)
                .map(|_| format!("{:x}", super::super::chance::bytes::<1>()[0] & 15))
                .collect()
        };
        (0..12).map(|_| one()).collect()
    }

    #[test]
    fn random_identifiers_are_never_called_weak() {
        for _ in 0..300 {
            let sample = hex(32);
            assert!(bits(&sample) > 80.0, "{}", bits(&sample));
            assert_eq!(pattern(&sample), None);
        }
    }

    #[test]
    fn short_identifiers_are_always_called_weak() {
        for _ in 0..300 {
            assert!(bits(&hex(8)) < 48.0);
        }
    }

    #[test]
    fn counters_are_seen_and_continued() {
        let sample: Vec<_> = [7, 8, 10, 11]
            .iter()
            .map(|n| format!("user-{n:04}"))
            .collect();
        let found = pattern(&sample).unwrap();
        assert_eq!(
            found,
            Pattern::Counter {
                radix: 10,
                step: 1,
                prefix: 5
            }
        );
        assert!(found.next_values(&sample).contains(&"user-0012".to_owned()));
        let hex: Vec<_> = ["00fe", "00ff", "0100"].map(str::to_owned).to_vec();
        assert!(
            pattern(&hex)
                .unwrap()
                .next_values(&hex)
                .contains(&"0101".to_owned())
        );
    }

    #[test]
    fn clocks_and_repetitions_are_seen() {
        let uuid = |n: u32| format!("{n:08x}-1dec-11d0-a765-00a0c91e6bf6");
        let sample: Vec<_> = [9_u32, 3, 7].into_iter().map(uuid).collect();
        assert_eq!(pattern(&sample), Some(Pattern::TimeBasedUuid));
        assert_eq!(pattern(&vec!["a".to_owned(); 3]), Some(Pattern::Repeats));
    }
}
