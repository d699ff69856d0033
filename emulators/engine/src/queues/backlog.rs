//! The messages of one subscription, each in its phase, and the order in which they are lent out.
//!
//! Plain data without clock or lock: callers say what time it is. Everything is found by key, so that a long
//! backlog is as fast as a short one.

use super::allowance::{Allowance, Part};
use super::counted::Counted;
use super::message::Message;
use super::rule::BackOff;
use super::subscription::{Counts, Peeked, Settings, Sight};
use super::trace::Trace;
use mlemu_core::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// One message on its way through the subscription.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub message: Arc<Message>,
    pub counted: Counted,
    pub phase: Phase,
    /// How often it was lent out.
    pub count: u32,
    pub first: Option<Timestamp>,
    /// When it was last lent out.
    pub leased_at: Timestamp,
    /// Of the last lease, over or not.
    pub token: u64,
    /// What its lease has of its receiver's allowance.
    pub part: Part,
}

impl Entry {
    fn seen(&self) -> Peeked {
        let sight = match self.phase {
            Phase::Delayed { until } => Sight::Delayed { until },
            Phase::Ready { .. } => Sight::Visible,
            Phase::Leased { until } => Sight::Leased { until },
        };
        Peeked { message: self.message.clone(), sight, count: self.count, first: self.first }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    Delayed {
        until: Timestamp,
    },
    /// Its turn among those without a group; members of a group wait for the group's turn.
    Ready {
        rank: Option<u64>,
    },
    Leased {
        until: Timestamp,
    },
}

/// What waits for its turn.
#[derive(Clone, Debug)]
enum Turn {
    Message(u64),
    Group(Arc<str>),
}

/// The messages of one group, by sequence.
#[derive(Clone, Debug, Default)]
struct Group {
    members: BTreeSet<u64>,
    leased: usize,
    rank: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// A delay or a lease is over.
    Appears,
    /// It is too old.
    Expires,
}

#[derive(Clone)]
pub(super) struct Backlog {
    pub trace: Trace,
    ordered: bool,
    retention: Option<Duration>,
    back_off: Option<BackOff>,
    rewinds: bool,
    entries: BTreeMap<u64, Entry>,
    groups: HashMap<Arc<str>, Group>,
    /// What may be lent out, by rank: the commit that made it so, or the sequence of a group's first.
    turns: BTreeMap<u64, Turn>,
    alarms: BTreeSet<(Timestamp, u64, Alarm)>,
    leased: usize,
    delayed: usize,
}

impl Backlog {
    pub fn new(settings: &Settings, trace: Trace) -> Self {
        Self {
            trace,
            ordered: settings.ordered,
            retention: settings.retention,
            back_off: settings.back_off,
            rewinds: settings.rewinds,
            entries: BTreeMap::new(),
            groups: HashMap::new(),
            turns: BTreeMap::new(),
            alarms: BTreeSet::new(),
            leased: 0,
            delayed: 0,
        }
    }

    pub fn counts(&self) -> Counts {
        Counts {
            visible: self.entries.len() - self.leased - self.delayed,
            leased: self.leased,
            delayed: self.delayed,
            next_change: self.next_alarm(),
            ..Counts::default()
        }
    }

    pub fn leased(&self) -> usize {
        self.leased
    }

    /// Whether a receiver would get something.
    pub fn has_turn(&self) -> bool {
        !self.turns.is_empty()
    }

    pub fn next_alarm(&self) -> Option<Timestamp> {
        self.alarms.first().map(|(at, ..)| *at)
    }

    pub fn entry(&self, sequence: u64) -> Option<&Entry> {
        self.entries.get(&sequence)
    }

    /// Every message, by sequence.
    pub fn messages(&self) -> Vec<Arc<Message>> {
        self.entries.values().map(|entry| entry.message.clone()).collect()
    }

    /// The message of that id.
    pub fn named(&self, id: &str) -> Option<u64> {
        self.entries.values().find(|entry| *entry.message.id == *id).map(|entry| entry.message.sequence)
    }

    pub fn peek(&self, most: usize) -> Vec<Peeked> {
        self.entries.values().take(most).map(Entry::seen).collect()
    }

