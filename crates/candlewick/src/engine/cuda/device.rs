//! NVIDIA GPUs, through the driver that the machine has: it is opened at run time, so that one addon serves machines with and
//! without.

use super::gpu::{Gpu, Kernel, THREADS};
use super::layout::Arguments;
use crate::error::{Code, Error, Result};
use crate::memory::show_bytes;
use cudarc::driver::result;
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute, CUfunction_attribute as FunctionAttribute};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaSlice, CudaStream, DevicePtr, DeviceRepr, DriverError, LaunchConfig,
    PushKernelArg,
};
use cudarc::nvrtc::Ptx;
use std::fmt;
use std::panic::catch_unwind;
use std::sync::Arc;

/// kernels/step.cu, compiled by the build script.
const KERNELS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/step.fatbin"));

/// CUDA 13.0, of drivers 580 and newer: older ones do not load what its compiler (scripts/cuda-toolkit.sh) makes.
const OLDEST_DRIVER: i32 = 13_000;

/// 8.0, the oldest that the build script compiles for.
const OLDEST_CAPABILITY: (i32, i32) = (8, 0);

/// Of a multiprocessor's cache, what is wanted as shared memory; more than there can be is taken as that.
const PERCENT_SHARED: i32 = 100;

// SAFETY: it is `struct Arguments` of the kernels, as a test of the emulation holds.
unsafe impl DeviceRepr for Arguments {}

/// A GPU with a stream of its own.
pub struct CudaGpu {
    stream: Arc<CudaStream>,
    /// In the order of [`Kernel::ALL`].
    functions: Vec<CudaFunction>,
    most_shared: usize,
    shared_of_multiprocessor: usize,
    multiprocessors: usize,
}

/// Kernels that the driver queues at once.
pub struct Graph(CudaGraph);

// SAFETY: a graph must not be launched by two threads at once; the engine that owns it is used by one at a time.
unsafe impl Send for Graph {}

/// What there is to know of a GPU before it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `NVIDIA H100 80GB HBM3`
    pub name: String,
    /// Bytes.
    pub memory: usize,
    /// 9.0 is (9, 0).
    pub compute_capability: (i32, i32),
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (memory, (major, minor)) = (show_bytes(self.memory), self.compute_capability);
        write!(f, "{}, {memory}, compute capability {major}.{minor}", self.name)
    }
}

/// All GPUs, in the driver's order, with the reason for those that cannot be used.
///
/// # Errors
/// `DeviceUnavailable` with the reason why there is none.
pub fn descriptions() -> Result<Vec<Result<Description>>> {
    guarded(|| Ok((0..count()?).map(describe).collect()))
}

/// Without a context, which would take a while and some hundred megabytes of the GPU.
fn describe(ordinal: usize) -> Result<Description> {
    let ask = || {
        let device = result::device::get(ordinal as i32)?;
        // SAFETY: the device was just given by the driver.
        let (memory, compute_capability) = unsafe {
            let major = Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
            let minor = Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
            let attribute = |which| result::device::get_attribute(device, which);
            (result::device::total_mem(device)?, (attribute(major)?, attribute(minor)?))
        };
        Ok(Description { name: result::device::get_name(device)?, memory, compute_capability })
    };
    let description = ask().map_err(|e| unavailable(ordinal, e))?;
    if description.compute_capability < OLDEST_CAPABILITY {
        let (name, (major, minor)) = (&description.name, description.compute_capability);
        let message =
            format!("cuda:{ordinal}, a {name}, has compute capability {major}.{minor}; candlewick needs 8.0 or newer");
        return Err(Error::new(Code::DeviceUnavailable, message));
    }
    Ok(description)
}

impl CudaGpu {
    /// Opens a GPU and loads the kernels.
    ///
    /// # Errors
    /// As [`check`].
    pub fn open(ordinal: usize) -> Result<Self> {
        check(ordinal)?;
        guarded(|| {
            let context = CudaContext::new(ordinal).map_err(|e| unavailable(ordinal, e))?;
            Self::load(&context).map_err(|e| unavailable(ordinal, e))
        })
    }

