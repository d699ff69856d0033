//! Pictures as tensors: decoded, cropped to the middle, resized, and laid out as the model wants them.

use crate::spec::Input;
use crate::tensor::{Tensor, Wanted};
use image::imageops::FilterType;
use image::{ImageReader, Limits, RgbImage};
use std::io::Cursor;

/// Larger ones are refused before they are decoded: in pixels, and in bytes.
const MOST_PIXELS: u32 = 16_384;
const MOST_MEMORY: u64 = 512 << 20;
const CHANNELS: usize = 3;

/// How the numbers of a picture are laid out.
#[derive(Clone, Copy, PartialEq)]
enum Layout {
    /// One plane a channel.
    Planes,
    /// The channels of a pixel side by side.
    Pixels,
}

pub(crate) fn tensor(bytes: &[u8], spec: &Input, wanted: &Wanted) -> Result<Tensor, String> {
    let (layout, width, height) = place(spec, wanted)?;
    let picture = shrink(decode(bytes)?, width, height);
    let (mean, scale) = (each(&spec.mean, 0.0)?, each(&spec.scale, 255.0)?);
    let value = |pixel: &image::Rgb<u8>, channel: usize| {
        (f64::from(pixel.0[channel]) - mean[channel]) / scale[channel]
    };
    let pixels = || picture.pixels();
    let values = match layout {
        Layout::Planes => (0..CHANNELS)
            .flat_map(|channel| pixels().map(move |pixel| (pixel, channel)))
            .map(|(p, c)| value(p, c))
            .collect(),
        Layout::Pixels => pixels().flat_map(|pixel| (0..CHANNELS).map(move |c| value(pixel, c))).collect(),
    };
    let (width, height, channels) = (i64::from(width), i64::from(height), CHANNELS as i64);
    let shape = match layout {
        Layout::Planes => vec![1, channels, height, width],
        Layout::Pixels => vec![1, height, width, channels],
    };
    Ok(Tensor::of_numbers(shape, values))
}

fn place(spec: &Input, wanted: &Wanted) -> Result<(Layout, u32, u32), String> {
    let channels = CHANNELS as i64;
    let (layout, height, width) = match wanted.shape[..] {
        [_, depth, height, width] if depth == channels => (Layout::Planes, height, width),
        [_, height, width, depth] if depth == channels => (Layout::Pixels, height, width),
        [_, -1, height, width] => (Layout::Planes, height, width),
        _ => return Err(format!("the model takes {}, which is no picture in three colours", wanted.shown())),
    };
    let [wide, high] = spec.size.unwrap_or_default();
    let length = |said: u32, own: i64| match u32::try_from(own) {
        Ok(own) => Some(own),
        Err(_) => Some(said).filter(|said| (1..=MOST_PIXELS).contains(said)),
    };
    match (length(wide, width), length(high, height)) {
        (Some(wide), Some(high)) => Ok((layout, wide, high)),
        _ => Err(format!(
            "the model takes {} of any size: say which with `size = [width, height]`",
            wanted.shown()
        )),
    }
}

fn decode(bytes: &[u8]) -> Result<RgbImage, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| format!("the picture cannot be read: {error}"))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MOST_PIXELS);
    limits.max_image_height = Some(MOST_PIXELS);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| format!("this is no picture (PNG or JPEG): {error}"))?;
    Ok(picture.into_rgb8())
}

/// The largest part in the middle that has the wanted form, at the wanted size.
fn shrink(picture: RgbImage, width: u32, height: u32) -> RgbImage {
    let (wide, high) = picture.dimensions();
    let (by_width, by_height) = (u64::from(wide) * u64::from(height), u64::from(high) * u64::from(width));
    let (keep_wide, keep_high) = if by_width > by_height {
        ((by_height / u64::from(height)) as u32, high)
    } else {
        (wide, (by_width / u64::from(width)) as u32)
    };
    let (keep_wide, keep_high) = (keep_wide.max(1), keep_high.max(1));
    let (left, top) = ((wide - keep_wide) / 2, (high - keep_high) / 2);
    let part = image::imageops::crop_imm(&picture, left, top, keep_wide, keep_high).to_image();
    image::imageops::resize(&part, width, height, FilterType::Triangle)
}

/// One number a channel.
fn each(said: &[f64], usual: f64) -> Result<[f64; CHANNELS], String> {
    match *said {
        [] => Ok([usual; CHANNELS]),
        [one] => Ok([one; CHANNELS]),
        [red, green, blue] => Ok([red, green, blue]),
        _ => Err("`mean` and `scale` are one number, or one for each of three colours".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Element, Values};

    fn wanted(shape: &[i64]) -> Wanted {
        Wanted { name: "image".into(), element: Element::F32, shape: shape.into() }
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        // Red on the left, blue on the right.
        let picture = RgbImage::from_fn(width, height, |x, _| {
            image::Rgb(if x < width / 2 { [255, 0, 0] } else { [0, 0, 255] })
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        let Values::Numbers(numbers) = &tensor.values else { panic!("texts") };
        numbers.clone()
    }

    #[test]
    fn both_layouts() {
        let (spec, picture) = (Input::default(), png(2, 1));
        let planes = tensor(&picture, &spec, &wanted(&[-1, 3, 1, 2])).unwrap();
        assert_eq!(
            (planes.shape.as_slice(), numbers(&planes)),
            (&[1, 3, 1, 2][..], vec![1., 0., 0., 0., 0., 1.])
        );
        let pixels = tensor(&picture, &spec, &wanted(&[1, 1, 2, 3])).unwrap();
        assert_eq!(numbers(&pixels), [1., 0., 0., 0., 0., 1.]);
    }

    #[test]
    fn the_middle_is_kept_and_numbers_are_scaled() {
        let spec = Input { mean: vec![127.0], scale: vec![128.0], size: Some([2, 2]), ..Input::default() };
        let tensor = tensor(&png(100, 10), &spec, &wanted(&[-1, 3, -1, -1])).unwrap();
        assert_eq!(tensor.shape, [1, 3, 2, 2]);
        let numbers = numbers(&tensor);
        let [left, right] = [numbers[0], numbers[1]];
        assert!(left > 0.7 && right < -0.7, "red only on the left: {left} {right}");
        assert!((left + right - 1.0 / 128.0).abs() < 0.02, "as much as there is: {left} {right}");
    }

    #[test]
    fn what_is_no_picture_is_said() {
        let of = |bytes: &[u8], shape: &[i64]| tensor(bytes, &Input::default(), &wanted(shape)).unwrap_err();
        assert!(of(b"GIF?", &[-1, 3, 2, 2]).contains("no picture"));
        assert!(of(&png(2, 2)[..40], &[-1, 3, 2, 2]).contains("no picture"));
        assert!(of(&png(2, 2), &[-1, 10]).contains("`image` [?, 10]"));
        assert!(of(&png(2, 2), &[-1, 3, -1, -1]).contains("size ="));
    }

    #[test]
    fn a_picture_that_says_that_it_is_huge_is_refused() {
        let mut bomb = png(2, 2);
        bomb[16..20].copy_from_slice(&100_000u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&100_000u32.to_be_bytes());
        assert!(tensor(&bomb, &Input::default(), &wanted(&[-1, 3, 2, 2])).is_err());
    }
}
