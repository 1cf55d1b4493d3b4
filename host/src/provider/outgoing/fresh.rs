//! What each request gets anew: its time as the provider writes it, and a text that nobody can guess.

use hookport_plugin_api::description as written;
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::Offset;
use rand::RngExt;

use super::super::moment::Format;

/// Letters and digits.
const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Characters of a nonce that does not say how many.
const LENGTH: usize = 32;
/// No provider takes more.
const LONGEST: usize = 1024;

/// When a request is made, and with which nonce.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// The nonce of a published example; drawn anew where there is none.
    pub nonce: Option<String>,
}

/// Values of `${now}` and `${nonce}`.
pub(super) type Own = Vec<(&'static str, String)>;

/// The compiled `now` and `nonce` of a table.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    now: Option<(Format, Offset)>,
    nonce: Option<Nonce>,
}

#[derive(Debug)]
enum Nonce {
    Characters(Vec<char>, usize),
    Range(u64, u64),
}

impl Fresh {
    /// Compiles both; complaints are by key.
    pub(super) fn compile(
        now: Option<&written::Now>,
        nonce: Option<&written::Nonce>,
    ) -> Result<Self, (&'static str, String)> {
        let moment = |now: &written::Now| {
            let offset = now.offset.as_deref().map_or(Ok(Offset::UTC), offset);
            Ok::<_, String>((Format::compile(&now.format)?, offset?))
        };
        Ok(Self {
            now: now.map(moment).transpose().map_err(|error| ("now", error))?,
            nonce: nonce.map(Nonce::compile).transpose().map_err(|error| ("nonce", error))?,
        })
    }

    /// Whether a name of a template has a value here.
    pub(super) fn has(&self, name: &str) -> bool {
        match name {
            "now" => self.now.is_some(),
            "nonce" => self.nonce.is_some(),
            _ => false,
        }
    }

    /// The values of one request.
    pub(super) fn draw(&self, moment: &Moment) -> Own {
        let now = self.now.as_ref().map(|(format, offset)| ("now", format.write(moment.now, *offset)));
        let nonce = self.nonce.as_ref().map(|nonce| ("nonce", moment.nonce.clone().unwrap_or_else(|| nonce.draw())));
        now.into_iter().chain(nonce).collect()
    }
}

impl Nonce {
    fn compile(written: &written::Nonce) -> Result<Self, String> {
        let text = written.length.is_some() || written.alphabet.is_some();
        match written.range {
            Some(_) if text => Err("a range is a number: it has neither length nor alphabet".into()),
            Some([from, to]) if from >= to => Err(format!("from {from} to {to} there is nothing to choose")),
            Some([from, to]) => Ok(Self::Range(from, to)),
            None => {
                let alphabet: Vec<char> = written.alphabet.as_deref().unwrap_or(ALPHANUMERIC).chars().collect();
                let length = written.length.unwrap_or(LENGTH);
                if alphabet.len() < 2 || !(1..=LONGEST).contains(&length) {
                    return Err(format!("needs an alphabet of two characters at least and a length of 1 to {LONGEST}"));
                }
                Ok(Self::Characters(alphabet, length))
            }
        }
    }

    fn draw(&self) -> String {
        let mut random = rand::rng();
        match self {
            Self::Characters(alphabet, length) => {
                (0..*length).map(|_| alphabet[random.random_range(..alphabet.len())]).collect()
            }
            Self::Range(from, to) => random.random_range(*from..=*to).to_string(),
        }
    }
}

fn offset(text: &str) -> Result<Offset, String> {
    let read = strtime::parse("%:z", text).ok().and_then(|broken| broken.offset());
    read.ok_or_else(|| format!("{text:?} is not an offset from UTC, such as \"+08:00\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(now: (&str, Option<&str>), nonce: written::Nonce) -> Result<Fresh, (&'static str, String)> {
        let now = written::Now { format: now.0.to_owned(), offset: now.1.map(str::to_owned) };
        Fresh::compile(Some(&now), Some(&nonce))
    }

    fn draw(now: (&str, Option<&str>), nonce: written::Nonce) -> Vec<String> {
        let moment = Moment { now: Timestamp::from_second(1_709_632_705).unwrap(), nonce: None };
        fresh(now, nonce).unwrap().draw(&moment).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_time_is_written_where_the_provider_is() {
        let nonce = || written::Nonce { range: Some([10_000, 99_999]), ..Default::default() };
        for (format, offset, text) in [
            ("unix_s", None, "1709632705"),
            ("unix_ms", None, "1709632705000"),
            ("rfc3339", None, "2024-03-05T09:58:25Z"),
            ("rfc3339", Some("+08:00"), "2024-03-05T17:58:25+08:00"),
            ("%Y%m%d%H%M%S%z", Some("+08:00"), "20240305175825+0800"),
            ("%Y-%m-%d %H:%M:%S", Some("+03:00"), "2024-03-05 12:58:25"),
            ("http_date", None, "Tue, 05 Mar 2024 09:58:25 GMT"),
        ] {
            let own = draw((format, offset), nonce());
            assert_eq!(own[0], text);
            assert!(own[1].len() == 5 && own[1].parse::<u32>().unwrap() >= 10_000, "{}", own[1]);
        }
    }

    #[test]
    fn a_nonce_is_as_long_as_declared_of_declared_characters_and_new_each_time() {
        let nonce = written::Nonce { length: Some(20), alphabet: Some("0aé".into()), ..Default::default() };
        let texts: Vec<_> = (0..4).map(|_| draw(("unix_s", None), nonce.clone()).remove(1)).collect();
        assert!(texts.iter().all(|text| text.chars().count() == 20 && text.chars().all(|c| "0aé".contains(c))));
        assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "{texts:?}");
    }

    #[test]
    fn what_cannot_be_drawn_says_why() {
        let range = |from, to| written::Nonce { range: Some([from, to]), ..Default::default() };
        for (now, nonce, key, words) in [
            (("soon", None), range(1, 2), "now", "not a time format"),
            (("unix_s", Some("east")), range(1, 2), "now", "\"+08:00\""),
            (("unix_s", None), range(5, 5), "nonce", "nothing to choose"),
            (("unix_s", None), written::Nonce { length: Some(0), ..Default::default() }, "nonce", "a length of"),
            (("unix_s", None), written::Nonce { length: Some(3), ..range(1, 2) }, "nonce", "neither length"),
        ] {
            let (at, said) = fresh(now, nonce).unwrap_err();
            assert!(at == key && said.contains(words), "{at}: {said}");
        }
    }
}
