//! Pictures of products: a sky, and some moons before it, all from the product's title and number.

use sha2::{Digest as _, Sha256};

/// Width and height in pixels.
const SIDE: u32 = 480;
/// Moons of a picture.
const MOONS: usize = 5;

/// Red, green, blue; 0 to 255.
type Colour = [f32; 3];

/// A disc that lets some of what is behind it through.
struct Moon {
    x: f32,
    y: f32,
    radius: f32,
    colour: Colour,
}

/// A PNG for a product, always the same one.
///
/// # Errors
/// None in practice: it is written to memory.
pub(super) fn picture(title: &str, number: i64) -> Result<Vec<u8>, png::EncodingError> {
    let mut seed = Seed::new(title, number);
    let hue = seed.share();
    let (top, bottom) = (colour(hue, 0.95), colour(hue + 0.12, 0.55));
    let moons: [Moon; MOONS] = std::array::from_fn(|_| Moon {
        x: seed.between(0.1, 0.9),
        y: seed.between(0.2, 1.0),
        radius: seed.between(0.08, 0.32),
        colour: colour(hue + seed.between(0.3, 0.6), 1.0),
    });
    let (mut png, side) = (Vec::new(), SIDE as f32);
    let mut encoder = png::Encoder::new(&mut png, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header()?;
    let mut pixels = Vec::with_capacity((SIDE * SIDE * 3) as usize);
    for row in 0..SIDE {
        let y = row as f32 / side;
        for column in 0..SIDE {
            let x = column as f32 / side;
            let sky = mix(top, bottom, y);
            let seen = moons.iter().fold(sky, |behind, moon| {
                mix(behind, moon.colour, moon.cover(x, y))
            });
            // Between 0 and 255 already.
            pixels.extend(seen.map(|part| part as u8));
        }
    }
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(png)
}

impl Moon {
    /// How much of a point it covers: up to half, and less within a pixel of its edge, which is smooth so.
    fn cover(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.x, y - self.y);
        let inside = (self.radius - (dx * dx + dy * dy).sqrt()) * SIDE as f32;
        0.5 * (inside + 0.5).clamp(0.0, 1.0)
    }
}

fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    let [red, green, blue] = from;
    let [to_red, to_green, to_blue] = to;
    let part = |from: f32, to: f32| from + (to - from) * share;
    [
        part(red, to_red),
        part(green, to_green),
        part(blue, to_blue),
    ]
}

/// A soft colour of the wheel, whose turn is 1.
fn colour(hue: f32, light: f32) -> Colour {
    [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|turn: f32| {
        let away = ((hue + turn).fract() - 0.5).abs() * 2.0;
        (0.35 + 0.65 * away) * light * 255.0
    })
}

/// Numbers that follow from a product.
struct Seed(std::iter::Cycle<std::array::IntoIter<u8, 32>>);

impl Seed {
    fn new(title: &str, number: i64) -> Self {
        let hash = Sha256::new()
            .chain_update(number.to_be_bytes())
            .chain_update(title);
        let bytes: [u8; 32] = hash.finalize().into();
        Self(bytes.into_iter().cycle())
    }

    /// From 0 to 1.
    fn share(&mut self) -> f32 {
        f32::from(self.0.next().unwrap_or_default()) / 255.0
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.share()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, io::Cursor};

    use super::*;

    #[test]
    fn each_product_has_a_small_picture_of_its_own() {
        let mut seen = HashSet::new();
        let titles = ["Harbour at night", "Fog", "Hoya", "", "🦀"];
        for (number, title) in (0..).zip(titles) {
            let png = picture(title, number).unwrap();
            assert!(png.len() < 40_000, "{} bytes", png.len());
            assert_eq!(png, picture(title, number).unwrap(), "always the same");
            let decoder = png::Decoder::new(Cursor::new(&png));
            let mut reader = decoder.read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            let frame = reader.next_frame(&mut pixels).unwrap();
            assert_eq!((frame.width, frame.height), (480, 480));
            let colours: HashSet<_> = pixels.chunks(3).collect();
            assert!(colours.len() > 100, "{} colours", colours.len());
            assert!(seen.insert(png), "as another's");
        }
        let other = picture("Fog", 7).unwrap();
        assert!(seen.insert(other), "the number counts");
    }
}
