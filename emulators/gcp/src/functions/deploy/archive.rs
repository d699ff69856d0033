//! The code of a deployment: uploaded to an address that is asked for first, or an object of some bucket.
//!
//! Uploads go into a bucket of the project, as the vendor does it.

use super::Deployments;
use crate::functions::fault::Fault;
use crate::place::Place;
use axum::body::Body;
use futures_util::StreamExt;
use mlemu_core::occurrence::Created;
use mlemu_core::{Build, Cause, PackageFault, Unpacked};
use mlemu_engine::objects::{Attributes, BucketId, ChecksumKind, Content, Fault as Core, NewObject, Origin};
use serde_json::{Value, json};

/// Where uploads are sent.
pub(crate) const UPLOADS: &str = "/functions/uploads/";
/// Largest archive, in bytes: the first generation's quota, which is the only one.
const LARGEST: u64 = 100 * 1024 * 1024;
/// Most that its files may take together, in bytes.
const LARGEST_OPENED: u64 = 500 * 1024 * 1024;

impl From<Core> for Fault {
    fn from(fault: Core) -> Self {
        match fault {
            Core::NoObject { .. } | Core::NoBucket { .. } => Fault::not_found(fault.to_string()),
            _ => Fault::invalid(fault.to_string()),
        }
    }
}

fn bucket_name(place: &Place) -> String {
    format!("gcf-v2-uploads-{}-{}", place.project(), place.region())
}

impl Deployments {
    /// An address to upload to and the source that it stands for. `base`: where the client reaches this listener.
    pub(crate) fn upload_url(&self, place: &Place, base: &str) -> Value {
        let name = format!("{}.zip", self.objects.ids().fresh("upload").hex());
        let source = json!({ "bucket": bucket_name(place), "object": name });
        json!({ "uploadUrl": format!("{base}{UPLOADS}{name}"), "storageSource": source })
    }

    /// The source that an upload address stands for.
    pub(crate) fn uploaded(place: &Place, url: &str) -> Option<Value> {
        let (_, name) = url.rsplit_once(UPLOADS)?;
        Some(json!({ "bucket": bucket_name(place), "object": name }))
    }

    /// Takes an upload in.
    pub(crate) async fn upload(&self, place: &Place, name: &str, body: Body) -> Result<(), Fault> {
        let broken = |_| Fault::invalid("The request's body broke off.");
        let chunks = body.into_data_stream().map(|chunk| chunk.map_err(broken));
        let content: Content =
            self.objects.receive::<_, Fault>(chunks, &[ChecksumKind::Crc32c], LARGEST).await?;
        let bucket = BucketId::new(&place.scope, &bucket_name(place));
        // It is there from the second upload on.
        let _ = self.objects.create_bucket(&place.scope, bucket.name());
        let mut attributes = Attributes::default();
        attributes.headers.insert("contentType", "application/zip".into());
        let origin = Origin { cause: Cause::Mlemu, source_ip: "127.0.0.1".into(), request_id: String::new() };
        let new = NewObject { key: name.into(), content, attributes, how: Created::Put, origin };
        self.objects.put(&bucket, new, |_| Ok::<_, Fault>(()))?;
        Ok(())
    }

    /// Opens the archive that a `storageSource` names.
    pub(crate) async fn open(
        &self,
        place: &Place,
        source: &Value,
        build: &dyn Build,
    ) -> Result<Unpacked, Fault> {
        let text = |key: &str| source[key].as_str().unwrap_or_default();
        let (bucket, object) = (text("bucket"), text("object"));
        if bucket.is_empty() || object.is_empty() {
            let what = "a storageSource of a bucket and an object";
            return Err(Fault::invalid(format!("The function's code is missing: mlemu takes {what}")));
        }
        let found = self.objects.get(&BucketId::new(&place.scope, bucket), object);
        let found = found.map_err(|_| Fault::not_found(format!("gs://{bucket}/{object} does not exist")))?;
        let bytes = found.content.body.bytes().await.map_err(|error| Fault::invalid(error.to_string()))?;
        let opened = build.unpack(bytes, LARGEST_OPENED).await;
        opened.map_err(|fault: PackageFault| Fault::invalid(format!("gs://{bucket}/{object}: {fault}")))
    }
}
