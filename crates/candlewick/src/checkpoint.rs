//! Parameters in safetensors files: `conv0.weight`, `conv0.bias`, ... as float32.

use crate::error::{Code, Error, Result};
use crate::network::{Network, show};
use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes `parameters` to `path`, all or nothing: beside it first, then synced, then renamed over it.
///
/// # Errors
/// `SaveFailed` with the system's reason.
pub fn save(parameters: &[(String, Tensor)], path: &Path) -> Result<()> {
    let failed = |reason: std::io::Error| {
        let message = format!(
            "cannot save parameters to {}: {reason}; choose a folder that exists and can be written",
            path.display()
        );
        Error::new(Code::SaveFailed, message)
    };
    let views = parameters.iter().map(|(name, tensor)| (name.as_str(), tensor));
    let bytes = safetensors::serialize(views, None)
        .map_err(|e| Error::new(Code::Internal, format!("the parameters cannot be serialised: {e}")))?;
    let path = &target(path).map_err(failed)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = beside(folder).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Where a path leads: a link is followed, so that it stays one; what is no ordinary file is left alone.
fn target(path: &Path) -> std::io::Result<PathBuf> {
    match std::fs::canonicalize(path) {
        Ok(target) if target.is_file() => Ok(target),
        Ok(target) if target.is_dir() => Err(std::io::ErrorKind::IsADirectory.into()),
        Ok(_) => Err(std::io::Error::other("it is no ordinary file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(error),
    }
}

/// A new file with the rights of an ordinary one; a temporary file is otherwise its owner's alone.
fn beside(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less what umask takes away
    builder.prefix(".candlewick-").tempfile_in(folder)
}

/// Reads the parameters of `network` from `path`, end to end, as float32.
///
/// # Errors
/// `CheckpointNotFound` where the file cannot be read, `CheckpointInvalid` for a file that is not safetensors or in which a
/// tensor is missing, has another shape or is not of floats, or, unless `ignore_extra`, belongs to no parameter.
pub fn load(network: &Network, path: &Path, ignore_extra: bool) -> Result<Vec<f32>> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|e| {
        let message = format!("cannot read parameters from {shown}: {e}; name a file that net.saveParameters wrote");
        Error::new(Code::CheckpointNotFound, message)
    })?;
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| {
        let reason = e.to_string();
        let reason = reason.lines().next().unwrap_or_default();
        invalid(format!("{shown} is not a safetensors file ({reason}); it may be cut short or of another format"))
    })?;
    flatten(network, &tensors, ignore_extra).map_err(|e| invalid(format!("{shown}: {}", e.message)))
}

/// Lays the tensors of `network`'s parameters end to end, as float32.
///
/// # Errors
/// `CheckpointInvalid` as for [`load`].
pub fn flatten(network: &Network, tensors: &HashMap<String, Tensor>, ignore_extra: bool) -> Result<Vec<f32>> {
    if !ignore_extra {
        let mut extra = tensors.keys().filter(|name| !network.parameters.iter().any(|p| p.name == **name));
        if let Some(name) = extra.next() {
            let more = extra.count();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            return Err(invalid(format!(
                "tensor {name}{more} belongs to no parameter of this network; was the file saved from another network? With \
                 ignoreExtra the rest is loaded all the same"
            )));
        }
    }
    let mut parameters = Vec::with_capacity(network.parameter_count());
    for parameter in &network.parameters {
        let (name, expected) = (&parameter.name, show(&parameter.shape));
        let Some(tensor) = tensors.get(name) else {
            return Err(invalid(format!(
                "tensor {name} of shape {expected} is missing; was the file saved from another network?"
            )));
        };
        if tensor.dims() != parameter.shape {
            let shape = show(tensor.dims());
            return Err(invalid(format!("tensor {name} has shape {shape}, but this network's is {expected}")));
        }
        if !tensor.dtype().is_float() {
            return Err(invalid(format!(
                "tensor {name} holds {}, but parameters are float32",
                tensor.dtype().as_str()
            )));
        }
        parameters.extend(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(parameters)
}

/// The inverse of [`flatten`]: named tensors in the network's order.
///
/// # Errors
/// `Internal`, if `parameters` is not as long as the network's.
pub fn named(network: &Network, parameters: &[f32]) -> Result<Vec<(String, Tensor)>> {
    network
        .parameters
        .iter()
        .map(|p| {
            let values = parameters.get(p.range.clone()).unwrap_or_default();
            Ok((p.name.clone(), Tensor::from_slice(values, p.shape.as_slice(), &Device::Cpu)?))
        })
        .collect()
}

fn invalid(message: String) -> Error {
    Error::new(Code::CheckpointInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Layer};

    fn network() -> Network {
        Network::new(&[Layer::Dense { units: 2, activation: Activation::None }], [1, 1, 3]).unwrap()
    }

    const VALUES: [f32; 8] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        save(&named(&network(), &VALUES).unwrap(), &path).unwrap();
        assert_eq!(load(&network(), &path, false).unwrap(), VALUES);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_failed_save_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let parameters = named(&network(), &VALUES).unwrap();
        let missing = save(&parameters, &folder.path().join("missing/net.safetensors")).unwrap_err();
        assert_eq!(missing.code, Code::SaveFailed);
        assert_eq!(save(&parameters, folder.path()).unwrap_err().code, Code::SaveFailed);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_devices_devices() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("net.safetensors"), folder.path().join("latest"));
        let parameters = named(&network(), &VALUES).unwrap();
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        save(&parameters, &link).unwrap();
        assert!(link.is_symlink());
        assert_eq!(load(&network(), &file, false).unwrap(), VALUES);
        let device = folder.path().join("device");
        std::os::unix::fs::symlink("/dev/null", &device).unwrap();
        assert_eq!(save(&parameters, &device).unwrap_err().code, Code::SaveFailed);
    }

    #[test]
    fn a_file_of_another_network_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        type Tensors = Vec<(String, Tensor)>;
        let load_with = |change: &dyn Fn(&mut Tensors), ignore_extra| {
            let mut tensors = named(&network(), &VALUES).unwrap();
            change(&mut tensors);
            save(&tensors, &path).unwrap();
            load(&network(), &path, ignore_extra).map_err(|e| e.message)
        };
        let scalar = || Tensor::new(1f32, &Device::Cpu).unwrap();
        let missing = load_with(&|t| drop(t.pop()), false).unwrap_err();
        assert!(missing.contains("dense0.bias of shape (2) is missing"), "{missing}");
        let extra = load_with(&|t| t.push(("more".into(), scalar())), false).unwrap_err();
        assert!(extra.contains("tensor more belongs to no parameter"), "{extra}");
        assert!(load_with(&|t| t.push(("more".into(), scalar())), true).is_ok());
        let misshapen = load_with(&|t| t[1].1 = scalar(), false).unwrap_err();
        assert!(misshapen.contains("dense0.bias has shape (), but this network's is (2)"), "{misshapen}");
        let integers = load_with(&|t| t[1].1 = Tensor::new(&[1u32, 2], &Device::Cpu).unwrap(), false).unwrap_err();
        assert!(integers.contains("holds u32"), "{integers}");
    }

    #[test]
    fn what_is_no_safetensors_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        assert_eq!(load(&network(), &path, false).unwrap_err().code, Code::CheckpointNotFound);
        save(&named(&network(), &VALUES).unwrap(), &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for cut in [0, 4, 20, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(load(&network(), &path, false).unwrap_err().code, Code::CheckpointInvalid, "cut to {cut}");
        }
    }
}
