//! A command of the user's own: without walls, on their terminal, in their folder. Only its environment is ours.

use mlemu_core::Environment;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use tokio::process::{Child, Command};

/// A running command.
#[derive(Debug)]
pub struct Foreground {
    child: Child,
}

impl Foreground {
    /// Starts `program`; `set` and `unset` change the environment that it inherits.
    #[expect(clippy::disallowed_methods, reason = "this is where the user's own command starts")]
    pub fn start(
        program: &OsString,
        args: &[OsString],
        set: &Environment,
        unset: &[OsString],
    ) -> std::io::Result<Self> {
        let mut command = Command::new(program);
        command.args(args).kill_on_drop(true);
        for name in unset {
            command.env_remove(name);
        }
        command.envs(set);
        Ok(Self { child: command.spawn()? })
    }

    /// Passes a signal on. One that has ended hears nothing.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Completes when it has ended, with the code that a shell would show. Cancel-safe.
    pub async fn ended(&mut self) -> std::io::Result<u8> {
        let status = self.child.wait().await?;
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        Ok(u8::try_from(code).unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Foreground {
        let set = Environment::from([("SET".into(), "ours".into())]);
        let args = ["-c".into(), script.into()];
        Foreground::start(&"sh".into(), &args, &set, &["HOME".into()]).unwrap()
    }

    #[tokio::test]
    async fn codes_are_as_a_shell_shows_them() {
        assert_eq!(shell("exit 7").ended().await.unwrap(), 7);
        assert_eq!(shell("kill -9 $$").ended().await.unwrap(), 137);
    }

    #[tokio::test]
    async fn the_environment_is_changed_and_not_replaced() {
        let script = r#"[ "$SET" = ours ] && [ -z "${HOME+x}" ] && [ -n "$PATH" ]"#;
        assert_eq!(shell(script).ended().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn signals_are_passed_on() {
        let mut waits = shell("exec tail -f /dev/null");
        waits.signal(rustix::process::Signal::TERM);
        assert_eq!(waits.ended().await.unwrap(), 143);
    }

    #[tokio::test]
    async fn what_is_not_there_is_an_error() {
        let missing = Foreground::start(&"no-such-program".into(), &[], &Environment::new(), &[]);
        assert_eq!(missing.unwrap_err().kind(), std::io::ErrorKind::NotFound);
    }
}
