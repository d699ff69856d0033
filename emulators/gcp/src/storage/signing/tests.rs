//! Signatures against URLs that the vendor's own client signed.

use super::*;
use http::Request;
use http::request::Parts;

const MODULUS: &str = "92e760aa55e6014090f6d204dfa4f4ceff7dc1e7087e6614f53365ba96f41ac712e8203c592a81515b3caa3dea2497eb64d4e9feeae9190fb227b1c289c67a1168054cb13dcb86e6c5f89fdbeb65d101a74d6e65fa8e53e36204787e993e5ab700a125ad67dbbe53452391f04a961a851e8f87a6a7b1c9190a66a865381aedf12d4affaa687467964c8ecbf18a6f302a27214e4470aa798132decba35413e1b258662a1c84b87298af43a4b6b0f45c5fbcc407ee5d110490b105e5bbef5dc881e37b4f6292dcd27e173da46569acc2ff6000df267f63cdbca3097048bbd1e4f168e1a29a49a45f8b6d7797e74c17e787ec88ba95e476c39bf88a8625ddf4fbeb";
/// With a content type, an own header with blanks, and parameters that must be encoded.
const FOURTH: &str = "/pics/a%20b/%C3%A9.txt?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=signer%40demo-p.iam.gserviceaccount.com%2F20260102%2Fauto%2Fstorage%2Fgoog4_request&X-Goog-Date=20260102T030405Z&X-Goog-Expires=600&X-Goog-SignedHeaders=content-type%3Bhost%3Bx-goog-meta-a&generation=7&x=a%20b%26c%2Fd&X-Goog-Signature=2df176c3bd02aaad305b65e4b9653b185524246fb658c1cf577e242f609a6f91e9514e36267a39bcc5783d374491a8f6eda7a9ffbcd245667aaaa2c8dd2787cd5da5b53e0fc50b9c320e9860496019906ef5a0f6e4fe94571e568c6bd5d522b2c29547a82a0555cb6310f2f9efa88a7b6ca26d3be22f1515f7c294964128230348c4d1d65f37b57c5750bb15143445c423739bd1d91609d5a51977b6e519d8bffda221b864b7e225b4c8aa3b4a4cd04a93ef74ae4e9ad2ba34c0e5fec3b2c7e7ce49a0d2a3a491f3627a4c10808ec9ab8f7dcb1ac9c19be07cc053d3b165d3dde5fa145dc4b1967d188915ab83618d0c4876c89f26b6bab2be821093336d0a58";
const SECOND: &str = "/pics/a.txt?Expires=1767323645&GoogleAccessId=signer%40demo-p.iam.gserviceaccount.com&Signature=XpXDoiukGb%2BiYO8rA3%2BZIgqKN%2B2Q8Mwoe7fHaEOhsvp6mToxyc%2FHf%2BnxCa2X%2B5RYt5163xxk1VVwLpmzz86vaxsfOcYhagb8IPtd302ej3lbEZMYPPsNW8PdmmhxdCLKcQBC41493aBOpLeT0UHfz94%2BSfk3jrf1HlduPB2tX8oLOZP3nJ0fU4TXKegfS%2BOw3p8QXKU9PrJud%2FiUCEVqDwKc92iIe49E0ZreIaUg0gtaxcJjhwe%2BilbmAtH27AIkRp5aEOTHQr3JMnbTon49p3nXC3WE8oDmhAUmQ2pL51F9OmtF0dcm%2FdIRmyQK6dOXat%2Bfzyex6vdx%2FMUq8jQR1Q%3D%3D";
const NO_HMAC: fn(&str) -> Option<String> = |_| None;

fn account() -> Account {
    Account::of("signer@demo-p.iam.gserviceaccount.com", &unhex(MODULUS).unwrap())
}

