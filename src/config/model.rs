//! `mlemu.toml` as it may be written: every table, every key.
//!
//! The doc comments are what an editor shows beside a key: they are part of the schema.

use super::quantity::{Size, Span};
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use toml::Spanned;

/// Tables by their names. The position of a name is where the table was declared.
pub type Named<T> = BTreeMap<Spanned<String>, T>;

/// A project of mlemu. Everything is optional: what is detected needs no entry, and an entry of the same name changes what was detected.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "mlemu.toml")]
pub struct Model {
    pub project: ProjectTable,
    /// Functions by their names.
    #[schemars(with = "BTreeMap<String, FunctionTable>")]
    pub functions: Named<FunctionTable>,
    /// Buckets by their names.
    #[schemars(with = "BTreeMap<String, BucketTable>")]
    pub buckets: Named<BucketTable>,
    /// Queues by their names.
    #[schemars(with = "BTreeMap<String, QueueTable>")]
    pub queues: Named<QueueTable>,
    /// What runs once before the functions can work, e.g. training a model: one table, or several.
    pub prepare: OneOrMany<PrepareTable>,
    pub watch: WatchTable,
    pub aws: AwsTable,
    pub gcp: GcpTable,
    pub ports: Ports,
    pub persist: PersistTable,
}

#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectTable {
    /// How the project is called; otherwise as its folder.
    pub name: Option<String>,
    /// A file of `NAME=value` lines that every function receives in its environment.
    #[schemars(with = "Option<String>")]
    pub env_file: Option<Spanned<PathBuf>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Provider {
    #[default]
    Aws,
    Gcp,
    Azure,
}

impl Provider {
    pub fn name(self) -> &'static str {
        match self {
            Provider::Aws => "aws",
            Provider::Gcp => "gcp",
            Provider::Azure => "azure",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Signature {
    Http,
    CloudEvent,
    Event,
    Typed,
}

impl Signature {
    pub fn name(self) -> &'static str {
        match self {
            Signature::Http => "http",
            Signature::CloudEvent => "cloudevent",
            Signature::Event => "event",
            Signature::Typed => "typed",
        }
    }
}

#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FunctionTable {
    /// Whose function it is; `aws` when nothing is said.
    pub provider: Option<Provider>,
    /// What to call, as the vendor writes it, e.g. `index.which_flower`.
    pub handler: Option<String>,
    /// The vendor's name of the runtime, e.g. `python3.12`.
    #[schemars(with = "Option<String>")]
    pub runtime: Option<Spanned<String>>,
    /// The folder of the code, seen from this file.
    #[schemars(with = "Option<String>")]
    pub source: Option<Spanned<PathBuf>>,
    /// Memory limit, e.g. `"1024MB"`.
    #[schemars(with = "Option<Size>")]
    pub memory: Option<Spanned<Size>>,
    /// How long one invocation may take, e.g. `"30s"`.
    #[schemars(with = "Option<Span>")]
    pub timeout: Option<Spanned<Span>>,
    /// Size of the scratch folder, e.g. `"512MB"`.
    #[schemars(with = "Option<Size>")]
    pub tmp: Option<Spanned<Size>>,
    /// At most so many invocations at once; more are throttled.
    pub concurrency: Option<u32>,
    /// Cloud Functions: `1` or `2`, which is the default.
    #[schemars(with = "Option<u8>")]
    pub generation: Option<Spanned<u8>>,
    /// Cloud Functions: how the function takes its events, when its code does not tell.
    #[schemars(with = "Option<Signature>")]
    pub signature: Option<Spanned<Signature>>,
    /// Cloud Functions: events whose invocation failed come again.
    #[schemars(with = "Option<bool>")]
    pub retry: Option<Spanned<bool>>,
    /// Cloud Functions: only objects whose path is like this start it, e.g. `in/{day}/*.csv`; `**` reaches over slashes.
    #[schemars(with = "Option<String>")]
    pub path_pattern: Option<Spanned<String>>,
    /// Cloud Functions: most requests at a time in one instance; one when nothing is said.
    #[schemars(with = "Option<u32>")]
    pub instance_concurrency: Option<Spanned<u32>>,
    /// Variables of the function's environment.
    pub env: BTreeMap<String, String>,
    /// What invokes it.
    #[schemars(with = "Option<Vec<TriggerTable>>")]
    pub triggers: Option<Vec<Spanned<TriggerTable>>>,
}

