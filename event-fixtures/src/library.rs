//! All fixtures: to list, to show and to render.

use crate::bind::bind;
use crate::catalogue::{Catalogue, Origin, Stored, read};
use crate::compose::{Envelope, carry, divide};
use crate::error::FixtureError;
use crate::files::Files;
use crate::front_matter::{Composed, FrontMatter, HttpPlace, ParamSpec};
use crate::param::Param;
use crate::render::render;
use crate::request::{MAX_COUNT, Request};
use crate::suggest::similar;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The built-in fixtures, and those of one folder, which come first.
#[derive(Clone, Debug, Default)]
pub struct Library {
    catalogue: Catalogue,
}

/// One line of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    pub name: String,
    pub title: String,
    pub origin: Origin,
    /// It can carry a payload: `--as NAME`.
    pub envelope: bool,
    /// Why it cannot be used, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A fixture with all that it says about itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fixture {
    pub name: String,
    pub title: String,
    /// The vendor's page that it follows.
    pub provenance: String,
    pub origin: Origin,
    /// Takes a count of records.
    pub batch: bool,
    /// The payload and the envelope that it is made of, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub composed: Option<(String, String)>,
    pub params: Vec<ParamSpec>,
    /// As it was written, front matter included.
    pub template: String,
}

/// A fixture that was found, and its front matter.
struct Opened {
    stored: Stored,
    front: FrontMatter,
}

impl Library {
    /// `user_dir` is usually `./events`; it need not exist.
    pub fn new(user_dir: Option<PathBuf>) -> Self {
        Self { catalogue: Catalogue::new(user_dir) }
    }

    /// All fixtures by name. One that cannot be used is listed with its problem.
    pub fn list(&self) -> Vec<Listing> {
        self.catalogue.names().into_iter().map(|(name, file)| self.listing(name, file)).collect()
    }

    fn listing(&self, name: String, file: Option<PathBuf>) -> Listing {
        let origin = file.map_or(Origin::BuiltIn, Origin::File);
        match self.open(&name) {
            Ok(Opened { front, .. }) => {
                let envelope = front.wraps.is_some();
                Listing { name, title: front.title, origin, envelope, problem: None }
            }
            Err(error) => Listing {
                name,
                title: String::new(),
                origin,
                envelope: false,
                problem: Some(error.to_string()),
            },
        }
    }

    /// One fixture, to read about.
    ///
    /// # Errors
    /// An unknown name, or a front matter that cannot be read.
    pub fn show(&self, name: &str) -> Result<Fixture, FixtureError> {
        let Opened { stored, front } = self.open(name)?;
        let params = self.params_of(&front)?;
        Ok(Fixture {
            name: stored.name,
            title: front.title,
            provenance: front.provenance,
            origin: stored.origin,
            batch: front.batch,
            composed: front.compose.map(|composed| (composed.payload, composed.envelope)),
            params,
            template: stored.text,
        })
    }

    /// An event: compact JSON, or the file's own bytes for one that is plain JSON.
    ///
    /// # Errors
    /// All of [`FixtureError`].
    pub fn render(&self, name: &str, request: &Request) -> Result<Vec<u8>, FixtureError> {
        self.render_opened(self.open(name)?, request)
    }

    /// An event from a file that is no fixture of the library: a template if its name ends with `.hbs`.
    ///
    /// # Errors
    /// All of [`FixtureError`] but the unknown name.
    pub fn render_file(&self, path: &Path, request: &Request) -> Result<Vec<u8>, FixtureError> {
        let stored = read(&path.display().to_string(), path)?;
        let front = front_of(&stored)?;
        self.render_opened(Opened { stored, front }, request)
    }

    /// Puts any bytes into an envelope, whose parameters are those of the request.
    ///
    /// # Errors
    /// All of [`FixtureError`].
    pub fn wrap(
        &self,
        payload: &[u8],
        envelope: &Envelope,
        request: &Request,
    ) -> Result<Vec<u8>, FixtureError> {
        match envelope {
            Envelope::Bare => Ok(payload.to_vec()),
            Envelope::Fixture(name) => self.enclose(payload, HttpPlace::Body, name, request),
        }
    }