fn parts(method: &str, uri: &str) -> Parts {
    let request = Request::builder().method(method).uri(uri).header("host", "127.0.0.1:8085");
    request
        .header("content-type", "text/plain")
        .header("x-goog-meta-a", " x   y ")
        .body(())
        .unwrap()
        .into_parts()
        .0
}

fn at(text: &str) -> Timestamp {
    moment(text).unwrap()
}

/// The status and the code of a refusal.
fn said(method: &str, uri: &str, now: &str, keys: &Keys<'_>) -> String {
    let parts = parts(method, uri);
    match check(&parts, parts.uri.path(), at(now), keys) {
        Ok(signed) => signed.to_string(),
        Err(fault) => format!("{} {}", fault.status.as_u16(), fault.reason),
    }
}

#[test]
fn what_the_vendors_client_signed_holds_until_it_ends() {
    let account = account();
    let keys = Keys { account: Some(&account), hmac: &NO_HMAC, strict: true };
    let fourth = |method: &str, now: &str| said(method, FOURTH, now, &keys);
    assert_eq!(fourth("PUT", "20260102T030405Z"), "true");
    assert_eq!(fourth("PUT", "20260102T031404Z"), "true");
    assert_eq!(fourth("PUT", "20260102T031405Z"), "400 ExpiredToken");
    assert_eq!(fourth("PUT", "20260102T020405Z"), "403 AccessDenied");
    assert_eq!(fourth("GET", "20260102T030405Z"), "403 SignatureDoesNotMatch");
    let other = FOURTH.replace("generation=7", "generation=8");
    assert_eq!(said("PUT", &other, "20260102T030405Z", &keys), "403 SignatureDoesNotMatch");
    let forged = FOURTH.replace("Signature=2df1", "Signature=2df2");
    assert_eq!(said("PUT", &forged, "20260102T030405Z", &keys), "403 SignatureDoesNotMatch");
    assert_eq!(said("GET", SECOND, "20260102T030405Z", &keys), "true");
    assert_eq!(said("PUT", SECOND, "20260102T030405Z", &keys), "403 SignatureDoesNotMatch");
    assert_eq!(said("GET", SECOND, "20260102T031405Z", &keys), "400 ExpiredToken");
    assert_eq!(said("GET", "/pics/a.txt", "20260102T031405Z", &keys), "false");
}

#[test]
fn keys_that_nobody_knows_count_when_nobody_is_strict() {
    let keys = |strict| Keys { account: None, hmac: &NO_HMAC, strict };
    assert_eq!(said("PUT", FOURTH, "20260102T030405Z", &keys(false)), "true");
    assert_eq!(said("PUT", FOURTH, "20260102T030405Z", &keys(true)), "403 AccessDenied");
    assert_eq!(said("PUT", FOURTH, "20260102T041405Z", &keys(false)), "400 ExpiredToken");
}

#[test]
fn malformed_queries_are_refused() {
    let keys = Keys { account: None, hmac: &NO_HMAC, strict: false };
    for (from, to, code) in [
        ("GOOG4-RSA-SHA256", "MD5", "400 InvalidArgument"),
        ("20260102T030405Z", "yesterday", "400 InvalidArgument"),
        ("Expires=600", "Expires=604801", "400 InvalidArgument"),
        ("Expires=600", "Expires=-1", "400 InvalidArgument"),
        ("%2F20260102%2F", "%2F20260103%2F", "400 InvalidArgument"),
        ("goog4_request", "aws4_request", "400 InvalidArgument"),
        ("Signature=2d", "Signature=zz", "400 InvalidArgument"),
        ("host%3B", "", "400 InvalidArgument"),
        ("x-goog-meta-a", "x-goog-meta-b", "400 MalformedSecurityHeader"),
        ("X-Goog-Expires=600", "", "400 InvalidArgument"),
    ] {
        let uri = FOURTH.replacen(from, to, 1);
        assert_eq!(said("PUT", &uri, "20260102T030405Z", &keys), code, "{from} -> {to}");
    }
}

