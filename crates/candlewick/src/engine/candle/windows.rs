//! The windows of convolutions and pools, of operations whose gradients candle has right.

use candle_core::{Result, Tensor};

/// Every `stride`-th of a tensor's places along `dim`, `count` of them from `start` on.
pub fn every(x: &Tensor, dim: usize, start: usize, stride: usize, count: usize) -> Result<Tensor> {
    if stride == 1 {
        return x.narrow(dim, start, count);
    }
    let places: Vec<u32> = (0..count).map(|i| (start + i * stride) as u32).collect();
    x.contiguous()?.index_select(&Tensor::new(places, x.device())?, dim)
}

/// Of images (N, C, H, W), the first value of each window, the second of each, ..., row by row: each (N, C, OH, OW).
pub fn windows(x: &Tensor, pool_size: [usize; 2], strides: [usize; 2]) -> Result<Vec<Tensor>> {
    let (_, _, height, width) = x.dims4()?;
    let rows = (height - pool_size[0]) / strides[0] + 1;
    let columns = (width - pool_size[1]) / strides[1] + 1;
    let mut places = Vec::with_capacity(pool_size[0] * pool_size[1]);
    for y in 0..pool_size[0] {
        let of_rows = every(x, 2, y, strides[0], rows)?;
        for x in 0..pool_size[1] {
            places.push(every(&of_rows, 3, x, strides[1], columns)?);
        }
    }
    Ok(places)
}
