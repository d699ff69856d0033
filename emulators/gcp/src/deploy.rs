//! Deploying by API: a function is built, then declared like one of the project, while its operation is asked after.

use crate::Gcp;
use crate::functions::deploy::operations::{Operation, Verb};
use crate::functions::deploy::{All, Deployed, document, first, mask};
use crate::functions::fault::{Fault, json as answered};
use crate::functions::routes::{Admin, Version};
use crate::neighbours;
use crate::pubsub::wire::known::rfc3339;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use mlemu_core::declare::FunctionDeclaration;
use mlemu_core::{Sink, Subject, What};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Largest document of a function, in bytes.
const DOCUMENT: usize = 1024 * 1024;
/// What can run here, as `runtimes.list` shows it.
const RUNTIMES: [(&str, &str); 10] = [
    ("python39", "Python 3.9"),
    ("python310", "Python 3.10"),
    ("python311", "Python 3.11"),
    ("python312", "Python 3.12"),
    ("python313", "Python 3.13"),
    ("python314", "Python 3.14"),
    ("nodejs18", "Node.js 18"),
    ("nodejs20", "Node.js 20"),
    ("nodejs22", "Node.js 22"),
    ("nodejs24", "Node.js 24"),
];

/// A change that is about to be made.
struct Change {
    version: Version,
    verb: Verb,
    name: String,
    document: Value,
    folder: PathBuf,
}

impl Gcp {
    /// The API of functions, v1 and v2.
    pub(crate) async fn administer(&self, admin: Admin, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let said = match admin {
            Admin::Create { version } => self.create(version, &parts, body).await,
            Admin::Update { version, function } => self.update(version, &function, &parts, body).await,
            Admin::Delete { version, function } => self.delete(version, &function),
            Admin::Operations { version } => Ok(self.functions.deployments.operations.shown(version)),
            Admin::Operation { id } => self.operation(&id),
            Admin::UploadUrl { version } => Ok(self.upload_url(version, &parts)),
            Admin::Upload { name } => self.upload(&name, body).await,
            Admin::DownloadUrl { function } => self.download_url(&function, &parts),
            Admin::Runtimes => Ok(runtimes()),
            // Everybody may do everything here.
            Admin::Policy => Ok(neighbours::policy()),
            other => return self.functions.administer(other, Request::from_parts(parts, body)).await,
        };
        said.map_or_else(|fault| fault.response(), |document| answered(StatusCode::OK, &document))
    }

    async fn create(&self, version: Version, parts: &Parts, body: Body) -> Result<Value, Fault> {
        let said = read(body).await?;
        let named = said["name"].as_str().map(|name| name.rsplit('/').next().unwrap_or(name).to_owned());
        let named = query(parts, "functionId").or(named).unwrap_or_default();
        let document = self.in_second(version, said)?;
        let name = document::checked_name(&named, document::is_first(&document))?.to_owned();
        if self.functions.entry(&name).is_some() {
            let whole = self.functions.whole_name(&name);
            return Err(Fault::exists(format!(
                "Could not create Cloud Function {whole}. A function with this name already exists"
            )));
        }
        let folder = self.code(&document).await?;
        self.begin(Change { version, verb: Verb::Create, name, document, folder })
    }

    async fn update(&self, version: Version, name: &str, parts: &Parts, body: Body) -> Result<Value, Fault> {
        let entry = self.functions.entry(name).ok_or_else(|| self.functions.no_function(name))?;
        let said = read(body).await?;
        let mask = query(parts, "updateMask").unwrap_or_default();
        let old = self.functions.describe(version, name)?;
        let fresh = mask::laid_over(&old, &said, &mask);
        let mut document = self.in_second(version, fresh)?;
        document["createTime"] = old["createTime"].clone();
        let source = &document["buildConfig"]["source"]["storageSource"];
        let known = self.functions.deployments.known().get(name).cloned();
        let same = known
            .as_ref()
            .is_some_and(|known| known.document["buildConfig"]["source"]["storageSource"] == *source);
        let revision = self.engine.function(&entry.id).map(|view| view.latest);
        let folder = match (known, revision) {
            (Some(known), _) if same || source.is_null() => known.folder,
            (None, Some(revision)) if source.is_null() => revision.source.folder().to_owned(),
            _ => self.code(&document).await?,
        };
        self.begin(Change { version, verb: Verb::Update, name: name.to_owned(), document, folder })
    }

    fn delete(&self, version: Version, name: &str) -> Result<Value, Fault> {
        let entry = self.functions.entry(name).ok_or_else(|| self.functions.no_function(name))?;
        let operations = &self.functions.deployments.operations;
        let key = operations.begin(self.operation_on(version, Verb::Delete, name))?;
        self.withdraw(&entry.id);
        self.functions.deployments.known().remove(name);
        operations.end(key, self.now(), Ok(Value::Null));
        Ok(operations.get(key).map(|operation| operation.shown()).unwrap_or_default())
    }

    /// Checks a change and starts to make it.
    fn begin(&self, change: Change) -> Result<Value, Fault> {
        let declared = document::declaration(&change.name, &change.document, &change.folder)?;
        let operations = &self.functions.deployments.operations;
        let operation = self.operation_on(change.version, change.verb, &change.name);
        let shown = operation.shown();
        let key = operations.begin(operation)?;
        let this = self.this.clone();
        tokio::spawn(async move {
            let Some(gcp) = this.upgrade() else { return };
            let made = gcp.make(&declared, change).await;
            gcp.functions.deployments.operations.end(key, gcp.now(), made);
        });
        Ok(shown)
    }

