import { Dataset } from '../data/dataset.js'
import type { ByteImages } from '../data/images.js'
import { parquetDatasetBy, type ParquetDatasetOptions as TableOptions } from '../data/parquet-dataset.js'
import { readOnce } from '../expect.js'
import { checkPreparation, type PreparationOptions, preparationKeys } from './preparation.js'
import { prepareAll } from './prepare.js'

/** Options of {@link parquetDataset}. */
export type ParquetDatasetOptions = TableOptions & PreparationOptions

/**
 * Reads Parquet files of pictures and labels, as Hugging Face's data sets are; several files are one data set, one behind the other.
 * Pictures are prepared as {@link imageFolder} does; of the files, a row group is in memory at once.
 */
export async function parquetDataset(options: ParquetDatasetOptions): Promise<Dataset<ByteImages>> {
  const preparation = checkPreparation(readOnce<PreparationOptions>('parquetDataset', options, preparationKeys))
  const own = Object.entries(options).filter(([name]) => !Object.hasOwn(preparationKeys, name))
  const { native, length, classes } = await parquetDatasetBy(
    Object.fromEntries(own) as TableOptions,
    (encoded, signal) => prepareAll(encoded, preparation, signal),
  )
  const { fit, background } = preparation
  return new Dataset(native, 0, length, undefined, { classes, pictures: { fit, background } })
}
