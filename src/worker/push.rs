//! A server on the port that was given: what Google's and Azure's instances are asked by.

use super::envelope;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use mlemu_onnx::{Fault, Model};
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpSocket;

/// The daemon has refused larger requests already.
const MOST: usize = 128 << 20;
/// How many may wait to be accepted.
const BACKLOG: u32 = 128;

/// Until it is ended.
pub(super) async fn serve(port: u16, model: Model) -> Result<(), String> {
    let model = Arc::new(Mutex::new(model));
    let router = Router::new().fallback(move |request: Request| answer(model.clone(), request));
    let listening = || {
        let socket = TcpSocket::new_v4()?;
        // The daemon keeps the port with a socket of its own until now.
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
        socket.listen(BACKLOG)
    };
    let listener = listening().map_err(|error| format!("port {port}: {error}"))?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        // Without it an answer waits 40 ms for the client's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await.map_err(|error| error.to_string())
}

async fn answer(model: Arc<Mutex<Model>>, request: Request) -> Response {
    let Ok(body) = to_bytes(request.into_body(), MOST).await else {
        return told(StatusCode::BAD_REQUEST, &json!({ "error": "the request broke off" }));
    };
    let letter = envelope::read(body).await;
    // One event at a time: the session is one, and so is the thread.
    let answered = letter.answer(&mut model.lock().unwrap_or_else(PoisonError::into_inner));
    match answered {
        Ok(value) => told(StatusCode::OK, &value),
        Err(fault) => told(status(&fault), &json!({ "error": fault.to_string() })),
    }
}

fn status(fault: &Fault) -> StatusCode {
    if fault.is_callers() { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR }
}

fn told(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
