//! Schemas: made, revised, removed, and messages checked against them.

use crate::pubsub::PubSub;
use crate::pubsub::fault::Fault;
use crate::pubsub::names::{self, Kind, Name};
use crate::pubsub::registry::{Registry, page};
use crate::pubsub::schema::{Encoding, Form};
use crate::pubsub::wire::{
    CommitSchemaRequest, CreateSchemaRequest, DeleteSchemaRequest, Empty, GetSchemaRequest,
    ListSchemaRevisionsRequest, ListSchemasRequest, ListSchemasResponse, NamedRevision, PubsubMessage,
    Schema, SchemaSettings, ValidateMessageRequest, ValidateMessageResponse, ValidateSchemaRequest,
    ValidateSchemaResponse,
};

/// The view of a schema without its definition.
const BASIC: i32 = 1;
const MOST_REVISIONS: usize = 20;

impl Registry {
    /// The newest revision of a schema, or the one that `name@REVISION` names.
    pub(in crate::pubsub) fn schema(&self, name: &str) -> Result<&Schema, Fault> {
        let (base, revision) = name.split_once('@').unwrap_or((name, ""));
        let missing = || Fault::missing(Kind::Schema.word(), name);
        let revisions = self.schemas.get(base).ok_or_else(missing)?;
        let found = revisions.iter().rev().find(|one| revision.is_empty() || one.revision_id == revision);
        found.ok_or_else(missing)
    }

    fn revisions(&mut self, name: &str) -> Result<&mut Vec<Schema>, Fault> {
        let base = name.split('@').next().unwrap_or_default();
        self.schemas.get_mut(base).ok_or_else(|| Fault::missing(Kind::Schema.word(), name))
    }
}

/// A schema as it is shown in lists.
fn shown(schema: &Schema, view: i32) -> Schema {
    let mut shown = schema.clone();
    if view == BASIC {
        shown.definition.clear();
    }
    shown
}

impl PubSub {
    pub(in crate::pubsub) fn create_schema(&self, ask: CreateSchemaRequest) -> Result<Schema, Fault> {
        names::project(&ask.parent)?;
        let name = format!("{}/schemas/{}", ask.parent, ask.schema_id);
        Name::of(Kind::Schema, &name)?;
        let schema = self.revision(name, ask.schema)?;
        let mut registry = self.registry();
        if registry.schemas.contains_key(&schema.name) {
            return Err(Fault::exists("schema", &schema.name));
        }
        registry.schemas.insert(schema.name.clone(), vec![schema.clone()]);
        Ok(schema)
    }

    /// A new revision, if it can be read.
    fn revision(&self, name: String, said: Option<Schema>) -> Result<Schema, Fault> {
        let said = said.unwrap_or_default();
        Form::read(&said)?;
        let revision_id = self.queues().ids().fresh("schema").hex()[..8].to_owned();
        let now = self.queues().clock().now();
        Ok(Schema { name, revision_id, revision_create_time: Some(now.into()), ..said })
    }

    pub(in crate::pubsub) fn get_schema(&self, ask: GetSchemaRequest) -> Result<Schema, Fault> {
        self.registry().schema(&ask.name).map(|schema| shown(schema, ask.view))
    }

    pub(in crate::pubsub) fn list_schemas(
        &self,
        ask: ListSchemasRequest,
    ) -> Result<ListSchemasResponse, Fault> {
        let prefix = format!("projects/{}/", names::project(&ask.parent)?);
        // In lists nothing said means without the definition.
        let view = if ask.view == 0 { BASIC } else { ask.view };
        let registry = self.registry();
        let all = registry.schemas.iter().filter(|(name, _)| name.starts_with(&prefix));
        let all = all.filter_map(|(name, revisions)| Some((name.clone(), shown(revisions.last()?, view))));
        let (schemas, next_page_token) = page(all, ask.page_size, &ask.page_token);
        Ok(ListSchemasResponse { schemas, next_page_token })
    }

