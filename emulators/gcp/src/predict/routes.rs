//! What a path is for.

use http::Method;

/// What is wanted of models, endpoints and servers, by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// AI Platform's.
    Models,
    Model(String),
    Versions(String),
    Version(String, String),
    ModelPredict(String, Option<String>),
    /// Vertex AI's; the first is the location.
    Endpoints(String),
    Endpoint(String, String),
    EndpointPredict(String, String),
    Raw(String, String),
    Server(Server),
}

/// What is wanted of a model server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// TensorFlow Serving's `predict`, with a version.
    Predict(String, Option<String>),
    Status(String),
    /// KServe's.
    Infer(String, Option<String>),
    Ready(Option<String>),
    Metadata(String),
    About,
}

impl Wanted {
    /// Whether it is asked by the protocol of a model server.
    pub(super) fn is_of_server(&self) -> bool {
        matches!(self, Wanted::Server(_))
    }
}

pub(super) fn find(method: &Method, path: &str) -> Option<Wanted> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (last, verb) = segments.last()?.split_once(':').unwrap_or((segments.last()?, ""));
    let own = |text: &str| text.to_owned();
    let (get, post) = (method == Method::GET, method == Method::POST);
    let place = &segments[..segments.len() - 1];
    Some(match (place, last, verb) {
        (["v1", "projects", _], "models", "") if get => Wanted::Models,
        (["v1", "projects", _, "models"], name, "") if get => Wanted::Model(own(name)),
        (["v1", "projects", _, "models", name], "versions", "") if get => Wanted::Versions(own(name)),
        (["v1", "projects", _, "models", name, "versions"], version, "") if get => {
            Wanted::Version(own(name), own(version))
        }
        (["v1", "projects", _, "models"], name, "predict") if post => Wanted::ModelPredict(own(name), None),
        (["v1", "projects", _, "models", name, "versions"], version, "predict") if post => {
            Wanted::ModelPredict(own(name), Some(own(version)))
        }
        (["v1" | "v1beta1", "projects", _, "locations", location], "endpoints", "") if get => {
            Wanted::Endpoints(own(location))
        }
        (["v1" | "v1beta1", "projects", _, "locations", location, "endpoints"], name, verb) => match verb {
            "" if get => Wanted::Endpoint(own(location), own(name)),
            "predict" if post => Wanted::EndpointPredict(own(location), own(name)),
            "rawPredict" | "streamRawPredict" if post => Wanted::Raw(own(location), own(name)),
            _ => return None,
        },
        _ => return server(method, place, last, verb).map(Wanted::Server),
    })
}

fn server(method: &Method, place: &[&str], last: &str, verb: &str) -> Option<Server> {
    let own = |text: &str| text.to_owned();
    let (get, post) = (method == Method::GET, method == Method::POST);
    Some(match (place, last, verb) {
        (["v1", "models"], name, "predict") if post => Server::Predict(own(name), None),
        (["v1", "models", name, "versions"], version, "predict") if post => {
            Server::Predict(own(name), Some(own(version)))
        }
        (["v1", "models"], name, "") if get => Server::Status(own(name)),
        (["v2", "models", name], "infer", "") if post => Server::Infer(own(name), None),
        (["v2", "models", name, "versions", version], "infer", "") if post => {
            Server::Infer(own(name), Some(own(version)))
        }
        (["v2", "health"], "live" | "ready", "") if get => Server::Ready(None),
        (["v2", "models", name], "ready", "") if get => Server::Ready(Some(own(name))),
        (["v2", "models"], name, "") if get => Server::Metadata(own(name)),
        ([], "v2", "") if get => Server::About,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_all_protocols() {
        let post = |path: &str| find(&Method::POST, path);
        let predict = Wanted::ModelPredict("m".into(), Some("v1".into()));
        assert_eq!(post("/v1/projects/p/models/m/versions/v1:predict"), Some(predict));
        let endpoint = Wanted::EndpointPredict("us-central1".into(), "7".into());
        assert_eq!(post("/v1/projects/p/locations/us-central1/endpoints/7:predict"), Some(endpoint));
        assert_eq!(post("/v1/models/m:predict"), Some(Wanted::Server(Server::Predict("m".into(), None))));
        assert_eq!(post("/v2/models/m/infer"), Some(Wanted::Server(Server::Infer("m".into(), None))));
        assert_eq!(find(&Method::GET, "/v1/projects/p/models"), Some(Wanted::Models));
        for other in [
            "/",
            "/v1/projects/p/topics/t:publish",
            "/v1/projects/p/locations/l/functions/f:call",
            "/v2/projects/p",
            "/p/us-central1/f",
        ] {
            assert_eq!(post(other), None, "{other}");
        }
    }
}
