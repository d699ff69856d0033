//! What a path means: a queue, a task, or what is done with one.

use http::Method;

/// The parts of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    parent: String,
    queue: Option<String>,
    /// `Some("")`: all tasks of the queue.
    task: Option<String>,
    verb: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    ListQueues,
    CreateQueue,
    GetQueue,
    PatchQueue,
    DeleteQueue,
    Purge,
    Pause,
    Resume,
    CreateTask,
    ListTasks,
    GetTask,
    DeleteTask,
    RunTask,
}

impl Target {
    /// `projects/P/locations/L`
    pub fn parent(&self) -> String {
        self.parent.clone()
    }

    /// The whole name of the queue.
    pub fn queue(&self) -> String {
        format!("{}/queues/{}", self.parent, self.queue.as_deref().unwrap_or_default())
    }

    /// The whole name of the task.
    pub fn task(&self) -> String {
        format!("{}/tasks/{}", self.queue(), self.task.as_deref().unwrap_or_default())
    }
}

/// `None`: the path is of another API.
pub(super) fn target(path: &str) -> Option<Target> {
    let rest = path.strip_prefix("/v2").or_else(|| path.strip_prefix("/v2beta3")).unwrap_or(path);
    let (rest, verb) = match rest.rsplit_once(':') {
        Some((rest, verb)) if !verb.contains('/') => (rest, verb),
        _ => (rest, ""),
    };
    let segments: Vec<&str> = rest.strip_prefix('/')?.split('/').collect();
    let ["projects", project, "locations", location, "queues", under @ ..] = segments.as_slice() else {
        return None;
    };
    let (queue, task) = match under {
        [] => (None, None),
        [queue] => (Some(*queue), None),
        [queue, "tasks"] => (Some(*queue), Some("")),
        [queue, "tasks", task] => (Some(*queue), Some(*task)),
        _ => return None,
    };
    Some(Target {
        parent: format!("projects/{project}/locations/{location}"),
        queue: queue.map(str::to_owned),
        task: task.map(str::to_owned),
        verb: verb.to_owned(),
    })
}

/// Whether REST has an operation there.
pub(crate) fn serves(method: &Method, path: &str) -> bool {
    target(path).is_some_and(|target| operation(method, &target).is_some())
}

pub(super) fn operation(method: &Method, target: &Target) -> Option<Op> {
    Some(match (method, target.queue.is_some(), target.task.as_deref(), target.verb.as_str()) {
        (&Method::GET, false, None, "") => Op::ListQueues,
        (&Method::POST, false, None, "") => Op::CreateQueue,
        (&Method::GET, true, None, "") => Op::GetQueue,
        (&Method::PATCH, true, None, "") => Op::PatchQueue,
        (&Method::DELETE, true, None, "") => Op::DeleteQueue,
        (&Method::POST, true, None, "purge") => Op::Purge,
        (&Method::POST, true, None, "pause") => Op::Pause,
        (&Method::POST, true, None, "resume") => Op::Resume,
        (&Method::POST, true, Some(""), "") => Op::CreateTask,
        (&Method::GET, true, Some(""), "") => Op::ListTasks,
        (&Method::GET, true, Some(_), "") => Op::GetTask,
        (&Method::DELETE, true, Some(_), "") => Op::DeleteTask,
        (&Method::POST, true, Some(_), "run") => Op::RunTask,
        _ => return None,
    })
}
