//! The WebAssembly engine, and the clock that interrupts calls.

use crate::functions::Functions;
use crate::settings::Settings;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use wasmtime::{Config, Enabled, Engine, PoolingAllocationConfig};

/// Native stack of a call. Wasmtime's default: it fits in every thread that
/// calls plugins, the main thread of any platform included, and a plugin keeps
/// its large values on a stack of its own in linear memory.
pub(crate) const STACK: usize = 512 << 10;

/// Tables of one component: the plugin's own and that of its imports, and room.
const TABLES: u32 = 4;

/// Memory that a slot keeps mapped after its instance ended, set back by hand.
/// Faulting the pages in again would cost the next instance more than that.
const KEEP_RESIDENT: usize = 256 << 10;

/// Builds the engine that runs strategies and portfolios.
pub(crate) fn engine(
    settings: &Settings,
    functions: Option<Arc<Functions>>,
) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model(true);

    // Same plugin, same input, same answer, on every machine: the bits of a NaN
    // are otherwise the processor's own, as are the results of relaxed SIMD.
    // Shared memory and threads are not compiled in at all.
    config.cranelift_nan_canonicalization(true);
    config.wasm_relaxed_simd(false);

    // A loop without end is interrupted by the ticker. Counting instructions
    // (fuel) would be exact, and costs far more on every call; it is done only
    // where somebody wants to know how many there are.
    config.epoch_interruption(true);
    config.consume_fuel(settings.count_fuel);
    config.max_wasm_stack(STACK);

    // Backtraces need symbols, and plugins are built without; the map from
    // machine code back to WebAssembly would only make artefacts larger.
    config.wasm_backtrace_max_frames(None);
    config.generate_address_map(false);

    if let Some(functions) = functions {
        config.enable_incremental_compilation(functions)?;
    }
    config.allocation_strategy(pool(settings));
    Engine::new(&config)
}

/// Slots are reserved once and reused, so that an instance costs microseconds.
/// A slot belongs to one instance at a time, and is zeroed in between.
fn pool(settings: &Settings) -> PoolingAllocationConfig {
    let instances = settings.instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances);

    // One memory each: a second would double what the memory limit means.
    pool.max_memories_per_component(1);
    pool.total_memories(instances);
    // The pool knows one size. It is that of the most demanding plugin, and the
    // limiter of each store holds the others to less.
    pool.max_memory_size(settings.largest_memory());
    pool.linear_memory_keep_resident(KEEP_RESIDENT);
    // The kernel (Linux 6.7 and later) says which pages those are. Without it
    // the lowest ones are taken, which belong to the unused end of the stack.
    pool.pagemap_scan(Enabled::Auto);

    // Likewise: a plugin that may have fewer is held to that when it is loaded.
    let modules = settings.most_core_modules();
    pool.max_core_instances_per_component(modules);
    pool.total_core_instances(instances.saturating_mul(modules));

    pool.max_tables_per_component(TABLES);
    pool.total_tables(instances.saturating_mul(TABLES));
    pool.table_elements(settings.largest_table());
    pool.table_keep_resident(4 << 10);
    pool
}

/// Advances the engine's epoch while any instance lives.
///
/// The thread sleeps for good while there is none, so that an idle worker does
/// not wake a hundred times a second.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Instances alive.
    alive: AtomicUsize,
    stop: AtomicBool,
}

/// Keeps the ticker going as long as it exists.
pub(crate) struct Alive(Arc<Shared>);

impl Ticker {
    /// Time between two epochs, and so the error of the time limit.
    const TICK: Duration = Duration::from_millis(10);

    pub(crate) fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            alive: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let thread = thread::Builder::new()
            .name("plugin-ticker".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || tick(&shared, &engine)
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Announces an instance.
    pub(crate) fn alive(&self) -> Alive {
        if self.shared.alive.fetch_add(1, Ordering::SeqCst) == 0 {
            self.wake();
        }
        Alive(Arc::clone(&self.shared))
    }

    /// The deadline of a call that starts now. The first tick may follow at
    /// once, so one more is granted.
    pub(crate) fn deadline(limit: Duration) -> u64 {
        let ticks = limit.as_nanos().div_ceil(Self::TICK.as_nanos());
        u64::try_from(ticks)
            .unwrap_or(u64::MAX - 1)
            .saturating_add(1)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

fn tick(shared: &Shared, engine: &Engine) {
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.alive.load(Ordering::SeqCst) == 0 {
            // An `unpark` between the check and here makes this return at once.
            thread::park();
        } else {
            // Not `park_timeout`: a waking would make the clock run fast.
            thread::sleep(Ticker::TICK);
            engine.increment_epoch();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It can only have ended; a panic in it would have been reported.
            let _ = thread.join();
        }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}