    /// The function as it shows once it is made.
    async fn make(&self, declared: &FunctionDeclaration, change: Change) -> Result<Value, Fault> {
        let Change { version, name, mut document, folder, .. } = change;
        self.functions.build(declared).await?;
        let now = self.now();
        if document["createTime"].is_null() {
            document["createTime"] = now.as_str().into();
        }
        document["updateTime"] = now.into();
        self.declare_watched(declared, false).map_err(Fault::invalid)?;
        self.functions.deployments.known().insert(name.clone(), Deployed { document, folder });
        self.functions.describe(version, &name)
    }

    /// Makes real what is deployed and was not, or was otherwise; and takes away what is not deployed any more.
    pub(crate) fn redeploy(&self, were: &All) {
        let now = self.functions.deployments.known().clone();
        for name in were.keys().filter(|name| !now.contains_key(*name)) {
            if let Some(entry) = self.functions.entry(name) {
                self.withdraw(&entry.id);
            }
        }
        for (name, deployed) in &now {
            if were.get(name) == Some(deployed) && self.functions.entry(name).is_some() {
                continue;
            }
            let declared = document::declaration(name, &deployed.document, &deployed.folder);
            let made = declared
                .map_err(|fault| fault.message)
                .and_then(|declared| self.declare_watched(&declared, false));
            if let Err(why) = made {
                let text = format!("`{name}`, which was deployed before, is not there: {why}");
                let parts = self.engine.parts();
                parts.journal.send(parts.clock.now(), Subject::default(), What::Warning { text });
            }
        }
    }

    fn in_second(&self, version: Version, said: Value) -> Result<Value, Fault> {
        match version {
            Version::One => first::to_second(&self.place, &said),
            Version::Two => Ok(said),
        }
    }

    async fn code(&self, document: &Value) -> Result<PathBuf, Fault> {
        let source = &document["buildConfig"]["source"]["storageSource"];
        let build = self.engine.parts().build.clone();
        let opened = self.functions.deployments.open(&self.place, source, &*build).await?;
        Ok(opened.folder)
    }

    fn operation(&self, id: &str) -> Result<Value, Fault> {
        let known = self.functions.deployments.operations.named(id);
        known
            .map(|known| known.shown())
            .ok_or_else(|| Fault::not_found(format!("Operation {id} was not found")))
    }

    fn operation_on(&self, version: Version, verb: Verb, name: &str) -> Operation {
        let id = self.engine.ids().fresh("operation").hex();
        let target = self.functions.whole_name(name);
        Operation { id, version, verb, target, begun: self.now(), ended: None }
    }

    fn upload_url(&self, version: Version, parts: &Parts) -> Value {
        let mut said = self.functions.deployments.upload_url(&self.place, &self.base(parts));
        if let (Version::One, Some(said)) = (version, said.as_object_mut()) {
            said.remove("storageSource");
        }
        said
    }

    async fn upload(&self, name: &str, body: Body) -> Result<Value, Fault> {
        self.functions.deployments.upload(&self.place, name, body).await?;
        Ok(json!({}))
    }

    fn download_url(&self, name: &str, parts: &Parts) -> Result<Value, Fault> {
        let known = self.functions.deployments.known().get(name).cloned();
        let known = known.ok_or_else(|| self.functions.no_function(name))?;
        let source = &known.document["buildConfig"]["source"]["storageSource"];
        let text = |key: &str| source[key].as_str().unwrap_or_default().to_owned();
        let object =
            percent_encoding::utf8_percent_encode(&text("object"), percent_encoding::NON_ALPHANUMERIC)
                .to_string();
        let url = format!("{}/storage/v1/b/{}/o/{object}?alt=media", self.base(parts), text("bucket"));
        Ok(json!({ "downloadUrl": url }))
    }

    /// Where this client reaches us.
    fn base(&self, parts: &Parts) -> String {
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let prefix = self.place.prefix();
        host.map_or_else(|| self.place.base(), |host| format!("http://{host}{prefix}"))
    }

    fn now(&self) -> String {
        rfc3339(self.engine.parts().clock.now())
    }
}

fn runtimes() -> Value {
    let both = |(name, shown): &(&str, &str)| {
        ["GEN_1", "GEN_2"].map(|environment| {
            json!({ "name": name, "displayName": shown, "stage": "GA", "environment": environment })
        })
    };
    json!({ "runtimes": RUNTIMES.iter().flat_map(both).collect::<Vec<_>>() })
}

async fn read(body: Body) -> Result<Value, Fault> {
    let bytes = Limited::new(body, DOCUMENT).collect().await;
    let bytes = bytes.map_err(|error| Fault::invalid(error.to_string()))?.to_bytes();
    let document: serde_json::Map<_, _> = serde_json::from_slice(&bytes)
        .map_err(|error| Fault::invalid(format!("Invalid JSON payload received. {error}")))?;
    Ok(Value::Object(document))
}

fn query(parts: &Parts, name: &str) -> Option<String> {
    let pairs = parts.uri.query()?.split('&');
    let value = pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?.1;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}
