//! Query strings and forms: pairs of names and values, percent-decoded.

use percent_encoding::percent_decode_str;

/// The pairs in their order. What is not UTF-8 is replaced, as the vendor's front door does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

impl Pairs {
    pub fn read(text: &str) -> Self {
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(have, _)| have == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_in_order() {
        let pairs = Pairs::read("a=1&b=x+y%20z&&a=%C3%A9&flag&=v&bad=%zz%ff");
        assert_eq!(pairs.get("b"), Some("x y z"));
        assert_eq!(pairs.all("a").collect::<Vec<_>>(), ["1", "é"]);
        assert_eq!(pairs.get("flag"), Some(""));
        assert_eq!(pairs.get("bad"), Some("%zz\u{fffd}"));
        assert_eq!(pairs.get("none"), None);
    }
}
