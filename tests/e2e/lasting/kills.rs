//! Writers at full speed, and a daemon that is killed in the midst of them, again and again.

use super::ledger::{self, Cell, Messages, Wanted};
use super::talk::{Queue, attempt, surely};
use super::{house, kill};
use crate::program::Program;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

const WRITERS: u64 = 3;
const KEYS: u64 = 25;
/// In seconds: longer than all rounds together.
const LEASE: u64 = 40_000;
/// More cannot be seen at once.
const PAGE: usize = 1000;
/// More than nobody has deleted are purged.
const ROOM: usize = 300;

/// `MLEMU_KILLS` rounds, or a few.
fn rounds() -> u64 {
    std::env::var("MLEMU_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4)
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Everything that is known across the rounds.
struct Trial {
    objects: Vec<Mutex<BTreeMap<String, Cell>>>,
    messages: Mutex<Messages>,
    jobs: Queue,
    once: Queue,
    number: AtomicU64,
    acknowledged: AtomicU64,
    /// Leases that nobody was told of, as they were counted last.
    untold: AtomicUsize,
}

/// One life of the daemon. Whoever is acknowledged as the last one ends it.
struct Life<'a> {
    trial: &'a Trial,
    to: SocketAddr,
    pid: Pid,
    left: AtomicU64,
}

impl Life<'_> {
    fn acknowledged(&self) {
        self.trial.acknowledged.fetch_add(1, Ordering::SeqCst);
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            kill_process(self.pid, Signal::KILL).expect("it lives");
        }
    }

    fn messages(&self) -> std::sync::MutexGuard<'_, Messages> {
        self.trial.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> u64 {
        self.trial.number.fetch_add(1, Ordering::SeqCst)
    }

    /// Puts and deletes until nobody answers any more.
    fn write(&self, writer: u64, mut dice: Dice) {
        let mut cells = self.trial.objects[writer as usize].lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let key = format!("w{writer}/k{}", dice.throw(KEYS));
            let cell = cells.entry(key.clone()).or_default();
            let wanted = (dice.throw(4) > 0).then(|| self.number());
            cell.open = Some(Wanted(wanted));
            let answer = match wanted {
                Some(seed) => attempt(self.to, &format!("PUT /kept/{key}"), &[], &ledger::body(seed)),
                None => attempt(self.to, &format!("DELETE /kept/{key}"), &[], b""),
            };
            let Some(answer) = answer else { return };
            assert!(answer.status < 300, "{}", answer.text());
            (cell.known, cell.open) = (wanted, None);
            self.acknowledged();
        }
    }

    fn send(&self, mut dice: Dice) {
        loop {
            let body = format!("m{}", self.number());
            self.messages().sending.insert(body.clone());
            let Some(id) = self.trial.jobs.send(self.to, &body) else { return };
            {
                let mut messages = self.messages();
                messages.sending.remove(&body);
                messages.sent.insert(id);
            }
            self.acknowledged();
            if dice.throw(8) == 0 {
                let Some(id) = self.trial.once.send_once(self.to, "once", &body) else { return };
                self.messages().once.insert(body, id);
                self.acknowledged();
            }
        }
    }

    /// Receives and deletes most of it.
    fn work(&self, mut dice: Dice) {
        loop {
            let Some(taken) = self.trial.jobs.receive(self.to, LEASE, 1) else { return };
            let Some(taken) = taken.into_iter().next() else { continue };
            self.messages().leased.insert(taken.id.clone(), taken.receipt.clone());
            self.acknowledged();
            if dice.throw(5) > 0 {
                self.messages().deleting.insert(taken.id.clone());
                if self.trial.jobs.delete(self.to, &taken.receipt).is_none() {
                    return;
                }
                self.messages().deleted.insert(taken.id);
                self.acknowledged();
            }
        }
    }
}

