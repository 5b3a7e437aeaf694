//! Shapes that tests go through.

use super::Placed;

fn conv(
    [in_channels, out_channels]: [usize; 2],
    input: [usize; 2],
    kernel_size: [usize; 2],
    strides: [usize; 2],
    padding: [usize; 2],
) -> Placed {
    let output = std::array::from_fn(|i| (input[i] + 2 * padding[i] - kernel_size[i]) / strides[i] + 1);
    Placed {
        in_channels,
        out_channels,
        groups: 1,
        use_bias: true,
        input,
        output,
        kernel_size,
        strides,
        padding,
        padding_after: padding,
    }
}

/// Edges: one channel, a kernel as large as the input, 1x1, strides within, at and beyond the kernel, inputs left over,
/// padding below, at and beyond the kernel, sides that differ, channels that leave remainders of register tiles; a kernel of
/// more taps than are looked through at once, a gradient that is turned, in one turn and in several; patches of Winograd's in one
/// turn and in several, beside the image and beyond it.
fn of_one_group() -> Vec<Placed> {
    vec![
        conv([1, 1], [1, 1], [1, 1], [1, 1], [0, 0]),
        conv([1, 6], [9, 9], [5, 5], [1, 1], [0, 0]),
        conv([6, 5], [7, 7], [5, 5], [1, 1], [0, 0]),
        conv([2, 3], [5, 5], [5, 5], [1, 1], [0, 0]),
        conv([3, 4], [6, 5], [1, 1], [1, 1], [0, 0]),
        conv([2, 4], [8, 9], [3, 3], [2, 2], [1, 1]),
        conv([2, 3], [10, 11], [3, 3], [3, 3], [0, 0]),
        conv([2, 2], [11, 11], [2, 2], [4, 4], [0, 0]),
        conv([1, 2], [9, 8], [2, 3], [5, 4], [1, 0]),
        conv([3, 8], [6, 6], [3, 3], [1, 1], [2, 2]),
        conv([1, 2], [3, 4], [2, 2], [1, 1], [3, 4]),
        conv([2, 3], [4, 4], [7, 7], [1, 1], [3, 3]),
        conv([7, 9], [5, 6], [3, 2], [1, 2], [1, 0]),
        conv([2, 2], [3, 3], [5, 4], [3, 2], [4, 3]),
        conv([1, 1], [4, 4], [1, 1], [3, 3], [2, 2]),
        conv([1, 2], [7, 9], [9, 10], [1, 1], [2, 3]),
        conv([8, 12], [3, 3], [2, 3], [1, 1], [1, 0]),
        conv([9, 16], [5, 4], [2, 1], [2, 3], [1, 2]),
        conv([8, 12], [9, 16], [2, 1], [1, 1], [1, 0]),
        conv([8, 40], [2, 3], [1, 1], [1, 1], [0, 0]),
        conv([8, 9], [7, 9], [3, 3], [1, 1], [1, 1]),
        conv([9, 8], [6, 5], [3, 3], [1, 1], [0, 0]),
        conv([8, 8], [5, 6], [3, 3], [1, 1], [0, 2]),
        conv([8, 40], [9, 13], [3, 3], [1, 1], [1, 1]),
        conv([9, 40], [5, 6], [3, 3], [1, 1], [1, 2]),
    ]
}

/// Groups: of one channel, in and out, at every stride and with rows that leave remainders of register tiles; of several.
fn of_groups() -> impl Iterator<Item = Placed> {
    [
        (3, conv([3, 3], [5, 19], [3, 3], [1, 1], [1, 1])),
        (2, conv([2, 4], [6, 7], [3, 3], [2, 2], [1, 1])),
        (2, conv([2, 2], [9, 11], [5, 4], [3, 1], [2, 0])),
        (4, conv([4, 4], [7, 7], [1, 1], [1, 3], [0, 1])),
        (2, conv([2, 6], [4, 4], [4, 4], [1, 1], [3, 3])),
        (2, conv([2, 2], [2, 3], [1, 2], [4, 4], [2, 5])),
        (2, conv([4, 6], [5, 6], [3, 3], [1, 1], [1, 1])),
        (3, conv([6, 3], [6, 5], [2, 3], [2, 1], [0, 2])),
        (2, conv([16, 32], [2, 3], [1, 2], [1, 1], [0, 1])),
        (2, conv([16, 18], [5, 4], [3, 3], [1, 1], [1, 1])),
        (2, conv([16, 32], [5, 4], [3, 3], [1, 1], [1, 1])),
    ]
    .into_iter()
    .map(|(groups, conv)| Placed { groups, ..conv })
}

/// All of them; some again without a bias; and some with more zeros at the end than at the beginning.
pub fn table() -> Vec<Placed> {
    let mut table = of_one_group();
    table.extend(of_groups());
    let without: Vec<_> = table.iter().step_by(3).map(|conv| Placed { use_bias: false, ..*conv }).collect();
    let uneven = table.iter().step_by(2).filter(|conv| conv.strides == [1, 1]).map(|conv| Placed {
        padding_after: conv.padding.map(|before| before + 1),
        output: conv.output.map(|windows| windows + 1),
        ..*conv
    });
    let uneven: Vec<_> = uneven.collect();
    table.into_iter().chain(without).chain(uneven).collect()
}
