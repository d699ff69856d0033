//! What of the cloud a verb's daemon makes as it is there.

use crate::config::{CpuHeld, Passing, Settings, Starts};
use crate::daemon::simulating::Simulating;
use clap::Args;

#[derive(Clone, Copy, Debug, Default, Args)]
pub struct SimulateArgs {
    /// Hold functions to the CPU that their cloud gives to their memory (`share`), or let them run at full speed (`off`)
    #[arg(long, value_name = "HOW", env = "MLEMU_CPU", hide_env = true)]
    cpu: Option<CpuHeld>,
    /// Tell what a cold start would take in the cloud before your code runs: not (`off`), the median (`typical`), or
    /// drawn (`sampled`)
    #[arg(long, value_name = "HOW")]
    cold_starts: Option<Starts>,
    /// Whether what is simulated is only told (`virtual`, the default) or also waited for (`real`)
    #[arg(long, value_name = "HOW")]
    cold_time: Option<Passing>,
}

/// What a verb does when nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Somebody watches: as it would be.
    People,
    /// Nobody waits for what he did not ask for.
    Tests,
}

impl SimulateArgs {
    /// The command line's word, else the project's, else what is usual.
    pub fn wanted(self, settings: &Settings, usual: For) -> Simulating {
        let said = &settings.simulate;
        let cpu = self.cpu.or(said.cpu);
        Simulating {
            cpu: cpu.map_or(usual == For::People, |cpu| cpu == CpuHeld::Share),
            cold_starts: self.cold_starts.or(said.cold_starts).unwrap_or(Starts::Off).into(),
            sleeps: self.cold_time.or(said.time) == Some(Passing::Real),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlemu_core::ColdStarts;

    #[test]
    fn the_command_line_comes_before_the_project() {
        let mut settings = Settings::default();
        let args = SimulateArgs::default();
        assert!(args.wanted(&settings, For::People).cpu && !args.wanted(&settings, For::Tests).cpu);
        settings.simulate.cpu = Some(CpuHeld::Off);
        settings.simulate.cold_starts = Some(Starts::Sampled);
        let wanted = args.wanted(&settings, For::People);
        assert_eq!((wanted.cpu, wanted.cold_starts), (false, ColdStarts::Sampled));
        let args = SimulateArgs { cpu: Some(CpuHeld::Share), cold_time: Some(Passing::Real), ..args };
        let wanted = args.wanted(&settings, For::Tests);
        assert!(wanted.cpu && wanted.sleeps);
    }
}