#[test]
fn keys_made_here_sign_too() {
    let hmac = |id: &str| (id == "GOOG1").then(|| "secret".to_owned());
    let keys = Keys { account: None, hmac: &hmac, strict: true };
    let scope = "20260102/auto/storage/goog4_request";
    let query = format!(
        "X-Goog-Algorithm=GOOG4-HMAC-SHA256&X-Goog-Credential=GOOG1%2F{}&X-Goog-Date=20260102T030405Z&X-Goog-Expires=60&X-Goog-SignedHeaders=host",
        scope.replace('/', "%2F")
    );
    // One of the vendor's own clients signs the host without its port.
    let canonical = format!("GET\n/pics/a\n{query}\nhost:127.0.0.1\n\nhost\nUNSIGNED-PAYLOAD");
    let text = format!("GOOG4-HMAC-SHA256\n20260102T030405Z\n{scope}\n{}", sha256(canonical.as_bytes()));
    let key = scope.split('/').fold(b"GOOG4secret".to_vec(), |key, part| mac(&key, part.as_bytes()));
    let uri = format!("/pics/a?{query}&X-Goog-Signature={}", hex(&mac(&key, text.as_bytes())));
    assert_eq!(said("GET", &uri, "20260102T030405Z", &keys), "true");
    assert_eq!(
        said("GET", &uri.replace("/pics/a?", "/pics/b?"), "20260102T030405Z", &keys),
        "403 SignatureDoesNotMatch"
    );
}

#[test]
fn policies_of_forms_say_what_may_come() {
    use base64::Engine as _;
    let keys = Keys { account: None, hmac: &NO_HMAC, strict: false };
    let now = at("20260102T030405Z");
    let checked = |policy: &str, more: &[(&str, &str)]| {
        let policy = base64::engine::general_purpose::STANDARD.encode(policy);
        let mut fields: form::Fields = [
            ("bucket", "pics"),
            ("key", "in/a"),
            ("policy", &policy),
            ("x-goog-date", "20260102T030405Z"),
            ("x-goog-credential", "a@b/20260102/auto/storage/goog4_request"),
            ("x-goog-algorithm", "GOOG4-RSA-SHA256"),
            ("x-goog-signature", "00"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        form::check(&fields, now, &keys)
            .map_err(|fault| format!("{} {}", fault.status.as_u16(), fault.reason))
    };
    let policy = |conditions: &str| {
        format!(
            r#"{{"expiration":"2026-01-02T04:00:00Z","conditions":[{conditions},["starts-with","$x-goog-date",""],["starts-with","$x-goog-credential",""],["starts-with","$x-goog-algorithm",""]]}}"#
        )
    };
    let usual = r#"{"bucket":"pics"},["starts-with","$key","in/"]"#;
    assert_eq!(checked(&policy(usual), &[]), Ok(None));
    let length = format!(r#"{usual},["content-length-range",1,"9"]"#);
    assert_eq!(checked(&policy(&length), &[]), Ok(Some((1, 9))));
    let refused = Err("403 AccessDenied".to_owned());
    assert_eq!(checked(&policy(usual), &[("key", "out/a")]), refused);
    assert_eq!(
        checked(&policy(usual), &[("acl", "public-read")]),
        refused,
        "a field that the policy does not know"
    );
    assert_eq!(checked(&policy(usual), &[("x-ignore-me", "1")]), Ok(None));
    assert_eq!(checked(&policy(r#"["explode","$key","a"],{"bucket":"pics"}"#), &[]), refused);
    let ended = policy(usual).replace("2026-01-02T04", "2026-01-02T03:00:00Z");
    assert_eq!(checked(&ended.replace("Z:00:00Z", "Z"), &[]), Err("400 ExpiredToken".to_owned()));
    for wrong in ["", "{}", "[]", r#"{"expiration":"soon","conditions":[]}"#] {
        assert_eq!(checked(wrong, &[]), Err("400 InvalidArgument".to_owned()), "{wrong}");
    }
}
