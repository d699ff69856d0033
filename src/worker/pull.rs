//! Lambda's Runtime API, from the side of the runtime.
//!
//! Source: AWS Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes".

use super::envelope;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use mlemu_onnx::{Fault, Model};
use serde_json::json;

const REQUEST_ID: &str = "lambda-runtime-aws-request-id";
const ERROR_KIND: &str = "lambda-runtime-function-error-type";

struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Begin of every path.
    root: String,
}

/// Until the other side is gone, or the model could not be loaded.
pub(super) async fn serve(address: &str, model: Result<Model, Fault>) -> Result<(), String> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let api = Api { client, root: format!("http://{address}/2018-06-01/runtime/") };
    let mut model = match model {
        Ok(model) => model,
        Err(fault) => {
            api.tell("init/error", &fault).await?;
            return Err(fault.to_string());
        }
    };
    loop {
        let next = api.ask(Method::GET, "invocation/next", Bytes::new(), None).await?;
        let id =
            next.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let body = next.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        match envelope::read(body).await.answer(&mut model) {
            Ok(answer) => {
                let path = format!("invocation/{id}/response");
                api.ask(Method::POST, &path, answer.to_string().into(), None).await.map(drop)?;
            }
            Err(fault) => api.tell(&format!("invocation/{id}/error"), &fault).await?,
        }
    }
}

impl Api {
    async fn tell(&self, path: &str, fault: &Fault) -> Result<(), String> {
        let body = json!({ "errorMessage": fault.to_string(), "errorType": fault.kind() });
        self.ask(Method::POST, path, body.to_string().into(), Some(fault.kind())).await.map(drop)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        kind: Option<&'static str>,
    ) -> Result<Response<Incoming>, String> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.root));
        let request = request.header(header::CONTENT_TYPE, "application/json").body(Full::new(body));
        let mut request = request.map_err(|error| error.to_string())?;
        if let Some(kind) = kind {
            request.headers_mut().insert(ERROR_KIND, HeaderValue::from_static(kind));
        }
        self.client.request(request).await.map_err(|error| error.to_string())
    }
}