    /// Those that would be lent out next.
    pub fn peek_turns(&self, most: usize) -> Vec<Peeked> {
        let next = self.turns.values().flat_map(|turn| self.of_turn(turn, most));
        next.take(most).filter_map(|sequence| self.entries.get(&sequence)).map(Entry::seen).collect()
    }

    /// Counts each message anew.
    pub fn recount(&mut self, count: impl Fn(&Message) -> Counted) {
        for entry in self.entries.values_mut() {
            entry.counted = count(&entry.message);
        }
    }

    /// Makes visible what is lent out.
    pub fn return_all(&mut self, commits: &mut u64) {
        let leased = |entry: &&Entry| matches!(entry.phase, Phase::Leased { .. });
        let out: Vec<u64> =
            self.entries.values().filter(leased).map(|entry| entry.message.sequence).collect();
        for sequence in out {
            self.appear(sequence, commits);
        }
    }

    /// Empties everything and gives it back, to be dropped elsewhere.
    pub fn clear(&mut self) -> Self {
        self.entries.keys().for_each(|sequence| self.trace.message(*sequence));
        let empty = Self {
            trace: self.trace.clone(),
            entries: BTreeMap::new(),
            groups: HashMap::new(),
            turns: BTreeMap::new(),
            alarms: BTreeSet::new(),
            leased: 0,
            delayed: 0,
            ordered: self.ordered,
            retention: self.retention,
            back_off: self.back_off,
            rewinds: self.rewinds,
        };
        std::mem::replace(self, empty)
    }

    /// Behaves as it is told now, but for the order, which is as it was from the beginning.
    pub fn obey(&mut self, settings: &Settings) {
        self.back_off = settings.back_off;
        self.rewinds = settings.rewinds;
        let retention = settings.retention;
        if self.retention == retention {
            return;
        }
        self.retention = retention;
        self.alarms.retain(|(_, _, alarm)| *alarm != Alarm::Expires);
        for (sequence, entry) in &self.entries {
            self.alarms.extend(expiry(retention, entry, *sequence));
        }
    }

    pub fn add(&mut self, message: Arc<Message>, counted: Counted, delay: Duration, now: Timestamp) {
        let sequence = message.sequence;
        self.trace.message(sequence);
        let group = self.group_of(&message);
        let phase = if delay.is_zero() {
            Phase::Ready { rank: None }
        } else {
            self.delayed += 1;
            let until = now.plus(delay);
            self.alarms.insert((until, sequence, Alarm::Appears));
            Phase::Delayed { until }
        };
        let entry = Entry {
            message,
            counted,
            phase,
            count: 0,
            first: None,
            leased_at: now,
            token: 0,
            part: Part::default(),
        };
        self.alarms.extend(expiry(self.retention, &entry, sequence));
        self.entries.insert(sequence, entry);
        if let Some(group) = group {
            self.groups.entry(group.clone()).or_default().members.insert(sequence);
            self.turn_group(&group);
        } else if delay.is_zero() {
            self.turn_message(sequence, sequence);
        }
    }

    /// Puts a message back as it was when it was kept.
    pub fn put_back(&mut self, entry: Entry) {
        let (sequence, phase) = (entry.message.sequence, entry.phase);
        let group = self.group_of(&entry.message);
        self.alarms.extend(expiry(self.retention, &entry, sequence));
        let (until, hidden) = match phase {
            Phase::Ready { .. } => (None, None),
            Phase::Delayed { until } => (Some(until), Some(&mut self.delayed)),
            Phase::Leased { until } => (Some(until), Some(&mut self.leased)),
        };
        if let Some(hidden) = hidden {
            *hidden += 1;
        }
        self.alarms.extend(until.map(|until| (until, sequence, Alarm::Appears)));
        self.entries.insert(sequence, entry);
        match (group, phase) {
            (Some(name), _) => {
                let group = self.groups.entry(name.clone()).or_default();
                group.members.insert(sequence);
                group.leased += usize::from(matches!(phase, Phase::Leased { .. }));
                self.turn_group(&name);
            }
            (None, Phase::Ready { rank }) => self.turn_message(sequence, rank.unwrap_or(sequence)),
            (None, _) => {}
        }
    }