    fn load(context: &Arc<CudaContext>) -> std::result::Result<Self, DriverError> {
        // SAFETY: all work and all memory of an engine are on its one stream.
        unsafe { context.disable_event_tracking() };
        let module = context.load_module(Ptx::from_binary(KERNELS.to_vec()))?;
        let attribute = |attribute| context.attribute(attribute).map(|n| n as usize);
        let most_shared = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let load = |kernel: Kernel| {
            let function = module.load_function(kernel.name())?;
            let most = FunctionAttribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            function.set_attribute(most, most_shared as i32)?;
            // As much of the cache as can be, for all kernels alike: as many blocks run at once as the engine counts with, and
            // nothing is divided anew between two kernels.
            let carveout = FunctionAttribute::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT;
            function.set_attribute(carveout, PERCENT_SHARED)?;
            Ok::<_, DriverError>(function)
        };
        Ok(Self {
            stream: context.new_stream()?,
            functions: Kernel::ALL.into_iter().map(load).collect::<std::result::Result<_, _>>()?,
            most_shared,
            shared_of_multiprocessor: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)?,
            multiprocessors: attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        })
    }

    fn out_of_memory(&self, asked: &str) -> Error {
        let room = match self.stream.context().mem_get_info() {
            Ok((free, total)) => format!("{} of its {} are free", show_bytes(free), show_bytes(total)),
            Err(_) => "it has not so much".to_owned(),
        };
        let message = format!(
            "{asked} of the GPU's memory was asked for, but {room}; make the network or the batch smaller, or let go of other \
             networks"
        );
        Error::new(Code::OutOfMemory, message)
    }

    /// A failure of work on the GPU.
    fn failed(&self, error: DriverError) -> Error {
        if error.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
            return self.out_of_memory("More");
        }
        let message = format!(
            "the GPU failed: {error}; what was on it is lost, and this process must start anew to use it again, while networks \
             on the CPU go on"
        );
        Error::new(Code::DeviceLost, message)
    }
}

impl Drop for CudaGpu {
    /// Nothing that is queued may outlive the kernels. Twice, as an error of earlier is what the first may return instead of
    /// waiting.
    fn drop(&mut self) {
        self.stream.synchronize().ok();
        self.stream.synchronize().ok();
    }
}

impl Gpu for CudaGpu {
    type Memory = CudaSlice<u8>;
    type Graph = Graph;

    fn allocate(&self, bytes: usize) -> Result<CudaSlice<u8>> {
        self.stream.alloc_zeros(bytes.max(1)).map_err(|error| match error.0 {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => self.out_of_memory(&show_bytes(bytes)),
            _ => self.failed(error),
        })
    }

    fn address(&self, memory: &CudaSlice<u8>) -> u64 {
        memory.device_ptr(&self.stream).0
    }

    /// Waits, as the driver may read `bytes` later, when the caller has let go of them.
    fn write(&self, memory: &mut CudaSlice<u8>, bytes: &[u8]) -> Result<()> {
        self.stream.memcpy_htod(bytes, memory).map_err(|e| self.failed(e))?;
        self.synchronize()
    }

    fn clear(&self, memory: &mut CudaSlice<u8>) -> Result<()> {
        self.stream.memset_zeros(memory).map_err(|e| self.failed(e))
    }

    fn read(&self, memory: &CudaSlice<u8>, bytes: &mut [u8]) -> Result<()> {
        self.stream.memcpy_dtoh(&memory.slice(..bytes.len()), bytes).map_err(|e| self.failed(e))?;
        self.synchronize()
    }

    fn launch(&self, kernel: Kernel, blocks: usize, shared: usize, arguments: &Arguments) -> Result<()> {
        let config = LaunchConfig {
            grid_dim: (blocks as u32, 1, 1),
            block_dim: (THREADS, 1, 1),
            shared_mem_bytes: shared as u32,
        };
        let mut builder = self.stream.launch_builder(&self.functions[kernel as usize]);
        builder.arg(arguments);
        // SAFETY: the arguments hold addresses of memory that the engine keeps and sized for this network and batch.
        unsafe { builder.launch(config) }.map(drop).map_err(|e| self.failed(e))
    }