    fn render_opened(&self, opened: Opened, request: &Request) -> Result<Vec<u8>, FixtureError> {
        if let Some(Envelope::Fixture(envelope)) = request.envelope.as_deref().map(Envelope::named) {
            return self.render_within(opened, &envelope, request);
        }
        let Some(Composed { payload, envelope }) = &opened.front.compose else {
            return render_alone(&opened, request);
        };
        let payload = self.open(payload)?;
        if payload.front.compose.is_some() {
            return Err(FixtureError::ComposedTwice { fixture: opened.stored.name });
        }
        self.render_within(payload, envelope, request)
    }

    /// Renders a payload and puts it into an envelope. A count is the envelope's.
    fn render_within(
        &self,
        payload: Opened,
        envelope: &str,
        request: &Request,
    ) -> Result<Vec<u8>, FixtureError> {
        let of_payload = self.params_of(&payload.front)?;
        let of_envelope = self.open(envelope)?.front.params;
        let (inner, outer) = divide(&request.params, &of_payload, &of_envelope);
        let place = payload.front.http;
        let bytes = self.render_opened(payload, &Request { count: 1, ..request.with(inner) })?;
        // Another seed, so that ids of the envelope are not those of the payload.
        let request = Request { seed: !request.seed, ..request.with(outer) };
        self.enclose(&bytes, place, envelope, &request)
    }

    fn enclose(
        &self,
        payload: &[u8],
        place: HttpPlace,
        envelope: &str,
        request: &Request,
    ) -> Result<Vec<u8>, FixtureError> {
        let opened = self.open(envelope)?;
        let Some(wraps) = &opened.front.wraps else {
            let envelopes = self.list().into_iter().filter(|l| l.envelope).map(|l| l.name).collect();
            return Err(FixtureError::NotAnEnvelope { fixture: envelope.into(), envelopes });
        };
        let params = carry(envelope, wraps, place, payload, request.params.clone())?;
        render_alone(&opened, &request.with(params))
    }

    /// Parameters of a fixture; of a composed one those of payload and envelope, without the one that the
    /// payload fills.
    fn params_of(&self, front: &FrontMatter) -> Result<Vec<ParamSpec>, FixtureError> {
        let Some(composed) = &front.compose else { return Ok(front.params.clone()) };
        let (payload, envelope) = (self.open(&composed.payload)?.front, self.open(&composed.envelope)?.front);
        let filled = envelope.wraps.map(|wraps| wraps.into);
        let mut params = payload.params;
        for spec in envelope.params {
            if Some(&spec.name) != filled.as_ref() && !params.iter().any(|known| known.name == spec.name) {
                params.push(spec);
            }
        }
        Ok(params)
    }

    fn open(&self, name: &str) -> Result<Opened, FixtureError> {
        let Some(stored) = self.catalogue.find(name)? else {
            let known = self.catalogue.names();
            let similar = similar(name, known.keys().map(String::as_str));
            return Err(FixtureError::UnknownFixture { name: name.to_owned(), similar });
        };
        let front = front_of(&stored)?;
        Ok(Opened { stored, front })
    }
}

fn front_of(stored: &Stored) -> Result<FrontMatter, FixtureError> {
    if stored.plain {
        return Ok(FrontMatter { title: "plain JSON".into(), ..FrontMatter::default() });
    }
    FrontMatter::read(&stored.name, &stored.text)
}

/// Renders what is not composed.
fn render_alone(opened: &Opened, request: &Request) -> Result<Vec<u8>, FixtureError> {
    let Opened { stored, front } = opened;
    let name = &stored.name;
    if request.count > MAX_COUNT {
        return Err(FixtureError::TooMany { count: request.count, limit: MAX_COUNT });
    }
    if request.count != 1 && !front.batch {
        return Err(FixtureError::NotABatch { fixture: name.clone(), count: request.count });
    }
    let mut files = Files::within(request.project_root.as_deref());
    let params: &[Param] = &request.params;
    let mut values = bind(name, &front.params, params, &mut files)?;
    if stored.plain {
        check_json(name, &stored.text)?;
        return Ok(stored.text.trim().as_bytes().to_vec());
    }
    values.insert("count".into(), request.count.into());
    let event = render(name, &stored.text, values, files, request)?;
    Ok(event.to_string().into_bytes())
}

fn check_json(name: &str, text: &str) -> Result<(), FixtureError> {
    serde_json::from_str::<Value>(text).map(drop).map_err(|error| FixtureError::NotJson {
        fixture: name.to_owned(),
        line: error.line(),
        column: error.column(),
        why: error.to_string(),
        near: String::new(),
    })
}