    /// Ends delays, leases and lives that are over. Each return takes a commit number.
    pub fn settle(&mut self, now: Timestamp, commits: &mut u64) {
        while let Some((at, sequence, alarm)) = self.alarms.first().copied() {
            if at > now {
                return;
            }
            match alarm {
                Alarm::Appears => self.come_back(sequence, now, commits),
                Alarm::Expires => drop(self.remove(sequence)),
            }
        }
    }

    /// Ends a delay or a lease. What was lent out stays hidden for as long as the back-off wants.
    pub fn come_back(&mut self, sequence: u64, now: Timestamp, commits: &mut u64) {
        let Some(entry) = self.entries.get(&sequence) else { return };
        let was_leased = matches!(entry.phase, Phase::Leased { .. });
        let wait =
            self.back_off.filter(|_| was_leased).map_or(Duration::ZERO, |rule| rule.after(entry.count));
        let message = entry.message.clone();
        self.appear(sequence, commits);
        if !wait.is_zero() {
            self.hide(sequence, now.plus(wait));
        }
        if was_leased && self.rewinds {
            self.rewind(&message, commits);
        }
    }

    /// Takes back the later messages of a group that are out.
    fn rewind(&mut self, from: &Message, commits: &mut u64) {
        let group = self.group_of(from).and_then(|name| self.groups.get(&name));
        let members = group.into_iter().flat_map(|group| group.members.range(from.sequence + 1..));
        let later: Vec<u64> = members.copied().collect();
        for sequence in later {
            if self.entries.get(&sequence).is_some_and(|entry| matches!(entry.phase, Phase::Leased { .. })) {
                self.appear(sequence, commits);
            }
        }
    }

    /// Hides a message that is visible.
    fn hide(&mut self, sequence: u64, until: Timestamp) {
        self.leave_turn(sequence);
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        entry.phase = Phase::Delayed { until };
        self.trace.standing(sequence);
        let message = entry.message.clone();
        self.delayed += 1;
        self.alarms.insert((until, sequence, Alarm::Appears));
        if let Some(group) = self.group_of(&message) {
            self.turn_group(&group);
        }
    }

    /// Makes a hidden message visible now.
    pub fn appear(&mut self, sequence: u64, commits: &mut u64) {
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        let (until, was_leased) = match entry.phase {
            Phase::Ready { .. } => return,
            Phase::Delayed { until } => (until, false),
            Phase::Leased { until } => (until, true),
        };
        entry.phase = Phase::Ready { rank: None };
        self.trace.standing(sequence);
        entry.part = Part::default();
        let message = entry.message.clone();
        self.alarms.remove(&(until, sequence, Alarm::Appears));
        let hidden = if was_leased { &mut self.leased } else { &mut self.delayed };
        *hidden -= 1;
        let Some(name) = self.group_of(&message) else {
            *commits += 1;
            return self.turn_message(sequence, *commits);
        };
        if let Some(group) = self.groups.get_mut(&name) {
            group.leased -= usize::from(was_leased);
        }
        self.turn_group(&name);
    }

    /// What is next in turn: the message at the front, or those at the front of the group whose turn it is.
    pub fn next_turn(&self, most: usize) -> Vec<u64> {
        self.turns.values().next().map(|turn| self.of_turn(turn, most)).unwrap_or_default()
    }

    fn of_turn(&self, turn: &Turn, most: usize) -> Vec<u64> {
        match turn {
            Turn::Message(sequence) => vec![*sequence],
            Turn::Group(name) => {
                let members = self.groups.get(name).into_iter().flat_map(|group| &group.members);
                members.copied().take_while(|sequence| self.is_ready(*sequence)).take(most).collect()
            }
        }
    }

    /// Lends out a message that is ready.
    pub fn lease(&mut self, sequence: u64, now: Timestamp, until: Timestamp, token: u64) -> Option<&Entry> {
        self.leave_turn(sequence);
        let entry = self.entries.get_mut(&sequence)?;
        entry.phase = Phase::Leased { until };
        self.trace.standing(sequence);
        entry.count += 1;
        entry.first.get_or_insert(now);
        entry.leased_at = now;
        entry.token = token;
        let message = entry.message.clone();
        self.leased += 1;
        self.alarms.insert((until, sequence, Alarm::Appears));
        if let Some(name) = self.group_of(&message) {
            if let Some(group) = self.groups.get_mut(&name) {
                group.leased += 1;
            }
            self.turn_group(&name);
        }
        self.entries.get(&sequence)
    }

