//! Uploads by HTML forms (POST object), with their policies.
//!
//! Follows "POST Object" of the Amazon S3 API reference.

use crate::auth;
use crate::s3::acl::Permission;
use crate::s3::call::Call;
use crate::s3::checksum::Claim;
use crate::s3::encode::{self, Answer};
use crate::s3::fault::{Code, Fault};
use crate::s3::policy::Policy;
use crate::s3::sip::{Gate, Sips};
use crate::s3::{Front, access, address, admission, decode, payload, versions, wire};
use axum::body::Body;
use futures_util::TryStreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use mlemu_core::Scope;
use mlemu_core::occurrence::Created;
use mlemu_engine::objects::{BucketId, NewObject, Object};
use multer::{Field, Multipart};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All fields before the file together, in bytes.
const FIELDS: usize = 20_480;

/// The fields before the file, by their names in lower case.
struct Form {
    fields: BTreeMap<String, String>,
    file_name: String,
}

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// The key that the form asks for; `${filename}` stands for the file's own name.
    fn key(&self) -> Result<String, Fault> {
        let missing = "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.";
        let key = self
            .get("key")
            .filter(|key| !key.is_empty())
            .ok_or_else(|| Fault::argument("key", "", missing))?;
        let key = key.replace("${filename}", &self.file_name);
        address::check_key(&key)?;
        Ok(key)
    }

    /// The fields that say something about the object are named like headers.
    fn headers(&self) -> HeaderMap {
        let header = |(name, value): (&String, &String)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        };
        self.fields.iter().filter(|(name, _)| *name != "tagging").filter_map(header).collect()
    }
}

pub(in crate::s3) async fn post(front: &Front, call: &Call, body: Body) -> Answer {
    let boundary = call.header("content-type").and_then(|value| multer::parse_boundary(value).ok());
    let boundary = boundary.ok_or_else(|| {
        Fault::because(
            Code::MalformedPOSTRequest,
            "The body of your POST request is not well-formed multipart/form-data.",
        )
    })?;
    let gate = Gate::default();
    let sips = Sips::new(body.into_data_stream().map_err(payload::broken), gate.clone());
    let mut multipart = Multipart::new(sips.map_err(std::io::Error::other), boundary);
    let (form, file) = read(&mut multipart).await?;
    gate.open();
    let mut fields = form.fields.clone();
    fields.insert("bucket".into(), call.bucket.clone());
    fields.insert("key".into(), form.key()?);
    let limits = check(front, &form, &fields)?;
    let sender = sender(front, &form);
    let scope = if front.parts.settings.strict_auth { call.scope.clone() } else { sender.clone() };
    let bucket = BucketId::new(&scope, &call.bucket);
    let view = front.objects().bucket(&bucket)?;
    if front.parts.settings.strict_auth {
        let requester = form.get("policy").map(|_| &*sender.account);
        access::check_bucket(requester, &view, Permission::Write)?;
    }
    let (least, most) = limits.unwrap_or((0, payload::LARGEST));
    let headers = form.headers();
    let claim = Claim::of(&headers)?;
    let mut attributes = super::put::attributes(front, &view, call, &headers)?;
    if let Some(tagging) = form.get("tagging") {
        attributes.tags = decode::tags_of_document(decode::xml("Tagging", tagging.as_bytes())?)?;
    }
    let content = payload::receive_file(front, file.map_err(broken), claim, most).await?;
    if content.size() < least {
        return Err(Fault::new(Code::EntityTooSmall)
            .with("ProposedSize", content.size().to_string())
            .with("MinSizeAllowed", least.to_string()));
    }
    let key = fields.remove("key").unwrap_or_default().into();
    let new = NewObject { key, content, attributes, how: Created::Post, origin: call.origin() };
    let object = front.objects().put(&bucket, new, |_| Ok::<_, Fault>(()))?;
    let mut response = answer(call, &form, &object)?;
    versions::tell_made(response.headers_mut(), object.version);
    Ok(response)
}

