//! The process that becomes the function: forked in advance, in its control groups already, it waits for the
//! order, raises the other walls around itself and executes the program.

#![expect(unsafe_code, reason = "fork, execve and closing what was inherited")]

use super::signals;
use super::tmp::{self, Tmp};
use crate::fence::Fence;
use crate::order::Order;
use mlemu_core::Environment;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use std::convert::Infallible;
use std::ffi::{CString, NulError};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;

/// Descriptors a function may have open, as in the cloud.
const OPEN_FILES: u64 = 1024;
/// Of the range -1000..=1000: when the whole machine runs out, functions go before the developer's programs.
const FIRST_TO_GO: &str = "500";

/// The shim's end of it.
pub struct Seat {
    pub process: Pid,
    order: File,
    /// Says why the program could not be executed; closes without a word when it could.
    refusal: File,
}

impl Seat {
    pub fn take(fence: &Fence) -> io::Result<Self> {
        let shim = rustix::process::getpid();
        let doors = doors(fence)?;
        let (order, order_writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let (refusal, refusal_writer) = pipe_with(PipeFlags::CLOEXEC)?;
        // SAFETY: the shim has one thread, so that the child may do whatever the shim may; it never returns.
        match unsafe { libc::fork() } {
            0 => {
                drop((order_writer, refusal));
                let Err(why) = sit(shim, &doors, order.into());
                let _ = File::from(refusal_writer).write_all(why.as_bytes());
                // SAFETY: ends the child without running what the shim has registered for its own end.
                unsafe { libc::_exit(126) }
            }
            pid => {
                let process = Pid::from_raw(pid).filter(|_| pid > 0).ok_or_else(io::Error::last_os_error)?;
                Ok(Self { process, order: order_writer.into(), refusal: refusal.into() })
            }
        }
    }

    /// Returns when the program runs; the error is for a person.
    pub fn give(mut self, order: &[u8]) -> Result<(), String> {
        let given = self.order.write_all(order);
        drop(self.order);
        let mut why = String::new();
        self.refusal.read_to_string(&mut why).map_err(|error| error.to_string())?;
        if !why.is_empty() {
            return Err(why);
        }
        given.map_err(|error| format!("the waiting process is gone: {error}"))
    }
}

/// Files through which a process enters its groups.
fn doors(fence: &Fence) -> io::Result<Vec<File>> {
    fence
        .folders()
        .iter()
        .map(|folder| File::options().write(true).open(folder.join("cgroup.procs")))
        .collect()
}

/// In the child: waits for the order and becomes the function.
fn sit(shim: Pid, doors: &[File], mut order: File) -> Result<Infallible, String> {
    take_place(shim, doors).map_err(|error| format!("cannot enter its control groups: {error}"))?;
    let mut bytes = Vec::new();
    order.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let order: Order = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if !order.folder.is_dir() {
        return Err(format!("its folder `{}` is not there", order.folder.display()));
    }
    let mut env = order.env.clone();
    if let Tmp::Named(folder) = tmp::make_private(&order) {
        env.insert("TMPDIR".into(), folder.display().to_string());
    }
    let image = Image::new(&order, &env).map_err(|error| error.to_string())?;
    raise_limits(&order).map_err(|error| error.to_string())?;
    Err(explain(&order, &image.become_it()))
}

/// Enters the control groups, before anything of the function is there.
fn take_place(shim: Pid, doors: &[File]) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(shim) {
        return Err(io::Error::other("the shim is gone"));
    }
    for mut door in doors {
        // 0 stands for the writer itself.
        door.write_all(b"0")?;
    }
    rustix::process::setpgid(None, None)?;
    let _ = fs::write("/proc/self/oom_score_adj", FIRST_TO_GO);
    Ok(())
}

fn raise_limits(order: &Order) -> io::Result<()> {
    limit(Resource::Nofile, OPEN_FILES)?;
    limit(Resource::Core, 0)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    rustix::process::chdir(&order.folder)?;
    signals::restore_defaults();
    Ok(())
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = rustix::process::getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
    Ok(rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// A program with its arguments and environment, in the kernel's form.
///
/// `execvp` and the standard library hand a file that the kernel refuses to the shell, which then runs
/// nonsense; the cloud doesn't.
struct Image {
    program: CString,
    args: Vec<CString>,
    env: Vec<CString>,
}

impl Image {
    fn new(order: &Order, env: &Environment) -> Result<Self, NulError> {
        let program = CString::new(order.program.as_os_str().as_bytes())?;
        let args = order.args.iter().map(|arg| CString::new(arg.as_bytes()));
        let args = std::iter::once(Ok(program.clone())).chain(args).collect::<Result<_, _>>()?;
        let env = env
            .iter()
            .map(|(key, value)| CString::new(format!("{key}={value}")))
            .collect::<Result<_, _>>()?;
        Ok(Self { program, args, env })
    }

    /// Returns only when it failed.
    fn become_it(&self) -> io::Error {
        let (args, env) = (pointers(&self.args), pointers(&self.env));
        // SAFETY: both lists end with a null pointer, and what they point to lives as long as `self`.
        unsafe { libc::execve(self.program.as_ptr(), args.as_ptr(), env.as_ptr()) };
        io::Error::last_os_error()
    }
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

fn explain(order: &Order, error: &io::Error) -> String {
    let exists = order.folder.join(&order.program).exists();
    match error.raw_os_error() {
        Some(libc::ENOENT) if exists => "the interpreter that its first line names is not there".into(),
        Some(libc::EACCES) if exists => "it is not executable".into(),
        Some(libc::ENOEXEC) => "it is neither a program of this machine nor a script with `#!`".into(),
        _ => error.to_string(),
    }
}

/// Closes what the daemon itself may have inherited from its own parent.
pub fn close_inherited() {
    // SAFETY: called first of all, when nothing in this process owns a descriptor above the standard three.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } == 0;
    if !closed {
        let most = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(OPEN_FILES).min(1 << 16);
        for descriptor in 3..most as i32 {
            // SAFETY: as above.
            unsafe { libc::close(descriptor) };
        }
    }
}
