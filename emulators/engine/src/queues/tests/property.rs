//! The core against a model that is too simple to be wrong: a list of messages, searched from the front.

use super::*;
use crate::store::reopened::Reopened;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// To this group (0: none), delayed by so many seconds, with this key (0: none).
    Send(u8, u64, u8),
    Take(usize, u64),
    /// The receipt that was given so many takes ago; whether it must hold.
    Acknowledge(usize, bool),
    Extend(usize, u64),
    Release(usize),
    Purge,
    Pass(u64),
    /// The daemon ends and another begins, where there is a store.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4u8, prop::sample::select(vec![0, 0, 3, 40]), 0..4u8).prop_map(|(g, d, k)| Step::Send(g, d, k)),
        6 => (1..4usize, prop::sample::select(vec![0, 1, 10, 30])).prop_map(|(n, lease)| Step::Take(n, lease)),
        4 => (0..6usize, any::<bool>()).prop_map(|(back, held)| Step::Acknowledge(back, held)),
        3 => (0..6usize, prop::sample::select(vec![0, 5, 60])).prop_map(|(back, s)| Step::Extend(back, s)),
        1 => (0..6usize).prop_map(Step::Release),
        1 => Just(Step::Purge),
        4 => prop::sample::select(vec![1, 5, 10, 40, 100, 301]).prop_map(Step::Pass),
        2 => Just(Step::Reopen),
    ]
}

#[derive(Clone, Debug)]
struct Item {
    sequence: u64,
    group: u8,
    /// Hidden until then.
    until: u64,
    leased: bool,
    sent: u64,
    count: u32,
    token: u64,
    id: Arc<str>,
}

struct Model {
    ordered: bool,
    now: u64,
    items: Vec<Item>,
    keys: Vec<(u8, u64, u64)>,
}

const RETENTION: u64 = 200;
const AFTER: u32 = 3;

impl Model {
    fn settle(&mut self) {
        let now = self.now;
        self.items.retain(|item| item.sent + RETENTION > now);
        for item in &mut self.items {
            if item.until <= now {
                item.leased = false;
            }
        }
    }

    fn visible(&self, item: &Item) -> bool {
        !item.leased && item.until <= self.now
    }

    /// Whether a message may be lent out next, `taking` being what this take has already.
    fn may(&self, item: &Item, taking: &[u64]) -> bool {
        if !self.visible(item) {
            return false;
        }
        let mates = self.items.iter().filter(|mate| mate.group == item.group);
        let blocks = |mate: &Item| {
            let out = mate.leased && !taking.contains(&mate.sequence);
            out || (mate.sequence < item.sequence && !mate.leased)
        };
        !self.ordered || item.group == 0 || !mates.filter(|mate| mate.sequence != item.sequence).any(blocks)
    }

    fn find(&mut self, receipt: &Receipt) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.sequence == receipt.sequence && item.token == receipt.token)
    }

    fn counts(&self) -> (usize, usize, usize) {
        let leased = self.items.iter().filter(|item| item.leased).count();
        let delayed = self.items.iter().filter(|item| !item.leased && item.until > self.now).count();
        (self.items.len() - leased - delayed, leased, delayed)
    }
}

struct Trial {
    bench: Bench,
    dead: TopicId,
    model: Model,
    receipts: Vec<Receipt>,
    kept: Option<Reopened>,
}

impl Trial {
    fn new(ordered: bool, kept: Option<Reopened>) -> Self {
        let retention = Some(seconds(RETENTION));
        let clock = Arc::new(TestClock::new());
        let queues = match &kept {
            Some(kept) => Queues::kept_on(&kept.shelf(), clock, crate::Ids::default()).unwrap(),
            None => Queues::new(clock),
        };
        let bench = Bench::of(queues, Settings { ordered, retention, ..Settings::default() });
        let dead = bench.queue("dead", Settings::default());
        let rule = DeadLetter { to: dead.clone(), after: AFTER, restamps: false };
        bench.queues.configure(&bench.only, |settings| settings.dead_letter = Some(rule)).unwrap();
        let model = Model { ordered, now: 0, items: Vec::new(), keys: Vec::new() };
        Self { bench, dead, model, receipts: Vec::new(), kept }
    }

    fn receipt(&self, back: usize) -> Option<Receipt> {
        self.receipts.iter().rev().nth(back).copied()
    }