impl Trial {
    fn begin(house: &Program) -> Self {
        let to = house.aws();
        assert_eq!(attempt(to, "PUT /kept", &[], b"").expect("a bucket").status, 200);
        Self {
            objects: (0..WRITERS).map(|_| Mutex::default()).collect(),
            messages: Mutex::default(),
            jobs: Queue::create(to, "jobs", &json!({})),
            once: Queue::create(to, "once.fifo", &json!({ "FifoQueue": "true" })),
            number: AtomicU64::new(1),
            acknowledged: AtomicU64::new(0),
            untold: AtomicUsize::new(0),
        }
    }

    /// Work at full speed until the daemon is dead.
    fn live(&self, house: &mut Program, round: u64) {
        let mut dice = Dice(round);
        let pid = Pid::from_raw(i32::try_from(house.pid()).expect("a pid")).expect("a pid");
        let left = AtomicU64::new(10 + dice.throw(300));
        let life = Life { trial: self, to: house.aws(), pid, left };
        std::thread::scope(|threads| {
            for writer in 0..WRITERS {
                let (life, dice) = (&life, Dice(round * 31 + writer));
                threads.spawn(move || life.write(writer, dice));
            }
            threads.spawn(|| life.send(Dice(round * 37)));
            threads.spawn(|| life.work(Dice(round * 41)));
            threads.spawn(|| life.work(Dice(round * 43)));
        });
        // The machine may have refused every writer a connection before.
        let _ = kill_process(pid, Signal::KILL);
        house.ended();
    }

    /// Everything is as it was acknowledged.
    fn check(&self, house: &Program, round: u64) {
        for cells in &self.objects {
            for (key, cell) in cells.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
                let answer = surely(house.aws(), &format!("GET /kept/{key}"));
                let found = match answer.status {
                    200 => Some(ledger::seed(&answer.body).unwrap_or_else(|why| panic!("{key}: {why}"))),
                    404 => None,
                    status => panic!("round {round}: {key}: {status} {}", answer.text()),
                };
                cell.settle(found).unwrap_or_else(|why| panic!("round {round}: {key}: {why}"));
            }
        }
        let seen = house.ask(&format!("GET /_mlemu/queues/jobs/messages?limit={PAGE}"), &json!(null)).json();
        let seen = seen.as_array().expect("messages");
        assert!(seen.len() < PAGE, "too many messages to see");
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = messages.settle(seen).unwrap_or_else(|why| panic!("round {round}: {why}"));
        // Each worker may have been lent one that it was not told of.
        let before = self.untold.swap(untold, Ordering::SeqCst);
        assert!(untold <= before + 2, "round {round}: {untold} leases that nobody was told of");
        if let Some((key, id)) = messages.once.pop_last() {
            assert_eq!(self.once.send_once(house.aws(), "once", &key).as_ref(), Some(&id), "round {round}");
        }
        messages.once.clear();
        for (_, receipt) in std::mem::take(&mut messages.leased) {
            self.jobs.delete(house.aws(), &receipt).expect("deleted by the receipt of before");
        }
        let seen = house.ask(&format!("GET /_mlemu/queues/jobs/messages?limit={PAGE}"), &json!(null)).json();
        if seen.as_array().map_or(0, Vec::len) > ROOM {
            assert!(house.ask("POST /_mlemu/queues/jobs/purge", &json!(null)).status < 300);
            messages.sent.clear();
            self.untold.store(0, Ordering::SeqCst);
            return;
        }
        let ids =
            seen.as_array().expect("messages").iter().map(|one| one["id"].as_str().expect("id").to_owned());
        messages.sent = ids.collect();
    }
}

fn run(durability: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut house = house(folder.path(), durability);
    let trial = Trial::begin(&house);
    for round in 1..=rounds() {
        trial.live(&mut house, round);
        house = super::house(folder.path(), durability);
        trial.check(&house, round);
    }
    kill(&mut house);
    let acknowledged = trial.acknowledged.load(Ordering::SeqCst);
    eprintln!("{durability}: {} kills, {acknowledged} acknowledgements, none lost", rounds());
}

#[test]
fn killed_while_it_is_durable() {
    run("durable");
}

#[test]
fn killed_while_it_is_on_disk() {
    run("disk");
}
