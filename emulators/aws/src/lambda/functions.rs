//! What the Lambda API and the gateway need of the engine, and no more.

use bytes::Bytes;
use mlemu_core::{
    Boxed, Clock, FunctionId, Invoke, PackageFault, Refusal, Reply, Revision, Sink, Subject, Unpacked, What,
};
use mlemu_engine::{Draft, Engine, FunctionView, Ids, Routes};
use std::path::PathBuf;
use std::sync::Arc;

/// Functions that can be deployed and run. The engine is one; tests script another.
pub trait Functions: Send + Sync {
    /// See [`Engine::publish`].
    fn publish(&self, draft: Draft) -> Arc<Revision>;
    /// See [`Engine::pin`].
    fn pin(&self, id: &FunctionId, label: &str) -> Option<Arc<Revision>>;
    /// See [`Engine::unpin`].
    fn unpin(&self, id: &FunctionId, label: &str) -> bool;
    /// See [`Engine::delete`].
    fn delete(&self, id: &FunctionId) -> bool;
    /// See [`Engine::lead`].
    fn lead(&self, id: &FunctionId, alias: &str, routes: Option<Routes>) -> bool;
    /// See [`Engine::reserve`].
    fn reserve(&self, id: &FunctionId, concurrency: Option<u32>) -> bool;
    /// See [`Engine::function`].
    fn function(&self, id: &FunctionId) -> Option<FunctionView>;
    /// See [`Engine::invoke`].
    fn invoke(&self, invoke: Invoke) -> Boxed<'_, Result<Reply, Refusal>>;
    /// Opens a deployment package; `limit` in bytes.
    fn unpack(&self, archive: Bytes, limit: u64) -> Boxed<'_, Result<Unpacked, PackageFault>>;
    /// Bytes of a source folder as a package would carry it.
    fn measure(&self, folder: PathBuf) -> Boxed<'_, u64>;
    fn clock(&self) -> &dyn Clock;
    /// Where ids come from.
    fn ids(&self) -> Ids {
        Ids::default()
    }
    /// Tells the one record stream.
    fn record(&self, subject: Subject, what: What);
}

impl Functions for Engine {
    fn publish(&self, draft: Draft) -> Arc<Revision> {
        Engine::publish(self, draft)
    }

    fn pin(&self, id: &FunctionId, label: &str) -> Option<Arc<Revision>> {
        Engine::pin(self, id, label)
    }

    fn unpin(&self, id: &FunctionId, label: &str) -> bool {
        Engine::unpin(self, id, label)
    }

    fn delete(&self, id: &FunctionId) -> bool {
        Engine::delete(self, id)
    }

    fn lead(&self, id: &FunctionId, alias: &str, routes: Option<Routes>) -> bool {
        Engine::lead(self, id, alias, routes)
    }

    fn reserve(&self, id: &FunctionId, concurrency: Option<u32>) -> bool {
        Engine::reserve(self, id, concurrency)
    }

    fn function(&self, id: &FunctionId) -> Option<FunctionView> {
        Engine::function(self, id)
    }

    fn invoke(&self, invoke: Invoke) -> Boxed<'_, Result<Reply, Refusal>> {
        Box::pin(Engine::invoke(self, invoke))
    }

    fn unpack(&self, archive: Bytes, limit: u64) -> Boxed<'_, Result<Unpacked, PackageFault>> {
        self.parts().build.unpack(archive, limit)
    }

    fn measure(&self, folder: PathBuf) -> Boxed<'_, u64> {
        self.parts().build.measure(folder)
    }

    fn clock(&self) -> &dyn Clock {
        &*self.parts().clock
    }

    fn ids(&self) -> Ids {
        Engine::ids(self).clone()
    }

    fn record(&self, subject: Subject, what: What) {
        self.parts().journal.send(self.parts().clock.now(), subject, what);
    }
}