/// One way to invoke a function. Exactly one of `http`, `bucket`, `queue`, `topic`, `schedule` and `url` says which.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TriggerTable {
    /// Method and path, e.g. `"GET /flowers/{id}"`; `ANY` is every method.
    pub http: Option<String>,
    /// Form of an HTTP event: API Gateway's `"1.0"` (REST) or `"2.0"`, which is the default.
    pub payload: Option<Payload>,
    /// Origins that a browser may call from, for `http` and `url`.
    pub cors: Option<Vec<String>>,
    /// The bucket whose changes invoke the function.
    pub bucket: Option<String>,
    /// Which changes, in the vendor's words; new objects when nothing is said.
    pub events: Option<Vec<String>>,
    /// Only keys that begin so.
    pub prefix: Option<String>,
    /// Only keys that end so.
    pub suffix: Option<String>,
    /// The queue whose messages invoke the function.
    pub queue: Option<String>,
    /// The topic whose messages invoke the function, one at a time.
    pub topic: Option<String>,
    /// At most so many messages in one event; 10 when nothing is said.
    pub batch: Option<u32>,
    /// `rate(5 minutes)` or `cron(0 12 * * ? *)`.
    pub schedule: Option<String>,
    /// A URL of the function's own.
    pub url: Option<bool>,
    /// The URL's answers are streamed.
    pub streaming: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[schemars(inline)]
pub enum Payload {
    #[serde(rename = "1.0")]
    One,
    #[serde(rename = "2.0")]
    Two,
}

#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BucketTable {
    /// Whose bucket it is; `aws` when nothing is said.
    pub provider: Option<Provider>,
    /// A folder whose files are put into the bucket at the start.
    #[schemars(with = "Option<String>")]
    pub seed: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueueTable {
    /// Whose queue it is; `aws` when nothing is said.
    pub provider: Option<Provider>,
    /// How long a received message stays hidden, e.g. `"30s"`.
    pub visibility: Option<Span>,
    /// Where messages go that were received too often.
    pub dlq: Option<String>,
    /// How often a message may be received before it goes to `dlq`.
    pub max_receives: Option<u32>,
}

#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrepareTable {
    /// The command and its arguments, e.g. `["python", "train.py"]`.
    #[schemars(with = "Vec<String>")]
    pub run: Spanned<Vec<String>>,
    /// Packages that only this step needs.
    #[serde(default)]
    pub requirements: Vec<String>,
    /// Files it reads: newer ones make it run again.
    #[serde(default)]
    pub inputs: Vec<PathBuf>,
    /// Files it makes: missing ones make it run.
    #[serde(default)]
    pub outputs: Vec<PathBuf>,
    /// Where to run it; otherwise the folder of this file.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub folder: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WatchTable {
    /// Patterns of files whose changes are no new code, as in `.gitignore`.
    pub ignore: Vec<String>,
}

#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AwsTable {
    /// `us-east-1` when nothing is said.
    pub region: Option<String>,
    /// Twelve digits; `000000000000` when nothing is said.
    #[schemars(with = "Option<String>")]
    pub account: Option<Spanned<String>>,
    /// The `eventVersion` of S3's notifications, e.g. `2.5`; when nothing is said, `2.1`, and `2.3` for tags and
    /// access lists.
    pub s3_event_version: Option<String>,
    /// Values for the parameters of templates.
    pub parameters: BTreeMap<String, String>,
}

#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GcpTable {
    /// `demo-mlemu` when nothing is said.
    pub project: Option<String>,
    /// `us-central1` when nothing is said.
    pub region: Option<String>,
    /// The key file of the service account that signs URLs, seen from this file: signatures of its own are verified.
    #[schemars(with = "Option<String>")]
    pub service_account: Option<PathBuf>,
}

/// What outlives the daemon.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PersistTable {
    /// A folder that keeps buckets, queues and functions, seen from this file. Without it they end with the daemon.
    #[schemars(with = "Option<String>")]
    pub dir: Option<Spanned<PathBuf>>,
    /// `disk` survives the daemon however it ends, `durable` also a loss of power.
    pub durability: Durability,
}

/// What an answer promises of what it changed.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Durability {
    #[default]
    Disk,
    Durable,
}

impl From<Durability> for mlemu_engine::Durability {
    fn from(said: Durability) -> Self {
        match said {
            Durability::Disk => Self::Disk,
            Durability::Durable => Self::Durable,
        }
    }
}

/// Ports to listen on. Those not named fall to the default; 0 is any free port.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ports {
    pub aws: Option<u16>,
    pub gcp: Option<u16>,
    pub azure: Option<u16>,
    pub blob: Option<u16>,
    pub queue: Option<u16>,
    pub control: Option<u16>,
}

/// One table, or an array of them.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum OneOrMany<T> {
    One(Box<T>),
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        OneOrMany::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    pub fn into_vec(self) -> Vec<T> {
        match self {
            OneOrMany::One(one) => vec![*one],
            OneOrMany::Many(many) => many,
        }
    }
}

/// Decided by the kind of value, not by trial: the errors of the right form survive.
struct OneOrManyVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table or an array of tables")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMany::One(Box::new(one)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(OneOrMany::Many)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OneOrManyVisitor(std::marker::PhantomData))
    }
}