    /// A lease counts against its receiver's allowance from now on.
    pub fn count_in(&mut self, sequence: u64, allowance: &Arc<Allowance>) {
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.part = Part::of(allowance, entry.message.size());
        }
    }

    /// Moves the end of a lease; the token may change with it.
    pub fn extend(&mut self, sequence: u64, end: Timestamp, token: u64) {
        let Some(entry) = self.entries.get_mut(&sequence) else { return };
        if let Phase::Leased { until } = &mut entry.phase {
            self.alarms.remove(&(*until, sequence, Alarm::Appears));
            self.alarms.insert((end, sequence, Alarm::Appears));
            *until = end;
            entry.token = token;
            self.trace.standing(sequence);
        }
    }

    /// Puts other words into a message.
    pub fn rewrite(&mut self, sequence: u64, message: Message) {
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.message = Arc::new(message);
            self.trace.message(sequence);
        }
    }

    /// Forgets how often a message was lent out, once: it was given back untouched.
    pub fn uncount(&mut self, sequence: u64) {
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.count = entry.count.saturating_sub(1);
            self.trace.standing(sequence);
        }
    }

    pub fn remove(&mut self, sequence: u64) -> Option<Entry> {
        self.leave_turn(sequence);
        let entry = self.entries.remove(&sequence)?;
        self.trace.message(sequence);
        let hidden = match entry.phase {
            Phase::Ready { .. } => None,
            Phase::Delayed { until } => Some((until, &mut self.delayed)),
            Phase::Leased { until } => Some((until, &mut self.leased)),
        };
        if let Some((until, count)) = hidden {
            *count -= 1;
            self.alarms.remove(&(until, sequence, Alarm::Appears));
        }
        if let Some(expiry) = expiry(self.retention, &entry, sequence) {
            self.alarms.remove(&expiry);
        }
        if let Some(name) = self.group_of(&entry.message) {
            if let Some(group) = self.groups.get_mut(&name) {
                group.members.remove(&sequence);
                group.leased -= usize::from(matches!(entry.phase, Phase::Leased { .. }));
            }
            self.turn_group(&name);
        }
        Some(entry)
    }

    fn is_ready(&self, sequence: u64) -> bool {
        self.entries.get(&sequence).is_some_and(|entry| matches!(entry.phase, Phase::Ready { .. }))
    }

    /// The group that holds a message back, if one does.
    fn group_of(&self, message: &Message) -> Option<Arc<str>> {
        if self.ordered { message.group.clone() } else { None }
    }

    fn turn_message(&mut self, sequence: u64, rank: u64) {
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.phase = Phase::Ready { rank: Some(rank) };
            self.trace.standing(sequence);
            self.turns.insert(rank, Turn::Message(sequence));
        }
    }

    fn leave_turn(&mut self, sequence: u64) {
        if let Some(Entry { phase: Phase::Ready { rank: Some(rank) }, .. }) = self.entries.get(&sequence) {
            self.turns.remove(rank);
        }
    }

    /// Gives a group its turn, or takes it away: its first message must be ready and none be out.
    fn turn_group(&mut self, name: &Arc<str>) {
        let Some(group) = self.groups.get(name) else { return };
        let first = group.members.first().copied();
        let rank = first.filter(|first| group.leased == 0 && self.is_ready(*first));
        if let Some(old) = group.rank.filter(|old| Some(*old) != rank) {
            self.turns.remove(&old);
        }
        if let Some(rank) = rank {
            self.turns.insert(rank, Turn::Group(name.clone()));
        }
        if first.is_none() {
            self.groups.remove(name);
        } else if let Some(group) = self.groups.get_mut(name) {
            group.rank = rank;
        }
    }
}

fn expiry(retention: Option<Duration>, entry: &Entry, sequence: u64) -> Option<(Timestamp, u64, Alarm)> {
    let own = entry.message.expires;
    let end = own.or_else(|| Some(entry.message.enqueued.plus(retention?)))?;
    // What lives for ever has no deadline.
    (end < Timestamp(i64::MAX)).then_some((end, sequence, Alarm::Expires))
}
