//! The session alone: the library is loaded, the model too, and it is run again and again on one row of ten numbers.
//!
//! What a call of a function that is this model takes beyond, and what its process needs beyond, is the price of
//! everything that mlemu does around it. Prints `ready`, then the median of the calls in milliseconds, and waits for the
//! end of its input, so that its memory can be looked at. Usage: `session LIBRARY MODEL CALLS`; `benches/onnx.py` starts
//! it.

use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;
use std::error::Error;
use std::io::Read;
use std::time::Instant;

const ROW: [f32; 10] = [59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0];

#[expect(clippy::print_stdout, reason = "it is a program")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("usage: session LIBRARY MODEL CALLS");
    let (library, model, calls) = (next()?, next()?, next()?.parse::<usize>()?);
    let environment = ort::init_from(&library)?.with_telemetry(false).build()?;
    let builder = Session::builder(&environment)?;
    let mut builder = builder.with_intra_threads(1).map_err(|error| error.to_string())?;
    let mut session = builder.commit_from_file(&model)?;
    println!("ready");
    let name = session.inputs().first().ok_or("the model takes nothing")?.name().to_owned();
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let row = Tensor::from_array((vec![1_i64, 10], ROW.to_vec()))?;
        let begun = now();
        session.run(vec![(name.clone(), SessionInputValue::from(row))])?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    println!("{:.6}", times[times.len() / 2].as_secs_f64() * 1000.0);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "it measures real time and nothing else")]
fn now() -> Instant {
    Instant::now()
}
