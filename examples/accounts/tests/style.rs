//! The colours of the style sheet, by the contrasts that WCAG 2.2 asks for.

use std::collections::BTreeMap;

const STYLE: &str = include_str!("../assets/style.css");

#[derive(Clone, Copy, Debug)]
struct Colour([f64; 3]);

impl Colour {
    fn parse(text: &str) -> Self {
        let digits = text.trim().strip_prefix('#').unwrap();
        assert_eq!(digits.len(), 6, "{text}");
        let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        Self([0, 2, 4].map(|at| f64::from(part(at)) / 255.0))
    }

    /// Relative luminance, as WCAG 2.2 defines it.
    fn luminance(self) -> f64 {
        let linear = |part: f64| {
            if part <= 0.04045 {
                part / 12.92
            } else {
                ((part + 0.055) / 1.055).powf(2.4)
            }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }
}

/// Each colour of the sheet, in the light scheme and in the dark one.
fn colours() -> BTreeMap<&'static str, [Colour; 2]> {
    let lines = STYLE.lines().map(str::trim);
    let properties = lines.filter_map(|line| line.strip_prefix("--")?.split_once(": light-dark("));
    let colours = properties.map(|(name, both)| {
        let (light, dark) = both.trim_end_matches(");").split_once(',').unwrap();
        (name, [Colour::parse(light), Colour::parse(dark)])
    });
    colours.collect()
}

#[track_caller]
fn check(least: f64, over: &[&str], under: &[&str]) {
    let colours = colours();
    for (one, two) in over
        .iter()
        .flat_map(|one| under.iter().map(move |two| (one, two)))
    {
        for (scheme, name) in ["light", "dark"].iter().enumerate() {
            let contrast = colours[one][scheme].contrast(colours[two][scheme]);
            assert!(contrast >= least, "{one} on {two} in {name}: {contrast:.2}");
        }
    }
}

/// WCAG 2.2, 1.4.3.
#[test]
fn texts_have_a_contrast_of_four_and_a_half() {
    check(
        4.5,
        &["text", "soft", "main", "good", "bad"],
        &["back", "card"],
    );
    check(4.5, &["text"], &["warn"]);
    check(4.5, &["onto"], &["main"]);
}

/// WCAG 2.2, 1.4.11: borders of fields and buttons, and the ring of the focus.
#[test]
fn borders_of_controls_have_a_contrast_of_three() {
    check(
        3.0,
        &["edge", "main", "bad", "good"],
        &["back", "card", "warn"],
    );
}

/// Whatever is coloured is so by a colour that is looked at here.
#[test]
fn no_colour_is_outside_of_the_custom_properties() {
    let (properties, rules) = STYLE.split_once('}').unwrap();
    assert_eq!(properties.matches("light-dark(").count(), colours().len());
    let other = ["#fff", "rgb", "hsl", "light-dark"];
    for (number, line) in rules.lines().enumerate() {
        assert!(
            !other.iter().any(|one| line.contains(one)),
            "{number}: {line}"
        );
    }
}

#[test]
fn black_on_white_has_the_highest_contrast() {
    let contrast = Colour::parse("#000000").contrast(Colour::parse("#ffffff"));
    assert!((contrast - 21.0).abs() < 1e-9, "{contrast}");
}
