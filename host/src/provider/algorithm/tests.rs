//! Every algorithm against its standard's own example, and against keys that are none.

use super::*;
use crate::provider::key::prepare;

fn ready(name: &str, form: &str, text: &[u8]) -> Result<Box<dyn Scheme>, String> {
    let keys = prepare(named(name).unwrap(), &KeyText { form, text, user_id: "1234567812345678" })?;
    Ok(keys.into_iter().next().unwrap().scheme)
}

fn expected(name: &str, form: &str, key: &[u8], message: &[u8]) -> String {
    hex::encode(ready(name, form, key).unwrap().expected(message).unwrap())
}

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

/// Whether the signature holds, and neither another message nor a changed or cut signature does.
fn holds(scheme: &dyn Scheme, message: &[u8], signature: &[u8]) -> bool {
    let mut changed = signature.to_vec();
    changed[signature.len() / 2] ^= 1;
    assert!(!scheme.verify(&[message, b"x"].concat(), signature));
    assert!(!scheme.verify(message, &changed) && !scheme.verify(message, b""));
    assert!(!scheme.verify(message, &signature[..signature.len() - 1]));
    scheme.verify(message, signature)
}

/// RFC 1321, 3174, 6234; GB/T 32905; RFC 2202 and 4231; GM/T 0042.
#[test]
fn digests_and_macs_match_their_standards() {
    let abc = b"abc".as_slice();
    for (name, digest) in [
        ("md5", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sm3", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
    ] {
        assert_eq!(expected(name, "utf8", b"", abc), digest, "{name}");
    }
    let (key, text) = (b"Jefe".as_slice(), b"what do ya want for nothing?".as_slice());
    assert_eq!(expected("hmac-sha1", "utf8", key, text), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(expected("hmac-sha256", "utf8", key, text), sha256);
    assert!(expected("hmac-sha512", "utf8", key, text).starts_with("164b7a7bfcf819e2e395fbe73b56e0a3"));
    let key = b"0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20";
    let text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".repeat(2);
    let sm3 = "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a";
    assert_eq!(expected("hmac-sm3", "hex", key, text.as_bytes()), sm3);
}

/// GB/T 32918.5.
#[test]
fn sm2_verifies_the_standards_example_and_nothing_beside_it() {
    let point = concat!(
        "0409F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020",
        "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
    );
    let signature = unhex(concat!(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3",
        "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
    ));
    let scheme = ready("sm2-sm3", "pem", point.as_bytes()).unwrap();
    assert!(holds(scheme.as_ref(), b"message digest", &signature));
}

/// RFC 8032, section 7.1, the second.
#[test]
fn ed25519_verifies_the_standards_example_in_every_form_of_its_key() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    let signature = unhex(concat!(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    ));
    let base64 = STANDARD.encode(unhex(key));
    let spki = STANDARD.encode([unhex("302a300506032b6570032100"), unhex(key)].concat());
    for (form, text) in [
        ("ed25519_hex", key.to_uppercase()),
        ("ed25519_base64", base64.clone()),
        ("ed25519_base64", format!(" whpk_{base64}\n")),
        ("spki_base64", spki.clone()),
        ("pem", format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n")),
    ] {
        let scheme = ready("ed25519", form, text.as_bytes()).unwrap();
        assert!(holds(scheme.as_ref(), b"\x72", &signature), "{form}");
    }
}

/// RFC 6979, A.2.5, with SHA-256.
#[test]
fn p256_verifies_the_standards_example_in_both_layouts() {
    let point = concat!(
        "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
        "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
    );
    let raw = unhex(concat!(
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    ));
    let spki = [unhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"), unhex(point)].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(&spki)
    });
    let scheme = ready("ecdsa-p256-sha256", "pem", pem.as_bytes()).unwrap();
    assert!(holds(scheme.as_ref(), b"sample", &raw));
    let der = Layout::Der.lay(&raw).unwrap();
    assert_eq!((der.len(), Layout::Der.plain(&der)), (72, Some(raw.clone())));
    // A number longer than 32 bytes, a negative one, and bytes behind the pair.
    assert_eq!(Layout::Der.plain(&[&[0x30, 0x26, 0x02, 0x21, 0x01], &[0; 32][..], &[2, 1, 1]].concat()), None);
    assert_eq!(Layout::Der.plain(&[0x30, 6, 2, 1, 0x81, 2, 1, 1]), None);
    assert_eq!(Layout::Der.plain(&[der.as_slice(), &[0]].concat()), None);
    assert_eq!(Layout::Raw.plain(&der), None);
}

/// 768 bits, of which AWS-LC would only say that no signature matches.
#[test]
fn a_small_rsa_key_is_refused_by_every_digest() {
    let key = "MHwwDQYJKoZIhvcNAQEBBQADawAwaAJhAMNzq2nhM7IxEIZ/Pz48rLuV0szMNt/N31zC0nmw/IRhMIM7e096TOKc9vZWx0UytHF/\
               onlZR+Fuz6m85U+rok7hkJTsrYVWOQKf84CmHna+mqZH7Lpr5nKWR95TkTWcbQIDAQAB";
    for digest in ["md5", "sha1", "sha256", "sha512"] {
        let refused = ready(&format!("rsa-pkcs1-{digest}"), "spki_base64", key.as_bytes()).err().unwrap();
        assert!(refused.contains("1024 to 8192 bits"), "{refused}");
    }
}

/// RFC 7515, A.2 and A.3.
#[test]
fn of_a_jwk_set_the_keys_of_the_algorithm_are_taken_by_their_ids() {
    let set = r#"{"keys":[
        {"kty":"RSA","kid":"r","use":"sig","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
        {"kty":"EC","kid":"e","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
        {"kty":"EC","kid":"other curve","crv":"P-384","x":"AA","y":"AA"},
        {"kty":"oct","kid":"shared","k":"c2VjcmV0"},
        {"kty":"OKP","kid":"encrypts","use":"enc","crv":"Ed25519","x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"},
        {"kid":"nothing"}, 7
    ]}"#;
    let ids = |name: &str| -> Result<Vec<Option<String>>, String> {
        let key = KeyText { form: "jwks", text: set.as_bytes(), user_id: "" };
        Ok(prepare(named(name).unwrap(), &key)?.into_iter().map(|key| key.id).collect())
    };
    assert_eq!(ids("rsa-pkcs1-sha256").unwrap(), [Some("r".into())]);
    assert_eq!(ids("ecdsa-p256-sha256").unwrap(), [Some("e".into())]);
    assert_eq!(ids("hmac-sha256").unwrap(), [Some("shared".into())]);
    assert!(ids("ed25519").unwrap_err().contains("ed25519"));
    let claims = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = crate::provider::filter::lenient_base64(
        b"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        &base64::alphabet::URL_SAFE,
    );
    let scheme = ready("rsa-pkcs1-sha256", "jwks", set.as_bytes()).unwrap();
    assert!(holds(scheme.as_ref(), format!("eyJhbGciOiJSUzI1NiJ9.{claims}").as_bytes(), &signature.unwrap()));
}

#[test]
fn a_pem_may_hold_several_certificates_each_under_its_serial_number() {
    let one = include_str!("certificate.pem");
    let pem = format!("Subject: CN = x\n{one}\nanother, the same:\r\n{}", one.replace('\n', "\r\n"));
    let keys =
        |form: &str, name: &str| prepare(named(name).unwrap(), &KeyText { form, text: pem.as_bytes(), user_id: "" });
    let ids: Vec<_> = keys("x509_pem", "ecdsa-p256-sha256").unwrap().into_iter().map(|key| key.id.unwrap()).collect();
    assert_eq!(ids, ["ab12", "ab12"]);
    let why = |form: &str, name: &str| keys(form, name).err().unwrap();
    assert!(why("x509_pem", "rsa-pkcs1-sha256").contains("not an RSA public key"));
    assert!(why("x509_pem", "hmac-sha256").contains("holds no key for hmac-sha256"));
    assert!(why("pem", "ecdsa-p256-sha256").contains("form = \"x509_pem\""));
}

#[test]
fn a_key_that_is_not_one_is_refused_without_being_shown() {
    for name in names().into_iter().filter(|name| named(name).unwrap().key != KeyKind::None) {
        for form in crate::provider::key::KEY_FORMS {
            let public =
                ["pem", "spki_base64", "x509_pem", "ed25519_hex", "ed25519_base64", "sm2", "jwks"].contains(form);
            for text in
                ["not-a-key!", "-----BEGIN PUBLIC KEY-----\nbm90LWEta2V5\n", r#"{"keys":[{"kid":"not-a-key"}]}"#]
            {
                let Err(message) = ready(name, form, text.as_bytes()) else {
                    assert!(!public, "{name} {form} {text}");
                    continue;
                };
                assert!(!message.contains("not-a-key") && !message.contains("bm90"), "{message}");
            }
        }
    }
    assert!(ready("hmac-sha256", "utf8", b"").is_err());
    assert!(ready("static", "utf8", b"").is_err());
}
