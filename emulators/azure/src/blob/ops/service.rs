//! The service as a whole: its properties, and keys of user delegations.

use crate::blob::BlobStorage;
use crate::blob::call::Call;
use crate::blob::wire::{self, element};
use crate::storage::answer::{date, empty, set, xml};
use crate::storage::fault::{Fault, code};
use crate::storage::sas::{self, Service};
use crate::storage::{policy, properties};
use axum::response::Response;
use http::{StatusCode, header::AUTHORIZATION};

/// Longest life of a user delegation key, in microseconds.
const WEEK: i64 = 7 * 24 * 60 * 60 * 1_000_000;

impl BlobStorage {
    pub(super) fn service_properties(&self, call: &Call) -> Response {
        let scope = self.accounts.scope(&call.account);
        xml(StatusCode::OK, &properties::of(&self.objects, &scope, Service::Blob))
    }

    pub(super) fn set_service_properties(&self, call: &Call, body: &[u8]) -> Result<Response, Fault> {
        properties::set(&self.objects, &self.accounts.scope(&call.account), Service::Blob, body)?;
        Ok(empty(StatusCode::ACCEPTED))
    }

    /// The key follows from what it says of itself, so that nothing needs to be remembered.
    pub(super) fn user_delegation_key(&self, call: &Call, body: &[u8]) -> Result<Response, Fault> {
        let asked = wire::key_info(body)?;
        let start = if asked.start.is_empty() { Some(call.now) } else { policy::time(&asked.start) };
        let (Some(start), Some(expiry)) = (start, policy::time(&asked.expiry)) else {
            return Err(code::InvalidXmlNodeValue.into());
        };
        if expiry <= start || expiry.0 - call.now.0 > WEEK {
            return Err(code::InvalidXmlNodeValue.into());
        }
        let spelled = |at: mlemu_core::Timestamp| {
            jiff::Timestamp::from_second(at.0.div_euclid(1_000_000)).unwrap_or_default().to_string()
        };
        let version = call.header("x-ms-version").unwrap_or("2026-10-06").to_owned();
        let (who, tenant) = who(call.header(AUTHORIZATION.as_str()));
        let said = |name: &str| match name {
            "skoid" => who.clone(),
            "sktid" => tenant.clone(),
            "skt" => spelled(start),
            "ske" => spelled(expiry),
            "sks" => "b".to_owned(),
            _ => version.clone(),
        };
        let value =
            sas::delegation_key(&self.accounts.key(&call.account), &said).ok_or(code::InternalError)?;
        let names = [
            ("SignedOid", "skoid"),
            ("SignedTid", "sktid"),
            ("SignedStart", "skt"),
            ("SignedExpiry", "ske"),
            ("SignedService", "sks"),
            ("SignedVersion", "skv"),
        ];
        let inner: String = names.iter().map(|(name, by)| element(name, &said(by))).collect();
        let text = format!("<UserDelegationKey>{inner}{}</UserDelegationKey>", element("Value", &value));
        Ok(xml(StatusCode::OK, &text))
    }
}

/// Object and tenant of a token, where it tells them.
fn who(authorization: Option<&str>) -> (String, String) {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = authorization
        .and_then(|said| said.strip_prefix("Bearer "))
        .and_then(|token| token.split('.').nth(1))
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())
        .and_then(|claims| serde_json::from_slice::<serde_json::Value>(&claims).ok())
        .unwrap_or_default();
    let nobody = "00000000-0000-0000-0000-000000000000";
    let claim = |name: &str| claims[name].as_str().unwrap_or(nobody).to_owned();
    (claim("oid"), claim("tid"))
}

pub(super) fn service_stats(call: &Call) -> Response {
    let inner = element("Status", "live") + &element("LastSyncTime", &date(call.now));
    let text = format!("<StorageServiceStats><GeoReplication>{inner}</GeoReplication></StorageServiceStats>");
    xml(StatusCode::OK, &text)
}

pub(super) fn account_information() -> Response {
    let mut response = empty(StatusCode::OK);
    set(&mut response, "x-ms-sku-name", "Standard_RAGRS");
    set(&mut response, "x-ms-account-kind", "StorageV2");
    set(&mut response, "x-ms-is-hns-enabled", "false");
    response
}
