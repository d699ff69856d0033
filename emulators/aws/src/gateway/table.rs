//! The routes of all declared APIs, and which of them a request means.

use super::cors::Policy;
use super::path::Template;
use mlemu_core::FunctionId;
use mlemu_core::declare::{FunctionDeclaration, HttpForm, TriggerDeclaration};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// One route of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub api: Api,
    /// In upper case; `None`: any.
    pub method: Option<String>,
    pub path: Template,
    pub cors: Option<Policy>,
    pub function: FunctionId,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    pub name: String,
    /// As it would stand in the API's host name.
    pub id: String,
    pub form: HttpForm,
}

/// What the routes make of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Route {
        route: Arc<Route>,
        holes: Vec<(String, String)>,
    },
    /// The gateway itself answers a browser's question.
    Preflight {
        form: HttpForm,
        cors: Policy,
    },
    /// There is such a path, with other methods.
    NoMethod {
        form: HttpForm,
    },
}

#[derive(Debug, Default)]
pub struct Table {
    routes: Vec<Arc<Route>>,
}

impl Table {
    /// The routes of these functions, and of the ones that were there.
    pub fn with(&self, function: &FunctionId, declared: &FunctionDeclaration) -> Self {
        let mut routes: Vec<_> =
            self.routes.iter().filter(|route| route.function != *function).cloned().collect();
        for trigger in &declared.triggers {
            let TriggerDeclaration::Http { api, method, path, form, cors } = trigger else { continue };
            let any = matches!(method.to_ascii_uppercase().as_str(), "ANY" | "*");
            routes.push(Arc::new(Route {
                api: Api { name: api.clone(), id: api_id(api), form: *form },
                method: (!any).then(|| method.to_ascii_uppercase()),
                path: Template::read(path),
                cors: cors.as_ref().map(Policy::from),
                function: function.clone(),
            }));
        }
        // The most specific path first, and of the same path a named method before any.
        routes.sort_by_key(|route| (route.path.rank(), route.method.is_none()));
        Self { routes }
    }

    pub fn without(&self, function: &FunctionId) -> Self {
        let routes = self.routes.iter().filter(|route| route.function != *function).cloned();
        Self { routes: routes.collect() }
    }

    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Whether there is an API of this id, and its form.
    pub fn api(&self, id: &str) -> Option<HttpForm> {
        self.routes.iter().find(|route| route.api.id == id).map(|route| route.api.form)
    }

    /// `api`: only the routes of this API. `asked`: the method that a browser asks leave for.
    pub fn find(&self, api: Option<&str>, method: &str, path: &str, asked: Option<&str>) -> Option<Found> {
        let fitting: Vec<_> = self
            .routes
            .iter()
            .filter(|route| api.is_none_or(|api| route.api.id == api))
            .filter_map(|route| Some((route, route.path.fit(path)?)))
            .collect();
        let routes = || fitting.iter().map(|(route, _)| *route);
        if let Some(found) = preflight(routes, method, asked) {
            return Some(found);
        }
        let first = fitting.first()?.0.clone();
        let chosen = fitting.into_iter().find(|(route, _)| {
            // A REST API first finds the resource and then its method; the other kind takes both together.
            let reachable = route.api.form == HttpForm::Lean
                || route.api.id != first.api.id
                || route.path.text == first.path.text;
            reachable && route.method.as_deref().is_none_or(|have| have == method)
        });
        Some(match chosen {
            Some((route, holes)) => Found::Route { route: route.clone(), holes },
            None => Found::NoMethod { form: first.api.form },
        })
    }
}

fn preflight<'a, I: Iterator<Item = &'a Arc<Route>>>(
    routes: impl Fn() -> I,
    method: &str,
    asked: Option<&str>,
) -> Option<Found> {
    if method != "OPTIONS" {
        return None;
    }
    let own = routes().any(|route| route.method.as_deref() == Some("OPTIONS"));
    let answers = |route: &&Arc<Route>| {
        route.cors.is_some()
            && match route.api.form {
                HttpForm::Lean => asked.is_some(),
                HttpForm::Rest => !own,
            }
    };
    let takes = |route: &&Arc<Route>| route.method.as_deref().is_none_or(|have| Some(have) == asked);
    let route = routes().filter(answers).find(takes).or_else(|| routes().find(answers))?;
    Some(Found::Preflight { form: route.api.form, cors: route.cors.clone()? })
}