    fn capture(&self, queue: &mut dyn FnMut() -> Result<()>) -> Result<Graph> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(|e| self.failed(e))?;
        let queued = queue();
        // Whatever happened, or the stream would go on capturing.
        let graph = self.stream.end_capture(sys::CUgraphInstantiate_flags(0)).map_err(|e| self.failed(e));
        queued?;
        graph?.map(Graph).ok_or_else(|| Error::new(Code::Internal, "nothing was captured"))
    }

    fn replay(&self, graph: &Graph) -> Result<()> {
        graph.0.launch().map_err(|e| self.failed(e))
    }

    fn synchronize(&self) -> Result<()> {
        self.stream.synchronize().map_err(|e| self.failed(e))
    }

    fn most_shared(&self) -> usize {
        self.most_shared
    }

    fn shared_of_multiprocessor(&self) -> usize {
        self.shared_of_multiprocessor
    }

    fn multiprocessors(&self) -> usize {
        self.multiprocessors
    }
}

/// Whether there is such a GPU that can be used.
///
/// # Errors
/// `DeviceUnavailable`: no driver, an old one, no such GPU, or one that is too old.
pub fn check(ordinal: usize) -> Result<()> {
    guarded(|| {
        let count = count().map_err(|error| {
            let message = format!(
                "cuda:{ordinal} was asked for, but {}; use \"cpu\", or tryGpu(), which falls back to it",
                error.message
            );
            Error::new(error.code, message)
        })?;
        if ordinal >= count {
            let message =
                format!("cuda:{ordinal} was asked for, but this machine has {count} CUDA devices, from cuda:0");
            return Err(Error::new(Code::DeviceUnavailable, message));
        }
        describe(ordinal).map(drop)
    })
}

/// GPUs that the driver sees.
fn count() -> Result<usize> {
    // SAFETY: opens the driver's library, whose initialisers are NVIDIA's.
    if !unsafe { sys::is_culib_present() } {
        let message = "there is no NVIDIA driver (libcuda.so.1) on this machine";
        return Err(Error::new(Code::DeviceUnavailable, message));
    }
    check_version()?;
    match CudaContext::device_count() {
        Ok(0) => Err(Error::new(Code::DeviceUnavailable, "the NVIDIA driver sees no GPU")),
        Ok(count) => Ok(count as usize),
        Err(error) => Err(Error::new(Code::DeviceUnavailable, format!("the NVIDIA driver sees no GPU: {error}"))),
    }
}

/// Whether the driver is one, and new enough.
fn check_version() -> Result<()> {
    let mut version = 0;
    // SAFETY: writes a number to where it is told; every driver has this function.
    let asked = unsafe { sys::cuDriverGetVersion(&raw mut version) };
    let message = match asked {
        sys::CUresult::CUDA_SUCCESS if version >= OLDEST_DRIVER => return Ok(()),
        sys::CUresult::CUDA_SUCCESS if version > 0 => format!(
            "the NVIDIA driver supports CUDA {}.{} at most; candlewick needs one that supports {}.0, as those from 580 on do",
            version / 1000,
            version % 1000 / 10,
            OLDEST_DRIVER / 1000
        ),
        sys::CUresult::CUDA_SUCCESS | sys::CUresult::CUDA_ERROR_STUB_LIBRARY => {
            "the libcuda.so that was found is not an NVIDIA driver but a CUDA toolkit's stub of one, for linking; take the \
             toolkit's stubs folder out of LD_LIBRARY_PATH"
                .to_owned()
        }
        error => format!("the NVIDIA driver does not say its version: {}", DriverError(error)),
    };
    Err(Error::new(Code::DeviceUnavailable, message))
}

/// A driver's library that lacks a function makes cudarc panic.
fn guarded<T>(open: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(std::panic::AssertUnwindSafe(open)).unwrap_or_else(|_| {
        let message = "the NVIDIA driver lacks functions of CUDA 13; install a whole one";
        Err(Error::new(Code::DeviceUnavailable, message))
    })
}

fn unavailable(ordinal: usize, error: DriverError) -> Error {
    Error::new(Code::DeviceUnavailable, format!("cuda:{ordinal} cannot be used: {error}"))
}
