//! An image turned or scaled about its centre: between its pixels, it is what the four around say, each the more the nearer it is
//! (bilinear), and outside of it, it is 0.
//!
//! All is counted in integers, so that it is the same to the last bit everywhere: places in 2⁻³² of a pixel, and the parts that the
//! four take in 2⁻¹⁶. A value is so within 0.01 of what exact numbers give, before it is rounded to a byte.

/// A pixel.
const ONE: i64 = 1 << 32;

/// Makes each pixel, at x columns and y rows from the centre, what the image (C, H, W) shows at `matrix` · (x, y) from there. No
/// number of the matrix is beyond ±2, and so nothing overflows.
pub fn resample(image: &mut [u8], [_, height, width]: [usize; 3], matrix: [[f64; 2]; 2]) {
    let [[xx, xy], [yx, yy]] = matrix.map(|row| row.map(|number| (number * ONE as f64).round() as i64));
    let [last_row, last_column] = [height as i64 - 1, width as i64 - 1];
    let mut margined = Margined::new(height, width);
    for channel in image.chunks_exact_mut(height * width) {
        margined.copy(channel);
        for (row, pixels) in (0..).zip(channel.chunks_exact_mut(width)) {
            // From the centre, which is between two pixels where their number is even: so twice the distance, and half the sum.
            let [down, right] = [2 * row - last_row, -last_column];
            let mut x = (xx * right + xy * down + last_column * ONE) / 2;
            let mut y = (yx * right + yy * down + last_row * ONE) / 2;
            for pixel in pixels {
                *pixel = margined.at(y, x);
                (x, y) = (x + xx, y + yx);
            }
        }
    }
}

/// A channel with zeros around it, so that none of the four pixels has to be asked whether it is there: a row and a column before
/// the first, and two after the last.
struct Margined {
    pixels: Vec<u8>,
    height: usize,
    width: usize,
}

impl Margined {
    fn new(height: usize, width: usize) -> Self {
        Self { pixels: vec![0; (height + 3) * (width + 3)], height, width }
    }

    fn copy(&mut self, channel: &[u8]) {
        let rows = self.pixels.chunks_exact_mut(self.width + 3).skip(1);
        for (to, from) in rows.zip(channel.chunks_exact(self.width)) {
            to[1..=self.width].copy_from_slice(from);
        }
    }

    /// The value at this row and column, in parts of [`ONE`].
    #[inline(always)]
    fn at(&self, y: i64, x: i64) -> u8 {
        let (row, below) = split(y, self.height);
        let (column, beside) = split(x, self.width);
        let first = row * (self.width + 3) + column;
        let of_row = |at: usize| {
            let [left, right] = [0, 1].map(|i| u64::from(self.pixels[at + i]));
            left * (FINE - beside) + right * beside
        };
        let sum = of_row(first) * (FINE - below) + of_row(first + self.width + 3) * below;
        ((sum + FINE * FINE / 2) / (FINE * FINE)) as u8
    }
}

/// The parts of a pixel in which weights are counted.
const FINE: u64 = 1 << 16;

/// Of a place among so many rows or columns, the last one in the margined channel that is not beyond it, and how far it is from
/// there. All that is beyond the first zeros is as they are.
#[inline(always)]
fn split(place: i64, count: usize) -> (usize, u64) {
    let fine = ((place + (1 << 15)) >> 16).clamp(-(FINE as i64), count as i64 * FINE as i64) + FINE as i64;
    ((fine as u64 / FINE) as usize, fine as u64 % FINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the formula, in float64: what the four pixels around each place say.
    fn expected(image: &[u8], [_, height, width]: [usize; 3], matrix: [[f64; 2]; 2]) -> Vec<f64> {
        let centre = [(height as f64 - 1.0) / 2.0, (width as f64 - 1.0) / 2.0];
        let pixel = |channel: usize, row: f64, column: f64| {
            let is_inside = (0.0..height as f64).contains(&row) && (0.0..width as f64).contains(&column);
            let at = || (channel * height + row as usize) * width + column as usize;
            if is_inside { f64::from(image[at()]) } else { 0.0 }
        };
        let value = |at: usize| {
            let (channel, row, column) = (at / (height * width), at / width % height, at % width);
            let [down, right] = [row as f64 - centre[0], column as f64 - centre[1]];
            let [x, y] = matrix.map(|[of_x, of_y]| of_x * right + of_y * down);
            let [y, x] = [y + centre[0], x + centre[1]];
            let [below, beside] = [y - y.floor(), x - x.floor()];
            let of_row =
                |row| pixel(channel, row, x.floor()) * (1.0 - beside) + pixel(channel, row, x.floor() + 1.0) * beside;
            of_row(y.floor()) * (1.0 - below) + of_row(y.floor() + 1.0) * below
        };
        (0..image.len()).map(value).collect()
    }

    fn image(shape: [usize; 3]) -> Vec<u8> {
        (0..shape.iter().product()).map(|i: usize| (i * i * 7 + 13 * i + 5) as u8).collect()
    }

    #[test]
    fn it_is_within_half_a_step_of_the_formula() {
        for shape in [[1, 28, 28], [3, 5, 8], [2, 9, 4], [1, 1, 7], [2, 1, 1]] {
            for matrix in [
                [[0.8, -0.6], [0.6, 0.8]],
                [[0.96, 0.28], [-0.28, 0.96]],
                [[0.5, 0.0], [0.0, 0.5]],
                [[1.9, 0.0], [0.0, 1.9]],
                [[0.0, 2.0], [-2.0, 0.0]],
            ] {
                let image = image(shape);
                let mut found = image.clone();
                resample(&mut found, shape, matrix);
                for (at, (found, expected)) in found.into_iter().zip(expected(&image, shape, matrix)).enumerate() {
                    let off = (f64::from(found) - expected).abs();
                    assert!(off <= 0.51, "{shape:?}, {matrix:?}, value {at}: {found}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn quarters_of_a_turn_and_none_lose_nothing() {
        let (shape, plain) = ([2, 4, 4], image([2, 4, 4]));
        let turned = |matrix| {
            let mut image = plain.clone();
            resample(&mut image, shape, matrix);
            image
        };
        assert_eq!(turned([[1.0, 0.0], [0.0, 1.0]]), plain);
        // A pixel is what was at its transposed place, counted from the right: the image is turned to the left.
        let quarter = turned([[0.0, -1.0], [1.0, 0.0]]);
        for (at, pixel) in quarter.into_iter().enumerate() {
            let (channel, row, column) = (at / 16, at / 4 % 4, at % 4);
            assert_eq!(pixel, plain[16 * channel + 4 * column + 3 - row]);
        }
        let half = turned([[-1.0, 0.0], [0.0, -1.0]]);
        assert!((0..32).all(|at| half[at] == plain[16 * (at / 16) + 15 - at % 16]));
    }
}