async fn read<'a>(multipart: &mut Multipart<'a>) -> Result<(Form, Field<'a>), Fault> {
    let mut fields = BTreeMap::new();
    let mut size = 0;
    loop {
        let field = multipart.next_field().await.map_err(broken)?;
        let Some(mut field) = field else {
            return Err(Fault::argument("file", "0", "POST requires exactly one file upload per request."));
        };
        let name = field.name().unwrap_or_default().to_ascii_lowercase();
        if name == "file" {
            let path = field.file_name().unwrap_or_default();
            let file_name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            return Ok((Form { fields, file_name }, field));
        }
        let mut value = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(broken)? {
            size += chunk.len();
            if size > FIELDS {
                return Err(Code::MaxPostPreDataLengthExceededError.into());
            }
            value.extend_from_slice(&chunk);
        }
        let value = String::from_utf8(value).map_err(|_| Code::MalformedPOSTRequest)?;
        fields.insert(name, value);
    }
}

fn broken(error: multer::Error) -> Fault {
    tracing::debug!("a form broke off: {error}");
    let own = match error {
        multer::Error::StreamReadFailed(why) => why.downcast::<std::io::Error>().ok(),
        _ => None,
    };
    let own = own.and_then(|why| why.into_inner()).and_then(|why| why.downcast::<Fault>().ok());
    own.map_or_else(|| Code::MalformedPOSTRequest.into(), |fault| *fault)
}

/// The policy always holds; its signature only counts when signatures are verified.
fn check(front: &Front, form: &Form, fields: &BTreeMap<String, String>) -> Result<Option<(u64, u64)>, Fault> {
    let settings = &front.parts.settings;
    let Some(text) = form.get("policy") else {
        return Ok(None);
    };
    if form.get("signature").or_else(|| form.get("x-amz-signature")).is_none() {
        let message = "Bucket POST must contain a field named 'Signature'.  If it is specified, please check the order of the fields.";
        return Err(Fault::argument("Signature", "", message));
    }
    if settings.strict_auth {
        auth::verify_policy(|name| form.get(name), text, &settings.keys).map_err(admission::refused)?;
    }
    let policy = Policy::parse(text)?;
    policy.check(fields, front.parts.clock.now())?;
    Ok(policy.length())
}

fn sender(front: &Front, form: &Form) -> Arc<Scope> {
    let credential = form.get("x-amz-credential").and_then(|text| text.split('/').next());
    let access_key = credential.or_else(|| form.get("awsaccesskeyid"));
    let account = access_key.and_then(|access_key| front.parts.settings.keys.account(access_key));
    let account = account.unwrap_or(&front.parts.settings.account);
    front.scope_of(account)
}

fn answer(call: &Call, form: &Form, object: &Object) -> Answer {
    let etag = encode::quoted(&object.content.etag);
    let location = call.url_of(&object.key);
    let redirect = form.get("success_action_redirect").or_else(|| form.get("redirect"));
    let mut response = match (redirect, form.get("success_action_status")) {
        (Some(url), _) if url.parse::<http::Uri>().is_ok_and(|url| url.scheme().is_some()) => {
            let mut response = encode::empty(StatusCode::SEE_OTHER);
            encode::set(response.headers_mut(), "location", &redirected(url, call, object));
            response
        }
        (_, Some("201")) => {
            let (bucket, key) = (call.bucket.clone(), object.key.to_string());
            let document = wire::PostResponse { location: location.clone(), bucket, key, etag: etag.clone() };
            let mut response = encode::xml(&document)?;
            *response.status_mut() = StatusCode::CREATED;
            response
        }
        (_, Some("200")) => encode::empty(StatusCode::OK),
        _ => encode::empty(StatusCode::NO_CONTENT),
    };
    let headers = response.headers_mut();
    if !headers.contains_key(http::header::LOCATION) {
        encode::set(headers, "location", &location);
    }
    encode::set(headers, "etag", &etag);
    super::put::encryption(headers, object);
    Ok(response)
}

fn redirected(url: &str, call: &Call, object: &Object) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let joint = if url.contains('?') { '&' } else { '?' };
    let (bucket, key) = (encode(&call.bucket), encode(&object.key));
    format!("{url}{joint}bucket={bucket}&key={key}&etag=%22{}%22", object.content.etag)
}
