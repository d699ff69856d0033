//! Starting, talking, freezing, ending.

use crate::runner::Test;
use crate::stage::{Stage, block_on, everywhere, numbers, soon, spec};
use mlemu_core::{Ending, Sandbox};
use std::fs;
use std::path::{Path, PathBuf};

pub const TESTS: &[Test] = &[
    ("an_exit_code_arrives", an_exit_code_arrives),
    ("a_signal_arrives", a_signal_arrives),
    ("a_missing_program_says_why", a_missing_program_says_why),
    ("a_function_sees_only_what_it_was_given", a_function_sees_only_what_it_was_given),
    ("secrets_are_on_no_command_line", secrets_are_on_no_command_line),
    ("both_streams_arrive_whole", both_streams_arrive_whole),
    ("a_flood_stalls_nobody", a_flood_stalls_nobody),
    ("killed_is_killed_however_often_it_is_asked", killed_is_killed_however_often_it_is_asked),
    ("dropping_kills", dropping_kills),
    ("who_stops_its_shim_is_killed_all_the_same", who_stops_its_shim_is_killed_all_the_same),
    ("who_stops_its_shim_and_ends_has_ended", who_stops_its_shim_and_ends_has_ended),
    ("frozen_stands_still_and_thawed_goes_on", frozen_stands_still_and_thawed_goes_on),
    ("frozen_can_be_killed", frozen_can_be_killed),
    ("tmp_outlives_a_restart_and_is_forgotten", tmp_outlives_a_restart_and_is_forgotten),
    ("a_project_below_tmp_is_still_there", a_project_below_tmp_is_still_there),
    ("a_project_below_tmp_is_seen_through_links", a_project_below_tmp_is_seen_through_links),
    ("many_lives_leave_nothing", many_lives_leave_nothing),
];

fn who_stops_its_shim_is_killed_all_the_same() {
    everywhere(|stage| async move {
        for then in ["pause", "again"] {
            let (spec, said) = spec(&["stop-shim", then]);
            let running = stage.start(spec).await;
            let pids = numbers(&said.wait_for("stopped=").await, "stopped");
            running.kill();
            assert_eq!(soon(running.ended()).await, Ending::Killed);
            for pid in pids {
                assert!(!Path::new(&format!("/proc/{pid}/exe")).exists(), "{pid} is left");
            }
        }
    });
}

fn who_stops_its_shim_and_ends_has_ended() {
    everywhere(|stage| async move {
        let running = stage.start(spec(&["stop-shim", "exit"]).0).await;
        assert_eq!(soon(running.ended()).await, Ending::Exit(5));
    });
}

fn an_exit_code_arrives() {
    everywhere(|stage| async move {
        let (spec, _) = spec(&["exit", "7"]);
        let running = stage.start(spec).await;
        assert_eq!(soon(running.ended()).await, Ending::Exit(7));
        assert_eq!(soon(running.ended()).await, Ending::Exit(7));
    });
}

fn a_signal_arrives() {
    everywhere(|stage| async move {
        let running = stage.start(spec(&["abort"]).0).await;
        assert_eq!(soon(running.ended()).await, Ending::Signal(libc::SIGABRT));
    });
}

fn a_missing_program_says_why() {
    block_on(async {
        let stage = Stage::new();
        let script = stage.scratch.path().join("bootstrap");
        let why = |program: PathBuf, folder: &str| {
            let (mut spec, _) = spec(&["x"]);
            (spec.program, spec.folder) = (program, folder.into());
            let started = stage.processes.start(spec);
            async { started.await.err().unwrap().why }
        };
        assert!(why("/does/not/exist".into(), "/").await.contains("No such file"));
        assert!(why("/bin/sh".into(), "/not/there").await.contains("`/not/there` is not there"));
        fs::write(&script, "#!/not/an/interpreter\n").unwrap();
        assert!(why(script.clone(), "/").await.contains("not executable"));
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert!(why(script.clone(), "/").await.contains("interpreter"));
        fs::write(&script, "\x7fELFgarbage").unwrap();
        assert!(why(script, "/").await.contains("neither a program"));
    });
}

