//! Sounds as tensors: one channel of numbers from -1 to 1.

use crate::spec::Input;
use crate::tensor::{Tensor, Wanted};
use hound::{SampleFormat, WavReader};
use std::io::Cursor;

/// A longer sound is refused: ten minutes at 48 kHz.
const MOST_SAMPLES: usize = 28_800_000;

pub(crate) fn tensor(bytes: &[u8], spec: &Input, wanted: &Wanted) -> Result<Tensor, String> {
    let reader =
        WavReader::new(Cursor::new(bytes)).map_err(|error| format!("this is no WAV sound: {error}"))?;
    let head = reader.spec();
    if let Some(rate) = spec.rate
        && rate != head.sample_rate
    {
        return Err(format!("the sound has {} Hz and the model takes {rate} Hz", head.sample_rate));
    }
    if reader.len() as usize > MOST_SAMPLES {
        return Err("the sound is longer than ten minutes".into());
    }
    let broken = |error: hound::Error| format!("the sound breaks off: {error}");
    let samples: Vec<f64> = match head.sample_format {
        SampleFormat::Float => {
            reader.into_samples::<f32>().map(|one| one.map(f64::from)).collect::<Result<_, _>>()
        }
        SampleFormat::Int => {
            let most = f64::from(1u32 << (u32::from(head.bits_per_sample).clamp(1, 32) - 1));
            reader.into_samples::<i32>().map(|one| one.map(|one| f64::from(one) / most)).collect()
        }
    }
    .map_err(broken)?;
    let channels = usize::from(head.channels.max(1));
    let mixed = samples.chunks(channels).map(|one| one.iter().sum::<f64>() / channels as f64).collect();
    Ok(row(mixed, spec, wanted))
}

/// A row of numbers, cut or filled up where the model or the project has a length.
pub(crate) fn row(mut values: Vec<f64>, spec: &Input, wanted: &Wanted) -> Tensor {
    let own = wanted.shape.last().copied().filter(|length| *length > 0);
    if let Some(length) = spec.length.or(own.map(|own| own as usize)) {
        values.resize(length, 0.0);
    }
    let mut shape = vec![1; wanted.shape.len().max(1)];
    if let Some(last) = shape.last_mut() {
        *last = values.len() as i64;
    }
    Tensor::of_numbers(shape, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Element, Values};
    use hound::{WavSpec, WavWriter};

    fn wav(samples: &[i16]) -> Vec<u8> {
        let spec = WavSpec {
            channels: 2,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        for sample in samples {
            writer.write_sample(*sample).unwrap();
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn wanted(length: i64) -> Wanted {
        Wanted { name: "input".into(), element: Element::F32, shape: vec![-1, length] }
    }

    #[test]
    fn channels_are_mixed_and_lengths_kept() {
        let bytes = wav(&[16_384, 0, -32_768, -32_768]);
        let open = tensor(&bytes, &Input::default(), &wanted(-1)).unwrap();
        assert_eq!((open.shape.as_slice(), &open.values), (&[1, 2][..], &Values::Numbers(vec![0.25, -1.0])));
        let fixed = tensor(&bytes, &Input::default(), &wanted(3)).unwrap();
        assert_eq!(fixed.values, Values::Numbers(vec![0.25, -1.0, 0.0]));
    }

    #[test]
    fn another_rate_and_no_sound_are_said() {
        let spec = Input { rate: Some(8_000), ..Input::default() };
        let of = |bytes: &[u8]| tensor(bytes, &spec, &wanted(-1)).unwrap_err();
        assert!(of(&wav(&[1, 2])).contains("16000 Hz"));
        assert!(of(b"RIFFnot really").contains("no WAV sound"));
        assert!(tensor(&wav(&[1, 2])[..45], &Input::default(), &wanted(-1)).is_err());
    }
}