/// Ten letters and digits, the same for the same API always.
fn api_id(name: &str) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let digest = Sha256::digest(name);
    digest.iter().take(10).map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{function, http};
    use super::*;
    use mlemu_core::Scope;
    use mlemu_core::declare::Cors;

    fn table(routes: Vec<TriggerDeclaration>) -> Table {
        let scope = Arc::new(Scope::new("aws", "0", "r"));
        let mut table = Table::default();
        for (index, route) in routes.into_iter().enumerate() {
            let name = format!("f{index}");
            table = table.with(&FunctionId::new(scope.clone(), &name), &function(&name, vec![route]));
        }
        table
    }

    fn chosen(table: &Table, method: &str, path: &str) -> Option<String> {
        match table.find(None, method, path, None)? {
            Found::Route { route, .. } => Some(route.function.name.to_string()),
            Found::Preflight { .. } => Some("preflight".into()),
            Found::NoMethod { .. } => Some("no method".into()),
        }
    }

    #[test]
    fn the_most_specific_route_wins_whatever_the_order() {
        let lean = |method, path| http(HttpForm::Lean, method, path, None);
        let table = table(vec![
            lean("ANY", "$default"),
            lean("ANY", "/{proxy+}"),
            lean("GET", "/pets/{id}"),
            lean("GET", "/pets/dog"),
        ]);
        assert_eq!(chosen(&table, "GET", "/pets/dog").unwrap(), "f3");
        assert_eq!(chosen(&table, "GET", "/pets/cat").unwrap(), "f2");
        assert_eq!(chosen(&table, "POST", "/pets/dog").unwrap(), "f1");
        assert_eq!(chosen(&table, "GET", "/").unwrap(), "f0");
    }

    #[test]
    fn a_rest_resource_has_its_own_methods_only() {
        let rest = |method, path| http(HttpForm::Rest, method, path, None);
        let table = table(vec![rest("GET", "/pets/dog"), rest("ANY", "/{proxy+}")]);
        assert_eq!(chosen(&table, "POST", "/pets/dog").unwrap(), "no method");
        assert_eq!(chosen(&table, "POST", "/pets/cat").unwrap(), "f1");
        assert_eq!(chosen(&table, "GET", "/"), None);
    }

    #[test]
    fn who_answers_options() {
        let cors = Some(Cors { origins: vec!["*".into()], ..Cors::default() });
        let lean = table(vec![http(HttpForm::Lean, "GET", "/a", cors.clone())]);
        assert!(matches!(lean.find(None, "OPTIONS", "/a", Some("GET")), Some(Found::Preflight { .. })));
        assert!(matches!(lean.find(None, "OPTIONS", "/a", None), Some(Found::NoMethod { .. })));
        let rest = table(vec![http(HttpForm::Rest, "ANY", "/a", cors.clone())]);
        assert!(matches!(rest.find(None, "OPTIONS", "/a", None), Some(Found::Preflight { .. })));
        let own =
            table(vec![http(HttpForm::Rest, "GET", "/a", cors), http(HttpForm::Rest, "OPTIONS", "/a", None)]);
        assert_eq!(chosen(&own, "OPTIONS", "/a").unwrap(), "f1");
        let none = table(vec![http(HttpForm::Rest, "ANY", "/a", None)]);
        assert_eq!(chosen(&none, "OPTIONS", "/a").unwrap(), "f0");
    }

    #[test]
    fn declaring_again_replaces() {
        let id = FunctionId::new(Arc::new(Scope::new("aws", "0", "r")), "f");
        let at = |path| function("f", vec![http(HttpForm::Rest, "GET", path, None)]);
        let table = Table::default().with(&id, &at("/a")).with(&id, &at("/b"));
        assert_eq!(chosen(&table, "GET", "/a"), None);
        assert_eq!(chosen(&table, "GET", "/b").unwrap(), "f");
        assert!(table.without(&id).routes().is_empty());
    }
}
