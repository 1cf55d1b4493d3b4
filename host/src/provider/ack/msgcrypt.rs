//! `profile = "wx-msgcrypt"`: an answer that goes out encrypted and signed, as WeChat, WeCom and DingTalk read it.

use hookport_plugin_api::description::{Ack as Written, Content};
use jiff::Timestamp;
use sha1::{Digest, Sha1};

use super::super::decrypt::Decrypt;
use super::super::json::write_string;
use super::super::place::Place;
use super::super::template::Template;
use super::super::view::View;

/// The compiled profile of one answer.
pub(super) struct Sealing {
    token: Template,
    envelope: Envelope,
}

/// How ciphertext and signature are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Envelope {
    /// DingTalk's object.
    Json,
    /// WeChat's and WeCom's element.
    Xml,
}

/// What a receiver checks.
struct Sealed {
    ciphertext: String,
    signature: String,
    timestamp: String,
    nonce: String,
}

impl Sealing {
    /// Compiles it, where the answer has a profile.
    pub(super) fn compile(
        written: &Written,
        content: Content,
        decrypt: Option<&Decrypt>,
    ) -> Result<Option<Self>, String> {
        let Some(profile) = &written.profile else {
            return match written.token {
                Some(_) => Err("token: only an answer with a profile is signed with it".into()),
                None => Ok(None),
            };
        };
        if profile != "wx-msgcrypt" {
            return Err(format!("profile: {profile:?} is not one that answers have: wx-msgcrypt"));
        }
        if !decrypt.is_some_and(Decrypt::has_receiver) {
            return Err("profile: [decrypt] with profile = \"wx-msgcrypt\" must say with which key and for whom".into());
        }
        let envelope = match (&written.json, &written.xml, &written.text, content) {
            (Some(_), ..) | (_, None, Some(_), Content::Json) => Envelope::Json,
            (_, Some(_), ..) | (_, _, Some(_), Content::Xml) => Envelope::Xml,
            _ => return Err("profile: there must be json, xml or, of a json or xml provider, text to encrypt".into()),
        };
        let token = Template::compile(written.token.as_deref().unwrap_or("${secret:token}"));
        Ok(Some(Self { token: token.map_err(|error| format!("token: {error}"))?, envelope }))
    }

    /// The places that it reads.
    pub(super) fn places(&self) -> Vec<&Place> {
        self.token.places()
    }

    /// Media type and body of the answer; nothing without the key or the token.
    pub(super) fn seal(
        &self,
        decrypt: &Decrypt,
        plain: &[u8],
        view: &View<'_>,
        now: Timestamp,
    ) -> Option<(&'static str, Vec<u8>)> {
        let token = self.token.render(view).ok()?;
        let ciphertext = decrypt.seal(view, plain).ok()?;
        let timestamp = match self.envelope {
            Envelope::Json => now.as_millisecond().to_string(),
            Envelope::Xml => now.as_second().to_string(),
        };
        let nonce = hex::encode(rand::random::<[u8; 8]>());
        let signature = signature(&token, &timestamp, &nonce, &ciphertext);
        Some(self.envelope.write(&Sealed { ciphertext, signature, timestamp, nonce }))
    }
}

/// Sorted by bytes, joined, SHA-1, hex.
fn signature(token: &[u8], timestamp: &str, nonce: &str, ciphertext: &str) -> String {
    let mut parts = [token, timestamp.as_bytes(), nonce.as_bytes(), ciphertext.as_bytes()];
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

impl Envelope {
    fn write(self, sealed: &Sealed) -> (&'static str, Vec<u8>) {
        let Sealed { ciphertext, signature, timestamp, nonce } = sealed;
        match self {
            Self::Json => {
                let mut body = Vec::new();
                let members =
                    [("msg_signature", signature), ("timeStamp", timestamp), ("nonce", nonce), ("encrypt", ciphertext)];
                for (index, (name, text)) in members.into_iter().enumerate() {
                    body.push(if index == 0 { b'{' } else { b',' });
                    write_string(name.as_bytes(), &mut body);
                    body.push(b':');
                    write_string(text.as_bytes(), &mut body);
                }
                body.push(b'}');
                ("application/json", body)
            }
            Self::Xml => {
                let body = format!(
                    "<xml><Encrypt><![CDATA[{ciphertext}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>\
                     <TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
                );
                ("application/xml", body.into_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of wechatpy's tests/test_crypto.py at 5b8502e3, `test_decrypt_message`'s neighbour for answers, and DingTalk's own
    /// DingTalkCrypto.go at fcdbc1b8.
    #[test]
    fn published_signatures_are_reproduced() {
        let dingtalk = "X1VSe9cTJUMZu60d3kyLYTrBq5578ZRJtteU94wG0Q4Uk6E/wQYeJRIC0/UFW5Wkya1Ihz9oXAdLlyC9TRaqsQ==";
        let made = signature(b"tokenxxxx", "1605695694141", "WelUQl6bCqcBa2fM", dingtalk);
        assert_eq!(made, "f36f4ba5337d426c7d4bca0dbcb06b3ddc1388fc");
        let wechat = "9s4gMv99m88kKTh/H8IdkOiMg6bisoy3ypwy9H4hvSPe9nsGaqyw5hhSjdYbcrKk+j3nba4HMOTzHrluLBYqxgNcBqGsL8GqxlhZgURnAtObvesEl5nZ+uBE8bviY0LWke8Zy9V/QYKxNV2FqllNXcfmstttyIkMKCCmVbCFM2JTF5wY0nFhHZSjPUL2Q1qvSUCUld+/WIXrx0oyKQmpB6o8NRrrNrsDf03oxI1p9FxUgMnwKKZeOA/uu+2IEvEBtb7muXsVbwbgX05UPPJvFurDXafG0RQyPR+mf1nDnAtQmmNOuiR5MIkdQ39xn1vWwi1O5oazPoQJz0nTYjxxEE8kv3kFxtAGVRe3ypD3WeK2XeFYFMNMpatF9XiKzHo3";
        assert_eq!(signature(b"123456", "1411525903", "461056294", wechat), "407518b7649e86ef23978113f92d27afa9296533");
    }
}