fn a_function_sees_only_what_it_was_given() {
    // A descriptor that the daemon got from its own parent, open for everybody.
    let leaked = fs::File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    block_on(async {
        let stage = Stage::new();
        let (mut spec, said) = spec(&["show"]);
        spec.folder = "/usr".into();
        let running = stage.start(spec).await;
        let shown = said.wait_for("shown").await;
        let lines = |prefix: &str| shown.lines().filter(|line| line.starts_with(prefix)).collect::<Vec<_>>();
        assert_eq!(lines("env "), ["env GREETING=hello"]);
        assert!(!shown.contains("/etc/hostname"), "{shown}");
        // The fourth is the listing itself.
        assert_eq!(lines("fd ").len(), 4, "{shown}");
        assert!(shown.contains("fd 0 /dev/null"));
        assert!(shown.contains("cwd /usr"));
        assert!(shown.contains("oom 500"));
        assert!(lines("Max open files")[0].split_ascii_whitespace().nth(3) == Some("1024"), "{shown}");
        assert!(lines("Max core file size")[0].split_ascii_whitespace().nth(4) == Some("0"));
        assert!(shown.contains("SigBlk:\t0000000000000000"), "{shown}");
        // Rust's own start ignores SIGPIPE again; above are the C library's own signals.
        let ignored = lines("SigIgn:")[0].split_once('\t').unwrap().1;
        assert_eq!(u64::from_str_radix(ignored, 16).unwrap() & 0x7fff_ffff, 0x1000, "{shown}");
        assert_eq!(soon(running.ended()).await, Ending::Exit(0));
    });
    drop(leaked);
}

fn secrets_are_on_no_command_line() {
    block_on(async {
        let stage = Stage::new();
        let (mut spec, said) = spec(&["tree"]);
        spec.env.insert("SECRET".into(), "hunter2-hunter2".into());
        let _running = stage.start(spec).await;
        let shim = parent(numbers(&said.wait_for("pids=").await, "pids")[0]);
        let line = fs::read_to_string(format!("/proc/{shim}/cmdline")).unwrap();
        assert!(line.contains("shim") && !line.contains("hunter2"), "{line}");
        assert!(!fs::read_to_string(format!("/proc/{shim}/environ")).unwrap().contains("hunter2"));
    });
}

fn parent(pid: i32) -> i32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}

fn both_streams_arrive_whole() {
    everywhere(|stage| async move {
        let (spec, said) = spec(&["print"]);
        let running = stage.start(spec).await;
        soon(running.ended()).await;
        soon(running.drain()).await;
        assert_eq!((said.stdout().as_str(), said.stderr().as_str()), ("to stdout\n", "to stderr\n"));
    });
}

fn a_flood_stalls_nobody() {
    block_on(async {
        let stage = Stage::new();
        let (flood, said) = spec(&["flood"]);
        let flood = stage.start(flood).await;
        said.wait_for("xxx").await;
        // Complete although the flood goes on.
        soon(flood.drain()).await;
        let (other, said) = spec(&["print"]);
        let other = stage.start(other).await;
        soon(other.ended()).await;
        soon(other.drain()).await;
        assert_eq!(said.stdout(), "to stdout\n");
        flood.kill();
        assert_eq!(soon(flood.ended()).await, Ending::Killed);
        soon(flood.drain()).await;
    });
}

fn killed_is_killed_however_often_it_is_asked() {
    everywhere(|stage| async move {
        let running = stage.start(spec(&["pause"]).0).await;
        running.kill();
        running.kill();
        assert_eq!(soon(running.ended()).await, Ending::Killed);
        running.kill();
        assert_eq!(soon(running.ended()).await, Ending::Killed);
    });
}

fn dropping_kills() {
    everywhere(|stage| async move {
        let (spec, said) = spec(&["tree"]);
        let running = stage.start(spec).await;
        let text = said.wait_for("thread=").await;
        let mut pids = numbers(&text, "pids");
        pids.extend(numbers(&text, "thread"));
        assert_eq!(pids.len(), 5, "{text}");
        let ended = running.ended();
        drop(running);
        assert_eq!(soon(ended).await, Ending::Killed);
        // Told only when nothing is left.
        let left: Vec<_> = pids.iter().filter(|pid| fs::metadata(format!("/proc/{pid}")).is_ok()).collect();
        assert!(left.is_empty(), "{left:?} of {pids:?}");
    });
}

fn frozen_stands_still_and_thawed_goes_on() {
    everywhere(|stage| async move {
        let (spec, said) = spec(&["count"]);
        let running = stage.start(spec).await;
        said.wait_for("\n5\n").await;
        for _ in 0..3 {
            soon(running.freeze()).await;
            soon(running.drain()).await;
            let before = (said.stdout().len(), running.measure().cpu);
            spin_elsewhere(&stage).await;
            soon(running.drain()).await;
            assert_eq!((said.stdout().len(), running.measure().cpu), before);
            soon(running.thaw()).await;
            let next = said.stdout().lines().last().unwrap().parse::<u64>().unwrap() + 100;
            said.wait_for(&format!("\n{next}\n")).await;
        }
    });
}