    pub(in crate::pubsub) fn list_schema_revisions(
        &self,
        ask: ListSchemaRevisionsRequest,
    ) -> Result<ListSchemasResponse, Fault> {
        let view = if ask.view == 0 { BASIC } else { ask.view };
        let mut registry = self.registry();
        let newest_first = registry.revisions(&ask.name)?.iter().rev().enumerate();
        let all = newest_first.map(|(at, schema)| (format!("{at:04}"), shown(schema, view)));
        let (schemas, next_page_token) = page(all, ask.page_size, &ask.page_token);
        Ok(ListSchemasResponse { schemas, next_page_token })
    }

    pub(in crate::pubsub) fn commit_schema(&self, ask: CommitSchemaRequest) -> Result<Schema, Fault> {
        let fresh = self.revision(ask.name.clone(), ask.schema)?;
        let mut registry = self.registry();
        let revisions = registry.revisions(&ask.name)?;
        if revisions.last().is_some_and(|newest| newest.kind != fresh.kind) {
            return Err(Fault::invalid("A schema's type cannot be changed by a new revision."));
        }
        add(revisions, fresh)
    }

    pub(in crate::pubsub) fn rollback_schema(&self, ask: NamedRevision) -> Result<Schema, Fault> {
        let old = self.registry().schema(&format!("{}@{}", ask.name, ask.revision_id))?.clone();
        let fresh = self.revision(ask.name.clone(), Some(old))?;
        add(self.registry().revisions(&ask.name)?, fresh)
    }

    pub(in crate::pubsub) fn delete_schema_revision(&self, ask: NamedRevision) -> Result<Schema, Fault> {
        let (name, named) = ask.name.split_once('@').unwrap_or((&ask.name, &ask.revision_id));
        let mut registry = self.registry();
        let revisions = registry.revisions(name)?;
        if revisions.len() == 1 {
            return Err(Fault::invalid("The only revision of a schema cannot be deleted."));
        }
        let before = revisions.len();
        revisions.retain(|one| one.revision_id != named);
        match revisions.last() {
            Some(newest) if revisions.len() < before => Ok(newest.clone()),
            _ => Err(Fault::missing(Kind::Schema.word(), &ask.name)),
        }
    }

    pub(in crate::pubsub) fn delete_schema(&self, ask: DeleteSchemaRequest) -> Result<Empty, Fault> {
        let mut registry = self.registry();
        registry.revisions(&ask.name)?;
        registry.schemas.remove(&ask.name);
        let settings = registry.topics.values_mut().filter_map(|topic| topic.schema_settings.as_mut());
        for settings in settings.filter(|settings| settings.schema == ask.name) {
            names::DELETED_SCHEMA.clone_into(&mut settings.schema);
        }
        Ok(Empty {})
    }

    pub(in crate::pubsub) fn validate_schema(
        ask: ValidateSchemaRequest,
    ) -> Result<ValidateSchemaResponse, Fault> {
        Form::read(&ask.schema.unwrap_or_default())?;
        Ok(ValidateSchemaResponse {})
    }

    pub(in crate::pubsub) fn validate_message(
        &self,
        ask: ValidateMessageRequest,
    ) -> Result<ValidateMessageResponse, Fault> {
        let schema = match (&ask.name, ask.schema) {
            (Some(name), None) => self.registry().schema(name)?.clone(),
            (None, Some(schema)) => schema,
            _ => return Err(Fault::invalid("Either a schema or the name of one must be given.")),
        };
        Form::read(&schema)?.check(&ask.message, Encoding::of(ask.encoding)?)?;
        Ok(ValidateMessageResponse {})
    }

    /// Whether messages fit the schema of their topic.
    pub(in crate::pubsub) fn check_messages(
        &self,
        settings: &SchemaSettings,
        messages: &[PubsubMessage],
    ) -> Result<(), Fault> {
        let schema = self.registry().schema(&settings.schema)?.clone();
        let (form, encoding) = (Form::read(&schema)?, Encoding::of(settings.encoding)?);
        messages.iter().try_for_each(|message| form.check(&message.data, encoding))
    }
}

fn add(revisions: &mut Vec<Schema>, fresh: Schema) -> Result<Schema, Fault> {
    if revisions.len() >= MOST_REVISIONS {
        return Err(Fault::new(
            tonic::Code::ResourceExhausted,
            format!("A schema has at most {MOST_REVISIONS} revisions."),
        ));
    }
    revisions.push(fresh.clone());
    Ok(fresh)
}