    async fn step(&mut self, step: Step) {
        self.model.settle();
        let Bench { queues, only, topic } = &self.bench;
        match step {
            Step::Send(group, delay, key) => {
                let text = |number: u8| (number > 0).then(|| Arc::from(number.to_string()));
                let new = NewMessage::of("x", Cause::Mlemu);
                let (group_name, once) = (text(group), text(key));
                let delayed = Some(seconds(delay));
                let new = NewMessage { group: group_name, once, delay: delayed, ..new };
                let sent = queues.send(topic, new).unwrap();
                self.sent(&sent, group, delay, key);
            }
            Step::Take(most, lease) => {
                let want = Want { lease: Some(seconds(lease)), ..Want::now(most) };
                let received = queues.receive(only, want).await.unwrap();
                self.took(&received, most, lease);
            }
            Step::Acknowledge(back, held) => {
                let Some(receipt) = self.receipt(back) else { return };
                let standing = queues.acknowledge(only, &receipt, held).unwrap();
                let found = self.model.find(&receipt).map(|item| item.leased);
                let (expected, gone) = match found {
                    Some(true) => (Standing::Held, true),
                    Some(false) => (Standing::Lapsed, !held),
                    None => (standing, false),
                };
                assert_eq!(standing, expected);
                assert!(found.is_some() || matches!(standing, Standing::Gone | Standing::Superseded));
                self.model.items.retain(|item| item.sequence != receipt.sequence || !gone);
            }
            Step::Extend(back, lease) => {
                let Some(receipt) = self.receipt(back) else { return };
                let extended = queues.extend(only, &receipt, Extension::of(seconds(lease))).unwrap();
                let now = self.model.now;
                let held = self.model.find(&receipt).filter(|item| item.leased);
                assert_eq!(held.is_some(), matches!(extended, Extended::Done(..)));
                if let Some(item) = held {
                    (item.until, item.leased) = (now + lease, lease > 0);
                }
            }
            Step::Release(back) => {
                let Some(receipt) = self.receipt(back) else { return };
                queues.release(only, &[receipt]).unwrap();
                let now = self.model.now;
                if let Some(item) = self.model.find(&receipt).filter(|item| item.leased) {
                    (item.until, item.leased, item.count) = (now, false, item.count - 1);
                }
            }
            Step::Purge => {
                queues.purge(only).unwrap();
                self.model.items.clear();
            }
            Step::Pass(time) => {
                tokio::time::advance(seconds(time)).await;
                self.model.now += time;
            }
            Step::Reopen => {
                let Some(kept) = &mut self.kept else { return };
                let clock = queues.clock().clone();
                kept.reopen();
                self.bench.queues = Queues::kept_on(&kept.shelf(), clock, crate::Ids::default()).unwrap();
            }
        }
    }

    fn sent(&mut self, sent: &Sent, group: u8, delay: u64, key: u8) {
        let now = self.model.now;
        let known = self.model.keys.iter().find(|(known, until, _)| key > 0 && *known == key && *until > now);
        assert_eq!(sent.duplicate, known.is_some());
        if let Some((_, _, first)) = known {
            assert_eq!(sent.sequence, *first);
            return;
        }
        self.model.keys.retain(|(known, ..)| *known != key);
        self.model.keys.push((key, now + 300, sent.sequence));
        let (sequence, until, id) = (sent.sequence, now + delay, sent.id.clone());
        self.model.items.push(Item {
            sequence,
            group,
            until,
            leased: false,
            sent: now,
            count: 0,
            token: 0,
            id,
        });
    }

    /// Each message that was taken could be taken at its place, and none was left that could.
    fn took(&mut self, received: &[Received], most: usize, lease: u64) {
        self.bury();
        let mut taking = Vec::new();
        for one in received {
            let sequence = one.receipt.sequence;
            let at = self.model.items.iter().position(|item| item.sequence == sequence).expect("known");
            assert!(self.model.may(&self.model.items[at], &taking), "{sequence} was not to be had");
            let now = self.model.now;
            let item = &mut self.model.items[at];
            (item.leased, item.until, item.token) = (true, now + lease, one.receipt.token);
            item.count += 1;
            assert_eq!(one.count, item.count);
            taking.push(sequence);
            self.receipts.push(one.receipt);
        }
        if taking.len() < most {
            let left = self.model.items.iter().find(|item| self.model.may(item, &taking));
            assert!(left.is_none(), "{left:?} was left");
        }
    }

    fn check(&mut self) {
        self.model.settle();
        assert_eq!(self.bench.counts(), self.model.counts());
    }

    /// Only what was lent out too often has gone on.
    fn bury(&mut self) {
        for dead in self.bench.queues.peek(&self.dead.only(), usize::MAX).unwrap() {
            if let Some(at) = self.model.items.iter().position(|item| item.id == dead.message.id) {
                let item = self.model.items.remove(at);
                assert!(item.count >= AFTER && self.model.visible(&item), "{item:?} went on");
            }
        }
    }
}

fn run(ordered: bool, kept: Option<Reopened>, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let mut trial = Trial::new(ordered, kept);
        for step in steps {
            trial.step(step).await;
            trial.check();
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn without_order(steps in prop::collection::vec(step(), 1..60)) {
        run(false, None, steps);
    }

    #[test]
    fn with_order(steps in prop::collection::vec(step(), 1..60)) {
        run(true, None, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn kept_in_a_store(ordered in any::<bool>(), steps in prop::collection::vec(step(), 1..60)) {
        run(ordered, Some(Reopened::new()), steps);
    }
}