/// Lets 50 ms of CPU time go by.
async fn spin_elsewhere(stage: &Stage) {
    let (spec, said) = spec(&["spin", "50"]);
    let _running = stage.start(spec).await;
    said.wait_for("spun").await;
}

fn frozen_can_be_killed() {
    everywhere(|stage| async move {
        let (spec, said) = spec(&["tree"]);
        let running = stage.start(spec).await;
        said.wait_for("thread=").await;
        soon(running.freeze()).await;
        running.kill();
        assert_eq!(soon(running.ended()).await, Ending::Killed);
        // Nothing to stop any more, and no reason to wait.
        soon(running.freeze()).await;
        soon(running.thaw()).await;
    });
}

fn tmp_outlives_a_restart_and_is_forgotten() {
    block_on(async {
        let stage = Stage::new();
        let starts = |name: &'static str| async {
            let (mut spec, said) = spec(&["keep", "starts"]);
            spec.tmp_name = name.into();
            let running = stage.start(spec).await;
            soon(running.ended()).await;
            soon(running.drain()).await;
            numbers(&said.stdout(), "starts")[0]
        };
        assert_eq!(starts("one").await, 1);
        assert_eq!(starts("one").await, 2);
        assert_eq!(starts("../one").await, 1);
        stage.processes.forget("one");
        assert_eq!(starts("one").await, 1);
        assert!(!PathBuf::from("/tmp/starts").exists(), "it was the machine's own /tmp");
    });
}

fn a_project_below_tmp_is_still_there() {
    block_on(async {
        let stage = Stage::new();
        let project = tempfile::tempdir_in("/tmp").unwrap();
        let other = tempfile::tempdir_in("/tmp").unwrap();
        let (mut spec, said) = spec(&["show"]);
        spec.folder = project.path().into();
        let _running = stage.start(spec).await;
        let shown = said.wait_for("shown").await;
        assert!(shown.contains(&format!("cwd {}", project.path().display())));
        if stage.processes.limits_tmp() {
            let name = other.path().file_name().unwrap().to_str().unwrap();
            assert!(!shown.contains(&format!("tmp {name}")), "the machine's /tmp shows: {shown}");
        }
    });
}

/// A folder of links elsewhere, as packages in a cache need it.
fn a_project_below_tmp_is_seen_through_links() {
    block_on(async {
        let stage = Stage::new();
        let project = tempfile::tempdir_in("/tmp").unwrap();
        let view = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::os::unix::fs::symlink(project.path().join("code"), view.path().join("code")).unwrap();
        let (mut spec, said) = spec(&["show"]);
        spec.folder = view.path().into();
        let _running = stage.start(spec).await;
        let shown = said.wait_for("shown").await;
        let name = project.path().file_name().unwrap().to_str().unwrap();
        assert!(shown.contains(&format!("tmp {name}")), "the project is hidden: {shown}");
    });
}

fn many_lives_leave_nothing() {
    everywhere(|stage| async move {
        let round = async |index: u32| {
            let killed = index.is_multiple_of(2);
            let running = stage.start(spec(&[if killed { "pause" } else { "exit" }]).0).await;
            if killed {
                running.kill();
            }
            soon(running.ended()).await;
            soon(running.drain()).await;
        };
        round(0).await;
        let before = descriptors();
        for index in 0..200 {
            round(index).await;
        }
        tokio::task::yield_now().await;
        // A shim may stand ready for the next one, with its socket and pipes, or not.
        let after = descriptors();
        assert!(after <= before + 3, "descriptors: {before} before, {after} after");
        assert_eq!(zombies(), 0);
        let (groups, kinds) = groups();
        assert!(groups <= kinds, "{groups} groups of {kinds} kinds");
    });
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Dead children of ours that nobody has collected.
fn zombies() -> usize {
    let own = std::process::id() as i32;
    let all =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_zombie = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.contains("State:\tZ") && status.contains(&format!("PPid:\t{own}\n"))
    };
    all.filter(is_zombie).count()
}

/// How many groups for instances this process has, and in how many hierarchies.
fn groups() -> (usize, usize) {
    let mine = format!("mlemu-{}-", std::process::id());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points =
        mounts.lines().filter(|line| line.contains(" - cgroup")).filter_map(|line| line.split(' ').nth(4));
    let mut sessions = Vec::new();
    points.for_each(|point| find_sessions(point.as_ref(), &mine, &mut sessions));
    (sessions.iter().map(|session| folders(session).len()).sum(), sessions.len())
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).collect()
}

fn find_sessions(parent: &Path, mine: &str, found: &mut Vec<PathBuf>) {
    for folder in folders(parent) {
        if folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(mine)) {
            found.push(folder);
        } else {
            find_sessions(&folder, mine, found);
        }
    }
}
