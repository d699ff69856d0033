//! The program itself as a daemon, for tests of what only it shows: signals, ports, files, and what it prints.
//!
//! Everything else of it is a [`House`], asked through the same client.

use super::house::{House, Records, follow, runtime};
use super::lives;
use super::plan::Plan;
use mlemu::harness::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::ops::Deref;
use std::process::{Child, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// `mlemu up` that runs. Dropping it ends it, and shows what it said if the test has failed.
pub struct Program {
    house: House,
    child: Child,
    said: Arc<Mutex<String>>,
}

impl Deref for Program {
    type Target = House;

    fn deref(&self) -> &House {
        &self.house
    }
}

impl Plan {
    /// Starts the program and waits until it is ready.
    pub fn program(self) -> Program {
        let mut up = self.mlemu(&["up", "--json", "--aws-port", "0", "--control-port", "0"]);
        up.args(&self.args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = up.spawn().expect("the program starts");
        let (printed, said) = (Arc::<Records>::default(), Arc::<Mutex<String>>::default());
        read(child.stdout.take().expect("stdout"), printed.clone());
        collect(child.stderr.take().expect("stderr"), said.clone());
        let ready = printed.wait(0, |record| record["ready"] == true);
        let ready = ready.unwrap_or_else(|| panic!("not ready: {}", text(&said)));
        let address = |url: &Value| {
            let url = url.as_str().unwrap_or_else(|| panic!("no address in {ready}"));
            url.trim_start_matches("http://").parse().expect("an address")
        };
        let addresses = |what: &str| {
            let all = ready[what].as_object().into_iter().flatten();
            all.map(|(name, url)| (name.clone(), address(url))).collect()
        };
        let client = Client::new(
            ready["control"].as_str().expect("an address"),
            self.located()["token"].as_str().expect("a token"),
        );
        let (runtime, records) = (runtime(), Arc::<Records>::default());
        runtime.spawn(follow(client.clone(), records.clone()));
        let house = House {
            client,
            places: addresses("clouds"),
            control: address(&ready["control"]),
            pid: child.id(),
            served: addresses("served"),
            records,
            _session: None,
            runtime,
            plan: self,
        };
        Program { house, child, said }
    }
}

impl Plan {
    /// What the program leaves for its own verbs.
    pub fn located(&self) -> Value {
        let files = std::fs::read_dir(self.runtime.path().join("mlemu")).expect("the locators");
        let mut files = files.filter_map(Result::ok).map(|entry| entry.path());
        let file = files.find(|path| path.extension().is_some_and(|end| end == "json")).expect("a locator");
        serde_json::from_slice(&std::fs::read(file).expect("readable")).expect("JSON")
    }
}

/// Everything that it prints on stdout, one JSON document a line.
fn read(stdout: impl Read + Send + 'static, records: Arc<Records>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            records.push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
        }
        records.close();
    });
}

fn collect(mut from: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..read]).into_owned();
            into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
        }
    });
}

fn text(said: &Mutex<String>) -> String {
    said.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Program {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the daemon lives");
    }

    /// Waits until the daemon has ended by itself.
    pub fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("a child of ours")
    }

    /// What was printed on stderr so far.
    pub fn said(&self) -> String {
        text(&self.said)
    }

    /// Any verb of the program, which finds this one as it does for a person, by the project's folder.
    pub fn mlemu(&self, args: &[&str]) -> Output {
        self.plan.mlemu(args).output().expect("the program runs")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon said:\n{}", self.said());
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            if !lives::ends_within(self.pid(), Duration::from_secs(10)) {
                let _ = self.child.kill();
            }
        }
        let _ = self.child.wait();
    }
}
