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
    pub azure: AzureTable,
    pub ports: Ports,
    pub persist: PersistTable,
    pub simulate: SimulateTable,
    /// Figures of your own in the clouds' profiles, as `[profiles.aws-lambda.simulation]`; `mlemu profiles show` names them.
    #[schemars(with = "BTreeMap<String, BTreeMap<String, BTreeMap<String, Figure>>>")]
    pub profiles: Figures,
    /// What functions may take at most, by their names; `mlemu report` fails beyond it.
    #[schemars(with = "BTreeMap<String, BudgetTable>")]
    pub budgets: Named<BudgetTable>,
}

/// By profile, section and name.
pub type Figures = BTreeMap<String, BTreeMap<String, BTreeMap<String, serde_json::Value>>>;

/// A value of a profile: a number, a text, a list or a table, as the profile has it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it stands for any value in the schema")]
#[schemars(transparent)]
struct Figure(serde_json::Value);

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
    /// Lambda: how often an asynchronous call that failed is tried again, 0 to 2; twice when nothing is said.
    #[schemars(with = "Option<u8>")]
    pub maximum_retry_attempts: Option<Spanned<u8>>,
    /// Lambda: how long an asynchronous call is tried, 60 to 21600 seconds; six hours when nothing is said.
    #[schemars(with = "Option<u32>")]
    pub maximum_event_age_seconds: Option<Spanned<u32>>,
    /// Lambda: who is told of asynchronous calls that went well: the name of a queue, or an ARN.
    #[schemars(with = "Option<String>")]
    pub on_success: Option<Spanned<String>>,
    /// Lambda: who is told of asynchronous calls that failed for good: the name of a queue, or an ARN.
    #[schemars(with = "Option<String>")]
    pub on_failure: Option<Spanned<String>>,
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
    /// So many instances are there from the start and are kept however long nobody calls.
    #[schemars(with = "Option<u32>")]
    pub min_instances: Option<Spanned<u32>>,
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

#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AzureTable {
    /// Keys of storage accounts beside `devstoreaccount1`, in base64, by the accounts' names.
    pub accounts: BTreeMap<String, String>,
    /// Who is told of new and deleted blobs, by names of their own.
    #[schemars(with = "BTreeMap<String, SubscriptionTable>")]
    pub subscriptions: Named<SubscriptionTable>,
}

/// Subscribes to the events of blobs, as an event subscription of Event Grid does.
#[derive(Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SubscriptionTable {
    /// A function's name, or an address on this machine, e.g. `http://127.0.0.1:9000/hook`.
    pub to: String,
    /// `Microsoft.Storage.BlobCreated`, `Microsoft.Storage.BlobDeleted`; both when nothing is said.
    pub events: Vec<String>,
    /// Only blobs of this container.
    pub container: Option<String>,
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Only names that end so.
    pub suffix: Option<String>,
    /// `EventGridSchema`, which is the default, or `CloudEventSchemaV1_0`.
    pub schema: Option<String>,
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

/// What is made as it would be in the cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SimulateTable {
    /// `share` holds each function to the CPU that its cloud gives to its memory, `off` lets it run at full speed; when
    /// nothing is said, `share` for `up` and `invoke` and `off` for tests.
    pub cpu: Option<CpuHeld>,
    /// What a cold start would take before your code runs: not told (`off`), the median (`typical`), or drawn
    /// (`sampled`).
    pub cold_starts: Option<Starts>,
    /// `virtual` only tells it, `real` also waits for it.
    pub time: Option<Passing>,
    /// Profiles to take instead of functions' own, e.g. `azure-consumption = "azure-flex"`.
    pub profiles: BTreeMap<String, String>,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum CpuHeld {
    Share,
    Off,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Starts {
    Off,
    Typical,
    Sampled,
}

impl From<Starts> for mlemu_core::ColdStarts {
    fn from(said: Starts) -> Self {
        match said {
            Starts::Off => Self::Off,
            Starts::Typical => Self::Typical,
            Starts::Sampled => Self::Sampled,
        }
    }
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Passing {
    Virtual,
    Real,
}

/// What a function may take at most.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BudgetTable {
    /// A whole cold start, e.g. `"3s"`.
    pub cold: Option<Span>,
    /// 95 of 100 warm calls, e.g. `"800ms"`.
    pub warm_p95: Option<Span>,
    /// Memory at its peak, e.g. `"800MB"`.
    pub memory: Option<Size>,
    /// The unzipped package, e.g. `"200MB"`.
    pub size: Option<Size>,
    /// A million warm calls, in US dollars at list price.
    pub price_per_million: Option<f64>,
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
