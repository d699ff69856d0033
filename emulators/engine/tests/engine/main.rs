//! The engine at its boundary: real dispatchers, instances and watch; fake builds, processes and protocols;
//! time that stands still until everybody waits.

mod building;
mod caring;
mod concurrency;
mod conditions;
mod crowds;
mod endings;
mod fake;
mod idle;
mod inits;
mod interrupting;
mod property;
mod records;
mod reload;
mod stopping;
mod warmth;
mod watching;
